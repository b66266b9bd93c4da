"""A shared mailbox, by IMAP: e-mails as contacts. docs/sources/imap.md."""

"""Chatwoot, by its webhooks. docs/sources/chatwoot.md."""

"""Asterisk's log of its queues, the file or its table. docs/sources/asterisk_queue_log.md."""

"""The queue_log of Asterisk, line by line."""

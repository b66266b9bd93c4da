"""Genesys Cloud: its notifications and its EventBridge events → our events."""

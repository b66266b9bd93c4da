"""Twilio: TaskRouter's event callbacks, Event Streams, the webhooks of Conversations."""

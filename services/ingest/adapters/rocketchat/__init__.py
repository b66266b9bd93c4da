"""Rocket.Chat omnichannel, by its webhooks. docs/sources/rocketchat.md."""

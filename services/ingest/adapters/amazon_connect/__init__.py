"""Amazon Connect: contact events (EventBridge) and agent events (Kinesis). SOURCES.md §5b."""

"""CloudEvents in a topic of somebody else. docs/sources/kafka.md."""

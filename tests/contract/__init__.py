"""Contract tests: examples, recorded payloads, vectors."""

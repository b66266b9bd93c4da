"""Histories in a file, CSV or JSONL, by a mapping in the settings. docs/sources/file.md."""

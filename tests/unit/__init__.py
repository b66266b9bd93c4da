"""Unit tests, in the same tree as the source: no I/O, no sleep."""

"""The command, its broker and its supervision, with real processes."""

"""Processes from start to exit code."""

"""Recordings and cases that tests read."""

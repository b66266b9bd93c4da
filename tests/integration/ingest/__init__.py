"""Tests of ingest with real sockets."""

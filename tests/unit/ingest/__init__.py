"""Tests of services/ingest."""

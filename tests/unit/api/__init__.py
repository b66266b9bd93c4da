"""Tests of the api's board, hub and writing, without network."""

"""Tests of the Amazon Connect adapter."""

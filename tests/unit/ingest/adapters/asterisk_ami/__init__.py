"""Tests of the Asterisk manager interface."""

"""Doubles: real enough to pass the contract tests of what they stand for."""

"""Vigie's tests: unit, contract, integration, end to end, and the oracle they compare with."""

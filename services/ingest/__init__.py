"""Arrival: sources and HTTP on one side, events on Kafka on the other."""

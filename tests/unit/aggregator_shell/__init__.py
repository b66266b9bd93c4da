"""The aggregator without its rules: what needs no broker."""

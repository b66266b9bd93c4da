"""A simulated contact centre that speaks to ingest like everybody else."""

"""Verbs of the `rig` command that are for a Spark Core only."""

"""Sweeps on more than one machine: the workers of a dask.distributed cluster do what this machine's processes do."""

"""Sweeps on boards: cuts drawn from every phase that a relay can hit, until a policy's bound is met or time is over."""

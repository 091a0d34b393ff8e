"""Cuts in numbers: one trial after the other, planned, recorded and repeatable."""

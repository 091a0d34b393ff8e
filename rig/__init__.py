"""A hardware-in-the-loop rig for firmware updates: push real updates, cut the power, assert recovery."""

__version__ = "0.1.0"

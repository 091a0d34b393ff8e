"""Waiting in tests: until something is so, with a reason, and never for ever."""

from __future__ import annotations

from collections.abc import Callable

from rig.clock import Clock, wait_for

#: What has not ended by then hangs, on the busiest machine too: a test that waits for it fails, and is not for ever.
HANGS = 300.0


def until(look: Callable[[], object], reason: str, *, seconds: float = 20.0) -> None:
    """Look until there is something. Raises LabFault, and no AssertionError: no planted fault is found by a timeout."""
    wait_for(lambda: bool(look()), seconds=seconds, reason=reason, clock=Clock(), board="the test", every=0.01)

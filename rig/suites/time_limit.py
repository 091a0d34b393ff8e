"""How long a test may take: one that takes longer is a failure that says what it waited for.

Only the test itself is limited. What the lab does before and after it has deadlines of its own, and a lab that waits
too long is a fault of the lab.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest

from rig import clock


class TookTooLong(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # pytest names its class so only
    """A test took longer than its `seconds`; none that code which handles errors would take for a board's."""

    def __init__(self, seconds: float, waited: str):
        super().__init__(f"took longer than {seconds:g} s: it waited {waited}", pytrace=False)
        self.seconds = seconds


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Fail the test that is still inside after `seconds`; to be entered in the main thread, as pytest runs tests.

    Raises TookTooLong.
    """

    def over(_number: int, frame: FrameType | None) -> NoReturn:
        raise TookTooLong(seconds, waited_for(frame))

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def waited_for(frame: FrameType | None) -> str:
    """What the code of a frame waits for: the reason it gave, or else the function of ours that it is in."""
    doing, reason, line = "", "", ""
    while frame is not None and not line:
        code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
        if code is clock.wait_for.__code__:
            reason = f"for {frame.f_locals['reason']}"
        elif module.startswith("rig.") and module != clock.__name__ and not doing:
            doing = f"in {code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}"
        elif "__tracebackhide__" not in frame.f_locals and code.co_name.startswith("test"):
            line = f"{Path(code.co_filename).name}:{frame.f_lineno}"
        frame = frame.f_back
    what = reason or doing or "in the test"
    return f"{what} ({line})" if line else what

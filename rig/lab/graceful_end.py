"""SIGTERM in a process that holds boards: it gives back what it has, and then ends; if that hangs, it is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

#: How long giving back may take; what a process could not give back by then, the next command does.
PATIENCE_SECONDS = 20
_STATUS = 128 + signal.SIGTERM


class EndRequested(KeyboardInterrupt):
    """The process was told to end; of this kind, so that asyncio lets it through as it does Ctrl-C."""


class GracefulEnd:
    """Takes SIGTERM in this process from now on; made once, in the main thread.

    An idle process ends at once. A busy one ends when it is not busy any more, and is interrupted only where it says
    that it may be: a request to the coordinator that is given up half-way leaves a place nobody could release.
    """

    def __init__(self) -> None:
        self._is_requested = self._busy = self._may_be_interrupted = False
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While this process holds something; does not return where it was told to end meanwhile."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            if self._is_requested:
                os._exit(_STATUS)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """While what goes on may be left at any moment. Raises EndRequested."""
        self._may_be_interrupted = True
        try:
            if self._is_requested:
                raise EndRequested
            yield
        finally:
            self._may_be_interrupted = False

    def _on_signal(self, _number: int, _frame: object) -> None:
        if not self._busy:
            os._exit(_STATUS)
        if not self._is_requested:
            self._is_requested = True
            signal.alarm(PATIENCE_SECONDS)
        if self._may_be_interrupted:
            self._may_be_interrupted = False
            raise EndRequested

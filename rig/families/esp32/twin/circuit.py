"""The two transistors between a serial bridge's DTR and RTS and an ESP32's GPIO0 and EN, and the capacitor at EN.

Sans I/O. Facts: esptool's reset.py, boot-mode-selection.rst.
"""

from __future__ import annotations

import math
from collections.abc import Callable

#: From the end of EN's being pulled low until the chip starts. It must be longer than two edges that a network brings
#: one after the other lie apart; nothing scales it.
RELEASE_SECONDS = 0.12


class ResetCircuit:
    """DTR and RTS in (True is asserted), EN and GPIO0 out; `on_change` is called when an output has changed.

    One line alone pulls: RTS pulls EN, DTR pulls GPIO0. Both together, or none, pull nothing.
    """

    def __init__(self, release_seconds: float = RELEASE_SECONDS):
        self.dtr = self.rts = False
        self.en_low = self.gpio0_low = False
        self.on_change: Callable[[], None] = lambda: None
        self._release_seconds = release_seconds
        self._released_at = math.inf

    def set(self, dtr: bool, rts: bool, now: float) -> None:
        """Both lines are so from `now` on."""
        self.advance(now)
        self.dtr, self.rts = dtr, rts
        pulls_en = rts and not dtr
        if pulls_en:
            self._released_at = math.inf
        elif self.en_low and self._released_at == math.inf:
            self._released_at = now + self._release_seconds
        self._show(self.en_low or pulls_en, dtr and not rts)

    def due(self) -> float:
        """When EN is high again; infinity when nothing is to come."""
        return self._released_at

    def advance(self, now: float) -> None:
        """Let EN rise when it is time."""
        if self._released_at <= now:
            self._released_at = math.inf
            self._show(False, self.gpio0_low)

    def _show(self, en_low: bool, gpio0_low: bool) -> None:
        if (en_low, gpio0_low) != (self.en_low, self.gpio0_low):
            self.en_low, self.gpio0_low = en_low, gpio0_low
            self.on_change()

"""A Core's USB serial port as programs see it: bytes both ways while one of them has it open."""

from __future__ import annotations

from collections.abc import Callable

#: What waits for a console that is looked at four times a second: more stays with whoever types.
MOST_TYPED = 4096


class Console:
    """Bytes both ways; it exists only while a program has it open."""

    def __init__(self) -> None:
        self.open = False
        self.received = bytearray()
        self.on_output: Callable[[bytes], None] = lambda _data: None
        self.on_change: Callable[[], None] = lambda: None

    @property
    def full(self) -> bool:
        """Whether whoever carries the bytes must wait."""
        return len(self.received) >= MOST_TYPED

    def show(self, opened: bool) -> None:
        """Let it appear, or vanish."""
        if opened != self.open:
            self.open = opened
            self.received.clear()
            self.on_change()

    def say(self, data: bytes) -> None:
        """Write; nobody may be listening."""
        if self.open:
            self.on_output(data)

    def happened(self, data: bytes) -> None:
        """Something was typed."""
        if self.open:
            self.received += data

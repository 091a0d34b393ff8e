"""The line from an ESP32's UART to its bridge: what the chip sends comes at the line's rate, and not at once.

Else a client that negotiates its port anew finds its answer behind all that was sent ahead, and gives up on a machine
that has much to do. Sans I/O: whoever owns it tells the time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

#: A start bit, eight of data, a stop bit.
FRAME_BITS = 10
#: No timer is finer: what comes within it comes now.
GRAIN_SECONDS = 0.001
#: What the line is taken for where the chip's rate is lower. At 115200 baud, which many tools never leave, 4 MB would
#: take six minutes; at the highest rate that bridges are used with, a quarter of one.
LEAST_RATE = 3_000_000
#: A program does not wait for the line, as a real one does. One that is so far ahead has the rest sent at once.
MOST_AHEAD = 64 * 1024


class Line:
    """Takes what is sent and gives it to `say`, with the chip's rate in baud when it was sent."""

    def __init__(self, say: Callable[[bytes, int], None], now: Callable[[], float], least_rate: int = LEAST_RATE):
        """`now` tells the model's time in seconds; the line is no slower than `least_rate` baud."""
        self._say, self._now, self._least_rate = say, now, least_rate
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._ahead = 0
        #: From when on the line carries the first byte that waits.
        self._free_at = 0.0

    def send(self, data: bytes, rate: int) -> None:
        """The chip sends at `rate` baud."""
        if not data:
            return
        now = self._now()
        if not self._waiting:
            self._free_at = max(self._free_at, now)
        self._waiting.append((data, rate))
        self._ahead += len(data)
        while self._ahead > MOST_AHEAD:
            self._free_at = now
            self._carry(len(self._waiting[0][0]))
        self.advance(now)

    def cut(self) -> None:
        """The chip stands still: what has not gone out will not."""
        self._waiting.clear()
        self._ahead = 0

    def due(self) -> float:
        """When the next bytes come; infinity when none wait."""
        if not self._waiting:
            return math.inf
        return self._free_at + max(self._seconds(self._waiting[0][1]) - GRAIN_SECONDS, 0)

    def advance(self, now: float) -> None:
        """Hand on what has come by `now`."""
        while self.due() <= now:
            data, rate = self._waiting[0]
            come = int((now + GRAIN_SECONDS - self._free_at) / self._seconds(rate))
            self._free_at += self._seconds(rate) * self._carry(min(max(come, 1), len(data)))

    def _carry(self, count: int) -> int:
        data, rate = self._waiting.popleft()
        if rest := data[count:]:
            self._waiting.appendleft((rest, rate))
        self._ahead -= count
        self._say(data[:count], rate)
        return count

    def _seconds(self, rate: int) -> float:
        """How long a byte takes."""
        return FRAME_BITS / max(rate, self._least_rate, 1)

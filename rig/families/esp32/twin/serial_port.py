"""A USB bridge's serial port on two TCP ports: plain bytes (`socket://`), and RFC 2217 with DTR, RTS and the rate.

Clients may be many, as with ser2net: the lines and the rate are the bridge's, and whoever sets one last has set it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rig.families.esp32.twin.rfc2217 import Lines, Rfc2217Client
from rig.ports import taking
from rig.twin.listening_port import Client, ListeningPort

#: Rates closer than this are read right: a frame of ten bits is then less than half a bit off at its end.
TOLERANCE = 0.03
_FRAME_BITS = 10


class SerialPort:
    """Carries bytes between clients and the chip: `received` gets what they send, `say` is what the line brings.

    `lines` is called with DTR and RTS (True is asserted) at every edge, `baud` tells the chip's rate, `full` whether it
    has no room for more. Where clients told another rate by RFC 2217, bytes are misread both ways.
    """

    def __init__(
        self,
        received: Callable[[bytes], None],
        lines: Callable[[bool, bool], None],
        baud: Callable[[], int],
        full: Callable[[], bool],
    ):
        self._received, self._baud = received, baud
        self.lines = Lines(lines)
        self._plain = ListeningPort(lambda port: Client(port, received), full)
        self._rfc2217 = ListeningPort(self._remote, full)

    def hold(self, host: str, plain: int, rfc2217: int) -> tuple[int, int]:
        """Take both ports without listening yet; returns them. Raises LabFault."""
        with taking(host, plain):
            plain = self._plain.hold(host, plain)
        with taking(host, rfc2217):
            return plain, self._rfc2217.hold(host, rfc2217)

    def show(self, there: bool) -> None:
        """Listen from now on; or hang up and refuse, as when the bridge has lost its supply."""
        self._plain.show(there)
        self._rfc2217.show(there)
        if not there:
            self.lines.drop()

    def say(self, data: bytes, rate: int) -> None:
        """Send what the chip sends at `rate` baud to whoever is there; one that does not read loses it."""
        self._plain.say(data)
        rate_of_client = self.lines.rate
        self._rfc2217.say(misread(data, rate, rate_of_client) if rate_of_client is not None else data)

    def resume(self) -> None:
        """The chip may have room again: listen on."""
        self._plain.resume()
        self._rfc2217.resume()

    async def settled(self) -> None:
        """Wait until the last `show` has been carried out."""
        await asyncio.gather(self._plain.settled(), self._rfc2217.settled())

    def close(self) -> None:
        """Let go of both ports."""
        self._plain.close()
        self._rfc2217.close()

    def _remote(self, port: ListeningPort) -> Client:
        return Rfc2217Client(port, self._from_remote, self.lines)

    def _from_remote(self, data: bytes) -> None:
        rate_of_client = self.lines.rate
        self._received(misread(data, rate_of_client, self._baud()) if rate_of_client is not None else data)


def misread(data: bytes, sent_at: int, read_at: int) -> bytes:
    """`data`, sent with 8 data bits, no parity and one stop bit, as a receiver at `read_at` baud gets it.

    Every frame counts, whatever its stop bit says.
    """
    if abs(sent_at - read_at) <= TOLERANCE * read_at:
        return data
    line = [bit for byte in data for bit in (0, *(byte >> n & 1 for n in range(8)), 1)]
    step = sent_at / read_at
    out, at = bytearray(), 0.0
    while True:
        while int(at) < len(line) and line[int(at)]:
            at += 1
        if int(at) >= len(line):
            return bytes(out)
        begin = int(at)
        sampled = (begin + (n + 1.5) * step for n in range(8))
        out.append(sum((line[int(x)] if int(x) < len(line) else 1) << n for n, x in enumerate(sampled)))
        at = max(begin + 1, begin + (_FRAME_BITS - 0.5) * step)

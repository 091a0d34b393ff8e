"""The TCP port of a pinboard: lines that go there and come back, and the labgrid driver that knows where it is."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import attr
from labgrid import target_factory
from labgrid.driver.common import Driver

from pinboard.formats import SECTOR
from rig.errors import DeviceFault, NoAnswer, Unreachable

#: How long a board takes for an answer with the flash work before it, and its terminal server for a connection.
ANSWER_SECONDS, CONNECT_SECONDS = 2.0, 5.0
#: How long one listens for what was said before.
DRAIN_SECONDS = 0.01


class Wire:
    """A connection that is made when it is first used, and made again when it was lost."""

    def __init__(self, host: str, port: int, *, board: str):
        self._address, self._board = (host, port), board
        self._socket: socket.socket | None = None
        self._heard = b""

    def send(self, line: str) -> None:
        """Send a line; without power nobody hears it. Raises Unreachable where nobody serves the port."""
        try:
            self._connected().sendall(line.encode() + b"\n")
        except OSError as error:
            raise self._lost(error) from error

    def line(self, seconds: float) -> str | None:
        """The next line that comes within `seconds`; None for none. Raises Unreachable where nobody serves the port."""
        until = time.monotonic() + seconds
        while b"\n" not in self._heard:
            connection = self._connected()
            try:
                connection.settimeout(max(until - time.monotonic(), 0.001))
                heard = connection.recv(4 * SECTOR)
            except TimeoutError:
                return None
            except OSError as error:
                raise self._lost(error) from error
            if not heard:
                raise self._lost("it hung up")
            self._heard += heard
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode("ascii", "replace")

    def lines(self, seconds: float) -> Iterator[str]:
        """All that comes within `seconds`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and (said := self.line(left)) is not None:
            yield said

    def ask(self, line: str, answer: str, seconds: float = ANSWER_SECONDS) -> str:
        """Send a line; what comes behind the words of its `answer`. Raises as `expect` does."""
        self.send(line)
        return self.expect(answer, seconds)

    def expect(self, answer: str, seconds: float = ANSWER_SECONDS) -> str:
        """What comes behind these words; what else the board says is not heard.

        Raises NoAnswer where nothing comes within `seconds`, DeviceFault where the board refuses.
        """
        for said in self.lines(seconds):
            if said == "error":
                raise DeviceFault(f"it refuses, and does not say {answer!r}", board=self._board)
            if said.startswith(answer):
                return said.removeprefix(answer).strip()
        raise NoAnswer(f"its port never says {answer!r}", board=self._board)

    def forget(self) -> None:
        """Throw away what has come and was not read."""
        with contextlib.suppress(Unreachable):
            list(self.lines(DRAIN_SECONDS))
        self._heard = b""

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._heard = b""
            self._socket = socket.create_connection(self._address, timeout=CONNECT_SECONDS)
        return self._socket

    def _lost(self, why: object) -> Unreachable:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        return Unreachable(f"its port does not answer: {why}", board=self._board, hint="is its terminal server alive?")


@target_factory.reg_driver
@attr.s(eq=False)
class PinboardDriver(Driver):  # type: ignore[misc]
    """The port of the board in a place."""

    bindings = {"port": "NetworkService"}  # noqa: RUF012 (labgrid's convention)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def wire(self, board: str) -> Wire:
        """A connection of its own."""
        return Wire(self.port.address, self.port.port, board=board)

"""A Modbus TCP server for coils: reading them, writing one or several; anything else is refused by its exception.

By MODBUS Application Protocol V1.1b3 (§6.1, §6.5, §6.11) and Messaging on TCP/IP V1.0b; nothing is guessed from a
request that is not as they have it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from rig.limits import MODBUS, Limits
from rig.listener import IdlePeerTimeout, Listener

log = logging.getLogger(__name__)

READ_COILS, WRITE_COIL, WRITE_COILS = 1, 5, 15
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
#: What a coil is told to be; no other value is one.
COIL_VALUES = {0x0000: False, 0xFF00: True}
MOST_READ, MOST_WRITTEN = 2000, 1968
_HEADER = struct.Struct(">HHHB")


class Coils(Protocol):
    """What is behind the server."""

    def read(self) -> Sequence[bool]:
        """All coils."""

    def write(self, address: int, values: Sequence[bool]) -> None:
        """Set those from `address` on, which are there; returns at once."""


class Refused(Exception):
    """A request that is answered with an exception code."""

    def __init__(self, code: int):
        super().__init__(f"exception {code}")
        self.code = code


def answer(request: bytes, coils: Coils) -> bytes:
    """The answer to a request, both without their headers."""
    function = request[0]
    try:
        return bytes([function]) + _FUNCTIONS.get(function, _unknown)(request[1:], coils)
    except Refused as error:
        return bytes([function | 0x80, error.code])


def _unknown(_body: bytes, _coils: Coils) -> bytes:
    raise Refused(ILLEGAL_FUNCTION)


def _read_coils(body: bytes, coils: Coils) -> bytes:
    address, count = _two_words(body)
    if not 1 <= count <= MOST_READ:
        raise Refused(ILLEGAL_VALUE)
    states = coils.read()
    _check_there(address, count, states)
    bits = sum(closed << at for at, closed in enumerate(states[address : address + count]))
    size = (count + 7) // 8
    return bytes([size]) + bits.to_bytes(size, "little")


def _write_coil(body: bytes, coils: Coils) -> bytes:
    address, value = _two_words(body)
    if value not in COIL_VALUES:
        raise Refused(ILLEGAL_VALUE)
    _check_there(address, 1, coils.read())
    coils.write(address, [COIL_VALUES[value]])
    return body


def _write_coils(body: bytes, coils: Coils) -> bytes:
    if len(body) < 5:
        raise Refused(ILLEGAL_VALUE)
    address, count, size = struct.unpack_from(">HHB", body)
    if not 1 <= count <= MOST_WRITTEN or size != (count + 7) // 8 or len(body) != 5 + size:
        raise Refused(ILLEGAL_VALUE)
    _check_there(address, count, coils.read())
    bits = int.from_bytes(body[5:], "little")
    coils.write(address, [bool(bits >> at & 1) for at in range(count)])
    return body[:4]


_FUNCTIONS: dict[int, Callable[[bytes, Coils], bytes]] = {
    READ_COILS: _read_coils,
    WRITE_COIL: _write_coil,
    WRITE_COILS: _write_coils,
}


def _two_words(body: bytes) -> tuple[int, int]:
    if len(body) != 4:
        raise Refused(ILLEGAL_VALUE)
    first, second = struct.unpack(">HH", body)
    return first, second


def _check_there(address: int, count: int, states: Sequence[bool]) -> None:
    if address + count > len(states):
        raise Refused(ILLEGAL_ADDRESS)


class ModbusServer:
    """Serves `coils` on one port; those of one connection are written in the order they came."""

    def __init__(self, coils: Coils, limits: Limits = MODBUS):
        self.coils, self.limits = coils, limits
        self.connections: set[_Connection] = set()
        self._listener: Listener | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._listener = Listener(lambda: _Connection(self), self.limits)
        self.limits = self._listener.limits
        return await self._listener.start(host, port)

    def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.transport.abort()


class _Connection(asyncio.BufferedProtocol):
    """One client: what is no Modbus ends it."""

    transport: asyncio.Transport

    def __init__(self, server: ModbusServer):
        self._server = server
        #: A few requests at a time: others have their turn in between.
        self._incoming = memoryview(bytearray(server.limits.message))
        self._came = bytearray()
        #: Whether it leaves our answers unread: nothing more is answered until it reads.
        self._reads = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=self._server.limits.unread)
        self._idle_timeout = IdlePeerTimeout(transport, self._server.limits.idle)
        self._server.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._idle_timeout.is_known()
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        self._reads = False
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._reads = True
        self.transport.resume_reading()
        self._answer_all()

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._incoming

    def buffer_updated(self, nbytes: int) -> None:
        self._came += self._incoming[:nbytes]
        self._answer_all()

    def _answer_all(self) -> None:
        """Answer what is whole, as long as the answers are read."""
        try:
            while self._reads and (request := self._next()) is not None:
                number, unit, pdu = request
                self._idle_timeout.is_known()
                reply = answer(pdu, self._server.coils)
                self.transport.write(_HEADER.pack(number, 0, len(reply) + 1, unit) + reply)
        except BaseException:
            self.transport.abort()  # it would wait for ever
            raise

    def _next(self) -> tuple[int, int, bytes] | None:
        """Number, unit and request of the next frame that is whole; what is no Modbus ends the connection."""
        if self.transport.is_closing() or len(self._came) < _HEADER.size:
            return None
        number, protocol, length, unit = _HEADER.unpack_from(self._came)
        size = _HEADER.size - 1 + length
        if protocol or length < 2 or size > self._server.limits.message:
            log.info("%s speaks no Modbus", self.transport.get_extra_info("peername"))
            self.transport.abort()
            return None
        if len(self._came) < size:
            return None
        request = bytes(self._came[_HEADER.size : size])
        del self._came[:size]
        return number, unit, request

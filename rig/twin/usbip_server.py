"""A USB/IP server for one twin: any importer, the Linux kernel's included, finds the board's USB device here.

When the board detaches or loses power the importer's connection closes at once and DEVLIST is empty: silence, as when
a plug is pulled. What a hostile peer sends ends its own connection and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from rig.formats import usbip
from rig.formats.usb import Setup
from rig.limits import USBIP, Limits
from rig.listener import IdlePeerTimeout, Listener

log = logging.getLogger(__name__)

BUSID = "1-1"
BUS, DEVICE = 1, 2
#: Transfers that wait, and the bytes of those that wait for a device at work.
MOST_PENDING, MOST_WAITING = 256, 256 * 1024


class UsbPort(Protocol):
    """What the server serves: the device that is attached now, if any."""

    @property
    def descriptors(self) -> tuple[bytes, bytes] | None:
        """Device and configuration descriptor, None while nothing is attached."""

    @property
    def busy(self) -> bool:
        """Whether the device cannot answer yet: requests wait."""

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer a control transfer; None stalls."""

    def acknowledged(self) -> None:
        """The answer has left for the host: the work of its status stage may begin."""


def describe(device: bytes, configuration: bytes, selected: int) -> usbip.ExportedDevice:
    """What DEVLIST says of a device, read from its descriptors; alternate settings count once each interface."""
    interfaces = []
    at = 0
    while at + 2 <= len(configuration) and configuration[at]:
        if configuration[at + 1] == 4 and configuration[at + 3] == 0:
            interfaces.append((configuration[at + 5], configuration[at + 6], configuration[at + 7]))
        at += configuration[at]
    vendor, product, release = struct.unpack_from("<HHH", device, 8)
    triple = (device[4], device[5], device[6])
    return usbip.ExportedDevice(
        BUSID, BUS, DEVICE, usbip.SPEED_FULL, vendor, product, release, triple, selected, device[17], tuple(interfaces)
    )


class UsbipServer:
    """Serves one port of USB; `detached` is called whenever the device is gone, `idle` whenever it can answer again."""

    def __init__(self, port: UsbPort, limits: Limits = USBIP):
        self.port, self.limits = port, limits
        self.importer: _Connection | None = None
        self._listener: Listener | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._listener = Listener(lambda: _Connection(self), self.limits)
        self.limits = self._listener.limits
        return await self._listener.start(host, port)

    def detached(self) -> None:
        """The device is gone or is another one now: its importer's connection closes at once."""
        if self.importer is not None:
            self.importer.close()

    def idle(self) -> None:
        """The device can answer again: serve what waits."""
        if self.importer is not None:
            self.importer.serve_waiting()

    def close(self) -> None:
        """Stop listening and drop the importer."""
        self.detached()
        if self._listener is not None:
            self._listener.close()


class _Connection(asyncio.BufferedProtocol):
    """One peer: first operations, then, after an import, transfers."""

    def __init__(self, server: UsbipServer):
        self._server = server
        self._incoming = memoryview(bytearray(usbip.MAX_TRANSFER))
        self._buffer = bytearray()
        self._read: Callable[[], bool] = self._read_operation
        self._waiting: deque[tuple[usbip.Submit, bytes]] = deque()
        self._parked: dict[int, usbip.Submit] = {}
        #: Whether it leaves our answers unread: nothing more is answered until it reads.
        self._reads = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=self._server.limits.unread)
        self._idle_timeout = IdlePeerTimeout(self._transport, self._server.limits.idle)

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle_timeout.is_known()
        self._waiting.clear()
        if self._server.importer is self:
            self._server.importer = None

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._incoming

    def buffer_updated(self, nbytes: int) -> None:
        self._buffer += self._incoming[:nbytes]
        self._go_on()

    def pause_writing(self) -> None:
        self._reads = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._reads = True
        self._transport.resume_reading()
        self.serve_waiting()
        self._go_on()

    def _go_on(self) -> None:
        """Do what was asked, as long as the answers are read."""
        try:
            while self._reads and not self._transport.is_closing() and self._read():
                pass
        except usbip.ProtocolError as error:
            log.warning("USB/IP peer %s dropped: %s", self._transport.get_extra_info("peername"), error)
            self.close()

    def close(self) -> None:
        """End this connection now; whatever it waits for is forgotten."""
        if self._server.importer is self:
            self._server.importer = None
        self._waiting.clear()
        self._transport.abort()

    # -- before an import --------------------------------------------------------------------------------------------

    def _read_operation(self) -> bool:
        if len(self._buffer) < usbip.OP_SIZE:
            return False
        code, _status = usbip.unpack_op(bytes(self._buffer[: usbip.OP_SIZE]))
        if code == usbip.REQ_DEVLIST:
            del self._buffer[: usbip.OP_SIZE]
            self._transport.write(self._devlist())
            self._transport.close()
            return False
        if code != usbip.REQ_IMPORT:
            raise usbip.ProtocolError(f"operation {code:#06x} is neither a device list nor an import")
        if len(self._buffer) < usbip.OP_SIZE + usbip.BUSID_SIZE:
            return False
        busid = bytes(self._buffer[usbip.OP_SIZE :][: usbip.BUSID_SIZE]).split(b"\0")[0]
        del self._buffer[: usbip.OP_SIZE + usbip.BUSID_SIZE]
        self._import(busid)
        return True

    def _devlist(self) -> bytes:
        descriptors = self._server.port.descriptors
        if descriptors is None:
            return usbip.op(usbip.REP_DEVLIST) + struct.pack(">I", 0)
        device = describe(*descriptors, selected=1)
        return usbip.op(usbip.REP_DEVLIST) + struct.pack(">I", 1) + device.pack() + device.pack_interfaces()

    def _import(self, busid: bytes) -> None:
        descriptors = self._server.port.descriptors
        if busid != BUSID.encode() or descriptors is None or self._server.importer is not None:
            self._transport.write(usbip.op(usbip.REP_IMPORT, usbip.STATUS_ERROR))
            self._transport.close()
            return
        self._server.importer = self
        self._idle_timeout.is_known()
        self._read = self._read_command
        self._transport.write(usbip.op(usbip.REP_IMPORT) + describe(*descriptors, selected=0).pack())

    # -- after an import ---------------------------------------------------------------------------------------------

    def _read_command(self) -> bool:
        if len(self._buffer) < usbip.HEADER_SIZE:
            return False
        command = usbip.unpack_command(bytes(self._buffer[: usbip.HEADER_SIZE]))
        if isinstance(command, usbip.Unlink):
            del self._buffer[: usbip.HEADER_SIZE]
            self._unlink(command)
            return True
        size = usbip.HEADER_SIZE + (0 if command.to_host else command.length)
        if len(self._buffer) < size:
            return False
        data = bytes(self._buffer[usbip.HEADER_SIZE : size])
        del self._buffer[:size]
        if len(self._waiting) + len(self._parked) >= MOST_PENDING:
            raise usbip.ProtocolError(f"{MOST_PENDING} transfers are pending already")
        if sum(len(each) for _, each in self._waiting) + len(data) > MOST_WAITING:
            raise usbip.ProtocolError(f"{MOST_WAITING} bytes are pending already")
        if command.ep != 0:
            self._submit_to_endpoint(command)
        elif self._waiting or not self._reads or self._server.port.busy:
            self._waiting.append((command, data))
        else:
            self._answer(command, data)
        return True

    def serve_waiting(self) -> None:
        """Answer what waited for the device, until it is busy again."""
        while self._waiting and self._reads and not self._server.port.busy and self._server.importer is self:
            self._answer(*self._waiting.popleft())

    def _answer(self, command: usbip.Submit, data: bytes) -> None:
        setup = Setup.unpack(command.setup)
        reply = self._server.port.control(setup, data)
        if reply is None:
            self._transport.write(usbip.ret_submit(command.seqnum, usbip.STALL, 0))
        elif command.to_host:
            reply = reply[: command.length]
            self._transport.write(usbip.ret_submit(command.seqnum, 0, len(reply), reply))
        else:
            self._transport.write(usbip.ret_submit(command.seqnum, 0, len(data)))
        self._server.port.acknowledged()

    def _submit_to_endpoint(self, command: usbip.Submit) -> None:
        if command.to_host:
            self._parked[command.seqnum] = command
        else:
            self._transport.write(usbip.ret_submit(command.seqnum, 0, command.length))

    def _unlink(self, command: usbip.Unlink) -> None:
        pending = self._parked.pop(command.victim, None) is not None
        for entry in self._waiting:
            if entry[0].seqnum == command.victim:
                self._waiting.remove(entry)
                pending = True
                break
        status = usbip.CONNECTION_RESET if pending else 0
        self._transport.write(usbip.ret_unlink(command.seqnum, status))

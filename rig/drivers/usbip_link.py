"""A USB/IP client for one device: list, import, control transfers, unlink on time-out.

Errors are OSErrors with the numbers libusb's users know: 32 stall, 16 busy, 110 time-out, 19 gone.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time

from rig.formats import usbip
from rig.formats.usb import Setup

CONNECT_SECONDS = 3.0


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _connect(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class _Reader:
    """Exactly as many bytes as asked for, in as few calls as possible and by one deadline (monotonic seconds)."""

    def __init__(self, sock: socket.socket):
        self._sock = sock
        self._buffer = b""

    def take(self, size: int, deadline: float) -> bytes:
        """`size` bytes. Raises OSError: errno 19 when the peer closes first (the plug was pulled), TimeoutError."""
        while len(self._buffer) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            part = self._sock.recv(usbip.MAX_TRANSFER)
            if not part:
                raise _error(errno.ENODEV)
            self._buffer = self._buffer + part if self._buffer else part
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


def list_devices(host: str, port: int) -> list[usbip.ExportedDevice]:
    """What a server exports now. Raises OSError, and ProtocolError for a peer that is no USB/IP server."""
    with _connect(host, port) as sock:
        reader, deadline = _Reader(sock), time.monotonic() + CONNECT_SECONDS
        sock.sendall(usbip.op(usbip.REQ_DEVLIST))
        code, status = usbip.unpack_op(reader.take(usbip.OP_SIZE, deadline))
        if code != usbip.REP_DEVLIST or status != usbip.STATUS_OK:
            raise usbip.ProtocolError(f"device list answered with {code:#06x}, status {status}")
        devices = []
        for _ in range(struct.unpack(">I", reader.take(4, deadline))[0]):
            device, interfaces = usbip.ExportedDevice.unpack(reader.take(usbip.DEVICE_SIZE, deadline))
            triples = struct.iter_unpack("3Bx", reader.take(4 * interfaces, deadline))
            devices.append(device._replace(interfaces=tuple(triples)))
        return devices


class UsbipLink:
    """One imported device. Not for two threads at once."""

    def __init__(self, host: str, port: int, busid: str):
        """Import `busid`. Raises OSError: errno 16 when somebody else has it, 19 when it is not there."""
        self._sock = _connect(host, port)
        self._reader = _Reader(self._sock)
        self._seqnum = 0
        deadline = time.monotonic() + CONNECT_SECONDS
        try:
            self._sock.sendall(usbip.op(usbip.REQ_IMPORT) + busid.encode().ljust(usbip.BUSID_SIZE, b"\0"))
            code, status = usbip.unpack_op(self._reader.take(usbip.OP_SIZE, deadline))
            if code != usbip.REP_IMPORT:
                raise usbip.ProtocolError(f"import answered with {code:#06x}")
            if status != usbip.STATUS_OK:
                listed = any(device.busid == busid for device in list_devices(host, port))
                raise _error(errno.EBUSY if listed else errno.ENODEV)
            self.device, _ = usbip.ExportedDevice.unpack(self._reader.take(usbip.DEVICE_SIZE, deadline))
        except BaseException:
            self._sock.close()
            raise
        self._devid = self.device.bus << 16 | self.device.device

    def control(self, setup: Setup, data: bytes = b"", seconds: float = 1.0) -> bytes:
        """One control transfer: the bytes of its IN data stage. Raises OSError (32, 110, 19), ProtocolError."""
        self._seqnum += 1
        submit = usbip.Submit(self._seqnum, self._devid, setup.device_to_host, 0, setup.length, setup.pack())
        deadline = time.monotonic() + seconds
        try:
            self._sock.sendall(submit.pack() + data)
            reply, incoming = self._answer(submit, deadline)
        except TimeoutError:
            self._unlink(submit)
            raise _error(errno.ETIMEDOUT) from None
        except ConnectionError:
            raise _error(errno.ENODEV) from None
        if reply.status:
            raise _error(-reply.status if reply.status < 0 else errno.EIO)
        return incoming

    def _answer(self, submit: usbip.Submit, deadline: float) -> tuple[usbip.Reply, bytes]:
        """The reply to `submit`, and the data behind it; only an IN transfer has any."""
        reply = usbip.unpack_reply(self._reader.take(usbip.HEADER_SIZE, deadline))
        if reply.seqnum != submit.seqnum:
            raise usbip.ProtocolError(f"reply to {reply.seqnum}, which nobody waits for")
        if reply.actual > submit.length:
            raise usbip.ProtocolError(f"{reply.actual} bytes came where {submit.length} were asked for")
        return reply, self._reader.take(reply.actual, deadline) if submit.to_host else b""

    def _unlink(self, victim: usbip.Submit) -> None:
        """Take a transfer back; its answer may still come first, and is thrown away."""
        self._seqnum += 1
        deadline = time.monotonic() + CONNECT_SECONDS
        try:
            self._sock.settimeout(CONNECT_SECONDS)
            self._sock.sendall(usbip.Unlink(self._seqnum, self._devid, victim.seqnum).pack())
            while True:
                reply = usbip.unpack_reply(self._reader.take(usbip.HEADER_SIZE, deadline))
                if reply.seqnum == self._seqnum:
                    return
                if reply.code == usbip.RET_SUBMIT and victim.to_host:
                    self._reader.take(min(reply.actual, victim.length), deadline)
        except OSError:
            raise _error(errno.ENODEV) from None

    def close(self) -> None:
        """Give the device back and wait until the server knows, so that the next import finds it free."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + CONNECT_SECONDS
            self._sock.settimeout(CONNECT_SECONDS)
            while self._sock.recv(4096) and time.monotonic() < deadline:
                pass
        except OSError:
            pass
        finally:
            self._sock.close()

"""A USB/IP host as labs have them: a Core that is forwarded to its twin, neighbours that are odd, a plug to pull."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rig.drivers.usbip_link import UsbipLink
from rig.formats import usbip
from rig.formats.usb import Setup, string_descriptor
from tests.rig.waiting import HANGS

LAYOUT = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg"
SERIAL = "377A35543237"
VENDOR, PRODUCT = 0x0483, 0xDF11
CORE_SERIAL = "8D81306E5055"


def interface(number=0, alternate=0, protocol=2, name=4, kind=(0xFE, 1)) -> bytes:
    return bytes([9, 4, number, alternate, 0, *kind, protocol, name])


@dataclass
class Neighbour:
    """A device in DFU mode on bus id 1-2. `strings` are whole descriptors by their number; None stalls."""

    interfaces: list[bytes] = field(default_factory=lambda: [interface()])
    strings: dict[int, bytes | None] = field(default_factory=dict)
    serial: int = 3
    configurations: int = 1
    busy: bool = False
    stalls: tuple[int, ...] = ()
    #: Requests it got that were more than looking: class requests.
    disturbed: list[Setup] = field(default_factory=list)

    def __post_init__(self):
        told = {0: b"\x04\x03\x09\x04", 3: string_descriptor(SERIAL), 4: string_descriptor(LAYOUT)}
        self.strings = {**told, **self.strings}

    @property
    def listed(self) -> usbip.ExportedDevice:
        triples = tuple(tuple(piece.ljust(9, b"\0")[5:8]) for piece in self.interfaces if not piece[3])
        return usbip.ExportedDevice("1-2", 1, 3, 2, VENDOR, PRODUCT, 0x2200, (0, 0, 0), 1, 1, triples)

    def control(self, setup: Setup) -> bytes | None:
        """What it answers; None stalls."""
        if setup.request in self.stalls:
            return None
        if setup.request_type & 0x60:
            self.disturbed.append(setup)
            return {3: bytes([0, 0, 0, 0, 2, 0]), 2: bytes(setup.length)}.get(setup.request, b"")
        if setup.request != 6:
            return b"\x01"
        kind, number = setup.value >> 8, setup.value & 0xFF
        if kind == 1:
            return struct.pack("<BBH4B3H4B", 18, 1, 0x200, 0, 0, 0, 64, VENDOR, PRODUCT, 0x2200, 1, 2,
                               self.serial, self.configurations)  # fmt: skip
        if kind == 2 and 22 not in self.stalls:
            body = b"".join(self.interfaces)
            count = len({piece[2] for piece in self.interfaces})
            return struct.pack("<BBH5B", 9, 2, 9 + len(body), count, 1, 0, 0xC0, 50) + body
        return self.strings.get(number) if kind == 3 else None


@dataclass
class Plug:
    """Pulled at the status that follows a leave, unless `passes` is false even before the board hears of it."""

    pulled: Callable[[], None] = lambda: None
    passes: bool = True

    def is_pulled_at(self, setup: Setup, left: bool) -> bool:
        return left and setup[:2] == (0xA1, 3)


class _Guest(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError, usbip.ProtocolError):
            self._serve()

    def _serve(self) -> None:
        host: _Server = self.server
        code, _ = usbip.unpack_op(self._take(8))
        if code == usbip.REQ_DEVLIST:
            devices = [*host.core_list(), *(neighbour.listed for neighbour in host.neighbours)]
            told = b"".join(device.pack() + device.pack_interfaces() for device in devices)
            self.request.sendall(usbip.op(usbip.REP_DEVLIST) + struct.pack(">I", len(devices)) + told)
            return
        busid = self._take(32).rstrip(b"\0").decode()
        if busid == "1-1":
            link = UsbipLink(*host.core, busid)
            try:
                self._import(link.device, lambda setup, data: _of_core(link, setup, data))
            finally:
                link.close()
            return
        (neighbour,) = host.neighbours
        if neighbour.busy:
            self.request.sendall(usbip.op(usbip.REP_IMPORT, 1))
            return
        self._import(neighbour.listed, lambda setup, _data: neighbour.control(setup))

    def _import(self, device: usbip.ExportedDevice, control: Callable[[Setup, bytes], bytes | None]) -> None:
        self.request.sendall(usbip.op(usbip.REP_IMPORT) + device.pack())
        plug, left = self.server.plug, False
        while True:
            command = usbip.unpack_command(self._take(48))
            setup = Setup.unpack(command.setup)
            data = b"" if command.to_host else self._take(command.length)
            if plug is not None and plug.is_pulled_at(setup, left):
                if plug.passes:
                    control(setup, data)
                plug.pulled()
                return
            left = left or (setup[:2] == (0x21, 1) and not setup.length)
            answer = control(setup, data)
            status, answer = (usbip.STALL, b"") if answer is None else (0, answer[: setup.length])
            actual = len(answer) if command.to_host else command.length
            told = answer if command.to_host else b""
            self.request.sendall(usbip.ret_submit(command.seqnum, status, actual, told))

    def _take(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            part = self.request.recv(size - len(taken))
            if not part:
                raise ConnectionResetError
            taken += part
        return taken


def _of_core(link: UsbipLink, setup: Setup, data: bytes) -> bytes | None:
    try:
        return link.control(setup, data)
    except BrokenPipeError:
        return None


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, core, neighbours, plug):
        super().__init__(("127.0.0.1", 0), _Guest)
        self.core, self.neighbours, self.plug = core, neighbours, plug

    def core_list(self) -> list[usbip.ExportedDevice]:
        from rig.drivers.usbip_link import list_devices

        return list_devices(*self.core) if self.core is not None else []


@contextmanager
def usbip_host(core=None, *neighbours: Neighbour, plug: Plug | None = None) -> Iterator[int]:
    """Serve a Core (of models.served_core) and its neighbours; yields the port."""
    address = (core.host, core.usbip_port) if core is not None else None
    with _Server(address, neighbours, plug) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(HANGS)


def _descriptor(text: bytes, said: int | None = None, kind: int = 3) -> bytes:
    return bytes([2 + len(text) if said is None else said, kind]) + text


_UTF16 = LAYOUT.encode("utf-16-le")
#: A neighbour by what is odd about it, and how the list tells that: its serial number, and why it cannot be driven.
ODD: dict[str, tuple[Callable[[], Neighbour], str | None, str | None]] = {
    "nothing": (Neighbour, SERIAL, None),
    "plain DFU": (lambda: Neighbour(strings={4: string_descriptor("Firmware")}), SERIAL, "no DfuSe memory"),
    "characters behind its layout": (
        lambda: Neighbour(strings={4: string_descriptor(LAYOUT + "\ucc10\u01a8\u2e79")}), SERIAL, None,
    ),
    "strings that stall": (
        lambda: Neighbour(strings=dict.fromkeys(range(5))), None, "cannot be read",
    ),
    "no table of languages": (lambda: Neighbour(strings={0: None}), SERIAL, None),
    "no serial number": (lambda: Neighbour(serial=0), None, None),
    "interface 1 of two": (
        lambda: Neighbour([interface(0, kind=(0xFF, 0), name=0), interface(1)]), SERIAL, None,
    ),
    "several settings": (
        lambda: Neighbour([interface(0, 0), interface(0, 1, name=5), interface(0, 3, name=6)],
                          {5: string_descriptor("@Option Bytes  /0x1FFFC000/01*016 e"), 6: None}), SERIAL, None,
    ),
    "firmware that runs": (lambda: Neighbour([interface(protocol=1)]), SERIAL, "not in DFU mode"),
    "protocol 0": (lambda: Neighbour([interface(protocol=0)]), SERIAL, "protocol 0"),
    "strings of an odd length": (
        lambda: Neighbour(strings={3: _descriptor(SERIAL.encode("utf-16-le") + b"\0"), 4: _descriptor(_UTF16[:-1])}),
        SERIAL, "no DfuSe memory",
    ),
    "strings that are no UTF-16": (
        lambda: Neighbour(strings={3: _descriptor(b"\x00\xd8" * 3), 4: _descriptor(b"\xff\xdf" * 8)}),
        "\ufffd" * 3, "no DfuSe memory",
    ),
    "strings of no length": (lambda: Neighbour(strings={3: b"\x02\x03", 4: b""}), "", "cannot be read"),
    "a length of nothing": (lambda: Neighbour(strings={3: b"\x00\x03ab", 4: b"\x01"}), "", "cannot be read"),
    "strings longer than they say": (
        lambda: Neighbour(strings={3: _descriptor(SERIAL.encode("utf-16-le") + b"xyz", 2 + 24)}), SERIAL, None,
    ),
    "strings shorter than they say": (lambda: Neighbour(strings={4: _descriptor(_UTF16, 255)}), SERIAL, None),
    "strings of another type": (lambda: Neighbour(strings={3: _descriptor(b"ab", kind=9)}), None, None),
    "a terminal's escapes": (
        lambda: Neighbour(strings={3: string_descriptor("\x1b[2J")}), "\x1b[2J", None,
    ),
    "pages of no bytes": (
        lambda: Neighbour(strings={4: string_descriptor("@x /0x0/1*0Kg")}), SERIAL, "no DfuSe memory",
    ),
    "memory beyond 4 GiB": (
        lambda: Neighbour(strings={4: string_descriptor("@x /0xFFFFFFFF/9*999Mg")}), SERIAL, "no DfuSe memory",
    ),
    "somebody who has it imported": (lambda: Neighbour(busy=True), None, "in use by somebody else"),
    "no configuration that it tells": (lambda: Neighbour(stalls=(22,)), None, "cannot be read"),
    "a configuration it does not take": (lambda: Neighbour(stalls=(9,)), None, "cannot be configured"),
}  # fmt: skip

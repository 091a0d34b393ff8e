"""Every server of the rig as a process of its own, and its ports by name: what is said first, and how each refuses."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rig.formats import usbip
from rig.limits import VARIABLE
from tests.rig.control.control_ports import dial
from tests.rig.families.spark_core.twin.models import shipped_memory
from tests.rig.waiting import until

#: What the servers of these tests allow: few, and not for long.
CONNECTIONS, IDLE_SECONDS = 24, 8.0
CORE, ESP32, RELAY, SPARK, HTTPS = "Core", "ESP32", "relay", "Spark cloud", "update server"
STATUS, LIST = b'{"do": "status"}\n', b'{"do": "list"}\n'
READ_COIL = bytes.fromhex("000100000006010100000001")
IMPORT = usbip.op(usbip.REQ_IMPORT) + b"1-1".ljust(usbip.BUSID_SIZE, b"\0")
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: WILL COM-PORT-OPTION.
NEGOTIATE = b"\xff\xfb\x2c"


@dataclass(frozen=True)
class Port:
    """One port: whose, where its ready line tells it, what makes a peer known, and what one too many is told.

    `idles` says whether a stranger who says nothing is hung up on, `lasts` whether whoever is known may be silent.
    """

    process: str
    key: str
    word: bytes
    refusal: bytes = b""
    idles: bool = True
    lasts: bool = True


PORTS = {
    "Core's control": Port(CORE, "control", STATUS, b'{"error": "too many'),
    "USB/IP": Port(CORE, "usbip", IMPORT),
    "Core's console": Port(CORE, "console", b"i", idles=False),
    "ESP32's control": Port(ESP32, "control", STATUS, b'{"error": "too many'),
    "RFC 2217": Port(ESP32, "serial", NEGOTIATE),
    "plain serial": Port(ESP32, "raw", b"x", idles=False),
    "Modbus": Port(RELAY, "modbus", READ_COIL),
    "Shelly": Port(RELAY, "http", GET, b"HTTP/1.1 503", lasts=False),
    "Spark devices": Port(SPARK, "listen", b"", lasts=False),
    "Spark control": Port(SPARK, "control", LIST, b'{"done": true, "error": "too many'),
    "Spark API": Port(SPARK, "api", GET, b"HTTP/1.1 503", lasts=False),
    "updates over TLS": Port(HTTPS, "listen", b"", lasts=False),
    "updates without TLS": Port(HTTPS, "plain", GET, b"HTTP/1.1 503", lasts=False),
    "update control": Port(HTTPS, "control", LIST, b'{"done": true, "error": "too many'),
}


class Servers:
    """The processes, by name, and what their ready lines told."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.told: dict[str, dict[str, Any]] = {}

    def start(self, name: str, *words: object) -> None:
        """Start `rig` with these words. It tells when it is ready."""
        environment = {**os.environ, VARIABLE: f"connections={CONNECTIONS},idle={IDLE_SECONDS}"}
        errors = (self._folder / f"{name}.err").open("w")
        command = [sys.executable, "-m", "rig", *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        self.processes[name] = process
        self.told[name] = json.loads(process.stdout.readline())

    def connect(self, name: str) -> socket.socket:
        """A peer of a port that says nothing yet."""
        told = self.told[PORTS[name].process][PORTS[name].key]
        return dial(told) if "address" in told else socket.create_connection((told["host"], told["port"]), timeout=10)

    def ask(self, name: str, line: bytes) -> dict[str, Any]:
        """What a control port answers to a line, on a connection of its own."""
        with self.connect(name) as sock:
            sock.sendall(line)
            return json.loads(sock.makefile("rb").readline())

    def lets_in(self, name: str) -> bool:
        """Whether one more peer is let in now."""
        with self.connect(name) as sock:
            return not is_over(sock, seconds=0.2)

    def process(self, name: str) -> psutil.Process:
        """The process behind a port."""
        return psutil.Process(self.processes[PORTS[name].process].pid)

    def is_alive(self, name: str) -> bool:
        """Whether the process behind a port runs."""
        return self.processes[PORTS[name].process].poll() is None

    def close(self) -> None:
        """End all."""
        for process in self.processes.values():
            process.kill()
            process.communicate()


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """All of them."""
    running = Servers(folder)
    try:
        _start_boards(running, folder)
        _start_clouds(running, folder)
        until(lambda: _listens(running, "Core's console"), "the Core's console")
        yield running
    finally:
        running.close()


def _start_boards(running: Servers, folder: Path) -> None:
    state = folder / "core"
    state.mkdir()
    memory = shipped_memory()
    (state / "internal.bin").write_bytes(memory.internal.dump())
    (state / "external.bin").write_bytes(memory.external.dump())
    running.start(CORE, "twin", "spark-core", "--state", state, "--time-scale", 0)
    running.start(ESP32, "twin", "esp32", "--state", folder / "esp32", "--time-scale", 0, "--json")
    running.start(RELAY, "twin", "relay", "--wire", f"mode@{running.told[CORE]['control']['address']}")


def _start_clouds(running: Servers, folder: Path) -> None:
    anywhere = "127.0.0.1:0"
    keys = ["--server-key", folder / "server.pem", "--core-keys", folder / "core_keys"]
    doors = ["--listen", anywhere, "--control", f"unix:{folder}/spark.sock"]
    running.start(SPARK, "cloud", "spark", *doors, "--api", anywhere, *keys, "--json")
    hosts = ["--host", "ota.rig.test", "--state", folder / "https"]
    doors = ["--listen", anywhere, "--control", f"unix:{folder}/https.sock"]
    running.start(HTTPS, "cloud", "https", *doors, "--plain", anywhere, *hosts, "--json")


def _listens(running: Servers, name: str) -> bool:
    try:
        running.connect(name).close()
    except OSError:
        return False
    return True


def is_over(sock: socket.socket, *, seconds: float = 0.0) -> bool:
    """Whether the other end has hung up, or refused: after so long at most."""
    refusals = tuple(port.refusal for port in PORTS.values() if port.refusal)
    sock.settimeout(max(seconds, 0.01))
    try:
        while data := sock.recv(65536):
            if data.startswith(refusals):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def tls(sock: socket.socket) -> ssl.SSLSocket:
    """A handshake without any judgement."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname="ota.rig.test")


@contextlib.contextmanager
def grown(process: psutil.Process) -> Iterator[Callable[[], float]]:
    """Inside, how many MB a process has grown by since the beginning."""
    before = process.memory_info().rss
    yield lambda: (process.memory_info().rss - before) / 1e6


def first_words(sock):
    """All that is said before the other end hangs up."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(4096):
            said += data
    return said


def send_all_it_takes(sock, data, times):
    """Send so often, as long as the other end takes it; it may hang up."""
    sock.settimeout(0.5)
    with contextlib.suppress(OSError):
        for _ in range(times):
            sock.sendall(data)

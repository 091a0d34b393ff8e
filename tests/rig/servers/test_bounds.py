"""Every server has its bounds, seen on the real processes: peers, bytes, silence and files."""

from __future__ import annotations

import base64
import contextlib
import json
import resource
import socket
import subprocess
import sys
import time

import pytest

from rig.formats import usbip
from rig.formats.usb import Setup
from tests.rig.control.control_ports import ask
from tests.rig.servers.bounded_servers import (
    CONNECTIONS,
    IDLE_SECONDS,
    IMPORT,
    PORTS,
    READ_COIL,
    first_words,
    grown,
    is_over,
    send_all_it_takes,
    servers,
    tls,
)
from tests.rig.waiting import until

pytestmark = pytest.mark.xdist_group("bounds")
MIB = 1 << 20
#: The command in a process of few files: a `preexec_fn` would run in a copy of this process, which has gRPC's threads.
WITH_FEW_FILES = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (100, 100)); from rig.cli.main import main; main()"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as started:
        yield started


# -- how many ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PORTS)
def test_one_connection_too_many_is_refused_and_one_that_leaves_makes_room(running, name):
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(running.connect(name)) for _ in range(CONNECTIONS)]
        until(lambda: not running.lets_in(name), "the first to be refused")
        told = first_words(stack.enter_context(running.connect(name)))
        assert told.startswith(PORTS[name].refusal)
        assert sum(not is_over(peer) for peer in peers) >= CONNECTIONS - 2, "the relay and who looked had the others"
    until(lambda: running.lets_in(name), "room for one more")


# -- how long ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def silent(running):
    """For each port a stranger who says nothing, and where one may stay, a peer who said one word."""
    with contextlib.ExitStack() as stack:
        strangers = {name: stack.enter_context(running.connect(name)) for name in PORTS}
        strangers["after a handshake"] = tls(stack.enter_context(running.connect("updates over TLS")))
        known = {name: stack.enter_context(running.connect(name)) for name in PORTS if PORTS[name].lasts}
        for name, sock in known.items():
            sock.sendall(PORTS[name].word)
        yield strangers, known, time.monotonic()


@pytest.mark.parametrize("name", [*(name for name, port in PORTS.items() if port.idles), "after a handshake"])
def test_a_stranger_who_says_nothing_is_hung_up_on(silent, name):
    strangers, _, _ = silent
    until(lambda: is_over(strangers[name]), "the server to hang up", seconds=60)
    assert is_over(strangers[name])


@pytest.mark.parametrize("name", [name for name, port in PORTS.items() if port.lasts])
def test_whoever_said_a_word_may_be_silent_from_then_on(silent, name):
    _, known, since = silent
    until(lambda: time.monotonic() > since + IDLE_SECONDS + 2, "a stranger's time to be over", seconds=60)
    assert not is_over(known[name])


@pytest.mark.parametrize("name", [name for name, port in PORTS.items() if not port.idles])
def test_whoever_only_listens_to_a_console_is_not_cut_off(silent, name):
    strangers, _, since = silent
    until(lambda: time.monotonic() > since + IDLE_SECONDS + 2, "a stranger's time to be over", seconds=60)
    assert not is_over(strangers[name])


# -- how much ----------------------------------------------------------------------------------------------------------


def _endless_lines(running, name):
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            send_all_it_takes(stack.enter_context(running.connect(name)), b"x" * MIB, 11)
        yield


def _unread(running, name, word, question):
    with running.connect(name) as sock:
        sock.sendall(word)
        send_all_it_takes(sock, question, 400)
        yield


def _heads(running, name, head, times):
    for _ in range(times):
        with running.connect(name) as plain:
            sock = tls(plain) if name == "updates over TLS" else plain
            send_all_it_takes(sock, head, 1)
            with contextlib.suppress(OSError):
                sock.recv(4096)
    yield


def _head(count, size):
    lines = [b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count)]
    return b"GET / HTTP/1.1\r\nHost: ota.rig.test\r\n" + b"".join(lines) + b"\r\n"


SUBMIT = usbip.Submit(1, 0x10002, True, 0, 4096, Setup(0x80, 6, 0x0200, 0, 4096).pack()).pack()
#: What is done to a port, and by how many MB its server may grow for it.
FLOODS = {
    "lines without end at a twin": ("Core's control", _endless_lines, (), 8),
    "lines without end at a cloud": ("Spark control", _endless_lines, (), 70),
    "lines without end at an update server": ("update control", _endless_lines, (), 70),
    "answers of a twin that nobody reads": ("Core's control", _unread, (b"", b'{"do": "events"}\n' * 500), 8),
    "transfers that nobody reads": ("USB/IP", _unread, (IMPORT, SUBMIT * 500), 8),
    "coils that nobody reads": ("Modbus", _unread, (b"", READ_COIL * 500), 8),
    "lists that nobody reads": ("update control", _unread, (b"", b'{"do": "list"}\n' * 500), 16),
    "orders that nobody reads": ("RFC 2217", _unread, (b"", b"\xff\xfb\x2c\xff\xfc\x2c" * 2000), 8),
    "100 headers of 8 KB": ("updates without TLS", _heads, (_head(100, 8000), 250), 24),
    "15 headers of 4 KB": ("updates without TLS", _heads, (_head(15, 4000), 250), 24),
    "100 headers of 500 bytes over TLS": ("updates over TLS", _heads, (_head(100, 500), 100), 24),
    "headers at a relay": ("Shelly", _heads, (_head(100, 8000), 100), 16),
    "headers at the API": ("Spark API", _heads, (_head(100, 8000), 100), 16),
}


@pytest.mark.parametrize("case", FLOODS)
def test_a_flood_takes_only_so_much_memory(running, case):
    name, flood, how, most = FLOODS[case]
    with grown(running.process(name)) as megabytes:
        for _ in flood(running, name, *how):
            assert megabytes() < most
        assert running.is_alive(name)
    until(lambda: running.lets_in(name), "the next one to be served")


def test_an_image_of_16_mb_is_published_by_its_content(running):
    content = base64.b64encode(bytes(16 * MIB)).decode()
    told = running.ask(
        "update control", json.dumps({"do": "publish", "path": "/big", "content": content}).encode() + b"\n"
    )
    assert told["file"]["size"] == 16 * MIB
    assert running.ask("update control", b'{"do": "withdraw", "path": "/big"}\n') == {"done": True}


# -- without files -----------------------------------------------------------------------------------------------------

WITHOUT_FILES = {
    "a twin of a Core": ("Core's control", "USB/IP"),
    "a twin of an ESP32": ("ESP32's control", "RFC 2217"),
    "its plain serial port": ("ESP32's control", "plain serial"),
    "a Spark cloud": ("Spark control", "Spark devices"),
    "its API": ("Spark control", "Spark API"),
    "an update server": ("update control", "updates over TLS"),
}


@pytest.mark.parametrize("case", WITHOUT_FILES)
def test_a_server_without_files_serves_whom_it_has_and_lets_others_in_later(running, case):
    """No file is left for a connection: the server neither ends nor spins, and whoever waits is let in later."""
    control, name = WITHOUT_FILES[case]
    process = running.process(name)
    with running.connect(control) as known, contextlib.ExitStack() as stack:
        lines = known.makefile("rb")
        known.sendall(PORTS[control].word)
        assert json.loads(lines.readline())
        with _files(process, process.num_fds() + 2):
            for _ in range(8):
                stack.enter_context(running.connect(name))
            before, since = sum(process.cpu_times()[:2]), time.monotonic()
            until(lambda: time.monotonic() > since + 1.0, "a second of it")
            assert sum(process.cpu_times()[:2]) - before < 0.7, "it tries again and again"
            known.sendall(PORTS[control].word)
            assert json.loads(lines.readline())
        until(lambda: running.lets_in(name), "somebody to be let in")
    assert running.is_alive(name)


@contextlib.contextmanager
def _files(process, most):
    """A process may have only so many files open, for a while."""
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_with_few_files_has_some_for_each_of_its_servers(running, tmp_path):
    """Idle strangers fill one port of a server; its control port answers all the same."""
    words = ["cloud", "https", "--listen", "127.0.0.1:0", "--plain", "127.0.0.1:0", "--control", f"unix:{tmp_path}/c"]
    command = [sys.executable, "-c", WITH_FEW_FILES, *words, "--state", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as poor, contextlib.ExitStack() as stack:
        stack.callback(poor.kill)
        output = json.loads(poor.stdout.readline())
        plain = ("127.0.0.1", output["plain"]["port"])
        idle = [stack.enter_context(socket.create_connection(plain, timeout=10)) for _ in range(120)]
        until(lambda: sum(is_over(sock) for sock in idle) >= 120 - 25, "those too many to be refused")
        assert "hosts" in ask(output["control"], do="list")

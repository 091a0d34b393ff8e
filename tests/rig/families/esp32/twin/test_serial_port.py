"""The bridge before an ESP32: its reset circuit, its rate, and what clients of its TCP ports cannot do to it."""

from __future__ import annotations

import contextlib
import math
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.families.esp32.twin.circuit import RELEASE_SECONDS, ResetCircuit
from rig.families.esp32.twin.serial_port import misread
from rig.families.esp32.twin.uart import MOST_WAITING
from rig.limits import SERIAL
from rig.listener import KEEPALIVE
from tests.rig.families.esp32.twin.checks_loader import CLASSIC, boots_into
from tests.rig.families.esp32.twin.models import served_board
from tests.rig.waiting import until

IAC, SB, SE, COM_PORT, SET_CONTROL = b"\xff", b"\xfa", b"\xf0", b"\x2c", b"\x05"
RTS_ON, RTS_OFF = b"\x0b", b"\x0c"

#: What clients do to the two lines, and where the board starts then (nothing: it is not disturbed).
SEQUENCES = {
    "classic": (CLASSIC, "download"),
    "classic, long": ([*CLASSIC[:3], (0.8, False, False)], "download"),
    "both lines at once": ([(0, False, True), (0.1, True, False), (0.3, False, False)], "download"),
    "hard reset": ([(0, False, True), (0.1, False, False)], "flash"),
    "hard reset by someone who leaves at once": ([(0, False, True), (0, False, False)], "flash"),
    "a port is opened": ([(0, True, False), (0.05, True, True)], ""),
    "a port is opened and closed": ([(0, True, False), (0.05, True, True), (1, False, False)], ""),
    "held while EN rises": ([(0, False, True), (0.1, False, False), (0.15, False, True), (0.5, False, False)], "flash"),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_lines_start_the_board(name):
    edges, start = SEQUENCES[name]
    assert boots_into(edges) == start


@given(st.lists(st.tuples(st.floats(0, 0.3), st.booleans(), st.booleans()), max_size=8))
def test_en_is_low_while_pulled_and_for_the_release_after_it(edges):
    circuit, now, pulled_until = ResetCircuit(), 0.0, -math.inf
    for wait, dtr, rts in edges:
        if circuit.rts and not circuit.dtr:
            pulled_until = now + wait
        now += wait
        circuit.set(dtr, rts, now)
        pulled = rts and not dtr
        assert circuit.en_low == (pulled or now < pulled_until + RELEASE_SECONDS)
        assert circuit.gpio0_low == (dtr and not rts)
        assert circuit.due() == math.inf or now < circuit.due() <= now + RELEASE_SECONDS


@given(st.binary(max_size=60), st.sampled_from([9600, 115200, 460800]), st.floats(0.98, 1.02))
def test_rates_that_are_nearly_equal_are_read_right(data, rate, off):
    assert misread(data, rate, round(rate * off)) == data


@given(st.binary(min_size=20, max_size=60), st.sampled_from([(115200, 460800), (460800, 115200), (115200, 74880)]))
def test_rates_that_differ_are_misread_at_bounded_length(data, rates):
    read = misread(data, *rates)
    assert read != data
    assert len(read) <= len(data) * 5 * rates[1] / rates[0]


def order(*parameters: bytes) -> bytes:
    return IAC + SB + COM_PORT + b"".join(parameters) + IAC + SE


def connected(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    client.settimeout(5)
    return client


def hung_up(client: socket.socket) -> bool:
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


@pytest.fixture
def served():
    """A board that waits for a download, and so says nothing by itself."""
    with served_board() as board:
        board.into_download()
        yield board


GARBLED = {
    "an end without a beginning": IAC + SE,
    "a rate without digits": order(b"\x01"),
    "a parity that is none": order(b"\x03", b"\x77"),
    "an order without end": IAC + SB + b"x" * 1000,
    "an empty mask": order(b"\x0a"),
}


@pytest.mark.parametrize("name", GARBLED)
def test_a_client_that_speaks_no_rfc2217_is_hung_up_on_and_the_next_one_served(served, name):
    with connected(served.rfc2217) as client:
        client.sendall(GARBLED[name])
        assert hung_up(client)
    with connected(served.rfc2217) as client:
        assert client.recv(1) == IAC


def test_bytes_and_edges_keep_their_order(served):
    told: list[object] = []
    served.process.serial.lines._changed = lambda dtr, rts: told.append((dtr, rts))
    served.board.received = lambda data, _now: told.append(data)
    with connected(served.rfc2217) as client:
        client.sendall(
            b"before" + order(SET_CONTROL, RTS_ON) + b"between" + order(SET_CONTROL, RTS_OFF) + b"after\xff\xff"
        )
        until(lambda: told and told[-1] == b"after\xff", "the last bytes")
    assert told == [b"before", (False, True), b"between", (False, False), b"after\xff"]


@pytest.mark.parametrize("dialect", ["plain", "rfc2217"])
def test_what_the_chip_says_comes_out_as_it_is(served, dialect):
    said = b"say \xff\xff and \xc0"
    with connected(getattr(served, dialect)) as client, connected(served.plain) as other:
        client.sendall(b"x")
        other.sendall(b"x")
        serial = served.process.serial
        until(lambda: len(serial._plain.clients) + len(serial._rfc2217.clients) == 2, "both clients")
        served.do(lambda: served.board.uart.send(said))
        heard = b""
        while said[-6:] not in heard:
            heard += client.recv(100)
    assert heard.endswith(said.replace(IAC, IAC + IAC) if dialect == "rfc2217" else said)


@pytest.mark.parametrize("dialect", ["plain", "rfc2217"])
def test_a_client_that_never_reads_takes_no_endless_memory(served, dialect):
    with connected(getattr(served, dialect)):
        port = getattr(served.process.serial, f"_{dialect}")
        until(lambda: port.clients, "the client")
        (client,) = port.clients
        served.do(lambda: [served.board.uart.send(b"x" * 4096) for _ in range(4096)])
        assert 0 < client.transport.get_write_buffer_size() <= SERIAL.unread


def test_a_bridge_without_power_is_gone_and_comes_back_on_the_same_port(served):
    with connected(served.plain) as client:
        served.do(served.process.serial.show, False)
        assert hung_up(client)
    with pytest.raises(ConnectionRefusedError):
        connected(served.plain)
    served.do(served.process.serial.show, True)
    connected(served.plain).close()
    connected(served.rfc2217).close()


def test_a_client_that_comes_as_the_bridge_loses_power_is_hung_up_on(served):
    def meet() -> None:
        with socket.create_connection(("127.0.0.1", served.plain)) as late:
            late.settimeout(5)
            served.do(served.process.serial.show, False)
            assert hung_up(late)

    for _ in range(20):
        meet()
        served.do(served.process.serial.show, True)


def test_the_lines_fall_when_the_last_client_leaves(served):
    with connected(served.rfc2217) as client:
        client.sendall(order(SET_CONTROL, RTS_ON))
        until(lambda: served.process.circuit.en_low, "EN to fall")
    until(lambda: not served.process.circuit.rts, "RTS to be let go")
    assert not served.process.serial.lines.dtr


def test_what_a_busy_chip_has_no_room_for_waits_and_nothing_is_lost(served):
    """The chip takes nothing for a while: the client is held back, and all of it comes in the end."""
    uart, sent = served.board.uart, bytes(range(1, 251)) * 40_000
    served.board._stimulate = lambda: None
    with connected(served.plain) as client:
        client.settimeout(0.5)
        left = memoryview(sent)
        with contextlib.suppress(TimeoutError):
            while left:
                left = left[client.send(left) :]
        assert left
        assert MOST_WAITING <= len(uart.received) <= MOST_WAITING + SERIAL.message
        taken = bytearray()
        client.setblocking(False)
        deadline = time.monotonic() + 20
        while len(taken) < len(sent) and time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                left = left[client.send(left) :]
            served.do(lambda: (taken.extend(uart.take()), served.process.serial.resume()))
    assert taken == sent


def test_a_chip_whose_program_does_not_listen_loses_what_comes(served):
    served.do(served.board.uart.ignore)
    with connected(served.plain) as client:
        client.sendall(b"x" * 200_000)
        client.sendall(b"x" * 200_000)
        until(lambda: served.process.serial._plain.clients, "the client")
    assert not served.board.uart.received


def test_a_flood_at_another_rate_comes_in_small_pieces(served):
    """Misreading takes time, and the loop has its turn in between."""
    pieces: list[int] = []
    served.process.serial._received = lambda data: pieces.append(len(data))
    with connected(served.rfc2217) as client:
        client.sendall(order(b"\x01", (1).to_bytes(4, "big")) + bytes(100_000))
        until(lambda: sum(pieces) >= 100_000, "what was sent")
    assert max(pieces) <= 10 * SERIAL.message


def test_what_a_client_loses_is_told_once(served, caplog):
    with connected(served.plain):
        until(lambda: served.process.serial._plain.clients, "the client")
        served.do(lambda: [served.board.uart.send(b"x" * 65536) for _ in range(256)])
    assert [record.levelname for record in caplog.records if "what comes for it is lost" in record.message] == [
        "WARNING"
    ]


def test_a_client_that_vanished_is_asked_after(served):
    with connected(served.rfc2217):
        until(lambda: served.process.serial._rfc2217.clients, "the client")
        (client,) = served.process.serial._rfc2217.clients
        sock = client.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, every, times = (sock.getsockopt(socket.IPPROTO_TCP, option) for option, _value in KEEPALIVE)
        assert idle + every * times <= 60

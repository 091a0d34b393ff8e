"""Who is let in, who is refused, and what a listener does when the system lets nobody in."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from dataclasses import replace

import pytest

from rig.limits import MODBUS
from rig.listener import MOST_READING, Listener
from tests.rig.loop_thread import LoopThread
from tests.rig.servers import checks_bounds as checks
from tests.rig.waiting import until

ERRORS = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EPROTO", "ENETDOWN"]


@pytest.mark.parametrize("name", ERRORS)
def test_whoever_could_not_be_let_in_is_let_in_later(tmp_path, name):
    checks.whoever_waited_for_a_file_is_let_in(tmp_path, getattr(errno, name))


@contextlib.contextmanager
def listening(*, family=socket.AF_INET, address=("127.0.0.1", 0), **how):
    loop = LoopThread()
    sock = socket.socket(family)
    sock.bind(address)
    limits = replace(MODBUS, connections=2)
    listener = loop.call(lambda: Listener(asyncio.Protocol, limits, **how))
    loop.call(listener.serve, sock)
    try:
        yield listener, sock.getsockname()
    finally:
        loop.call(listener.close)
        loop.close()


def dial(address):
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.settimeout(10)
    sock.connect(address)
    return sock


@pytest.mark.parametrize("kind", ["TCP", "a Unix socket"])
def test_one_too_many_is_told_so_and_hung_up_on(tmp_path, kind):
    told = []
    where = {} if kind == "TCP" else {"family": socket.AF_UNIX, "address": str(tmp_path / "s")}
    with listening(refusal=b"too many\n", refused=told.append, **where) as (listener, address):
        with dial(address), dial(address):
            until(lambda: listener.count == 2, "two to be let in")
            with dial(address) as third:
                assert third.makefile("rb").read() == b"too many\n"
        until(lambda: listener.count == 0, "both to have left")
        with dial(address):
            until(lambda: listener.count == 1, "room again")
    assert told[0].startswith("127.0.0.1:" if kind == "TCP" else "a local peer")


def test_those_who_are_refused_take_only_so_many_files():
    with listening(refusal=b"too many\n") as (listener, address), contextlib.ExitStack() as stack:
        for _ in range(2 + 2 * MOST_READING):
            stack.enter_context(dial(address))
        until(lambda: listener.count == 2, "two to be let in")
        assert len(listener._reading) <= MOST_READING
        until(lambda: not listener._reading, "those who read why to be gone")


def test_whoever_leaves_at_once_counts_no_more():
    with listening() as (listener, address), contextlib.ExitStack() as stack:
        for _ in range(20):
            dial(address).close()
        until(lambda: not checks.hangs_up(stack.enter_context(dial(address)), 0.3), "one to be let in who stays")
        assert listener.count == 1


def test_a_name_is_listened_on_at_all_its_addresses_and_another_machines_is_told():
    loop = LoopThread()
    listener = loop.call(lambda: Listener(asyncio.Protocol, MODBUS))
    port = loop.run(listener.start("localhost", 0))
    dial(("127.0.0.1", port)).close()
    with pytest.raises(OSError, match="Address already in use"):
        loop.run(loop.call(lambda: Listener(asyncio.Protocol, MODBUS)).start("127.0.0.1", port))
    with pytest.raises(OSError, match="Cannot assign requested address"):
        loop.run(loop.call(lambda: Listener(asyncio.Protocol, MODBUS)).start("192.0.2.1", 0))
    loop.call(listener.close)
    loop.close()

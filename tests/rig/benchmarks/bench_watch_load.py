"""A watch of 1,000 endpoints on a machine that is too busy: no alert where none is due, and every one that is.

    RIG_BUSY=16 pytest -s -p no:cacheprovider on this file

Busy loops share the processors with the watch and its servers. Some rounds nothing changes; then three identities do
while one more endpoint is gone and another says nothing any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench_watch import Servers, write_config

from rig.trust.watch.config import read_watch_config
from rig.trust.watch.state import WatchState
from rig.trust.watch.watch import Watch
from rig.trust.web_pki import WebPki
from tests.rig.trust.watch.watch_lab import LabClock

BUSY, ROUNDS = int(os.environ.get("RIG_BUSY", "8")), int(os.environ.get("RIG_ROUNDS", "3"))
#: Seconds for a first look: RIG_TIMEOUT=1 is as hard on the watch as ten times the load.
TIMEOUT = float(os.environ.get("RIG_TIMEOUT", "10"))
CHANGED = 3


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()


def told(done) -> Counter[str]:
    return Counter(f"{alert.status} {alert.kind}" for alert in done.alerts)


def test_load_makes_no_fact_and_hides_none(tmp_path):
    WebPki.in_folder(tmp_path / "pki").publish(tmp_path / "pins")
    servers = Servers(tmp_path / "pki")
    clock, mute = LabClock(datetime(2024, 7, 1, tzinfo=UTC)), socket.create_server(("127.0.0.1", 0))

    def round_of(places):
        write_config(tmp_path, places)
        path = tmp_path / "watch.toml"
        path.write_text(f"timeout = {TIMEOUT}\n{path.read_text()}")
        state, began = WatchState(tmp_path / "state"), time.monotonic()
        done = asyncio.run(Watch(read_watch_config(path), state, clock=clock).once())
        state.close()
        clock.today += timedelta(minutes=10)
        unreached = sum(fact.kind == "unreachable" for _, fact in done.facts)
        print(f"{time.monotonic() - began:.1f} s: {dict(told(done))}, {unreached} unreached, {len(done.errors)} lost")
        return done

    try:
        assert not told(round_of(servers.places))
        with busy(BUSY):
            for _ in range(ROUNDS):
                assert not told(round_of(servers.places)), "nothing changed but the load"
            servers.swap(CHANGED)
            gone = [(host, 1) for host, _ in servers.places[-1:]]
            silent = [(host, mute.getsockname()[1]) for host, _ in servers.places[-2:-1]]
            done = round_of([*servers.places[:-2], *silent, *gone])
    finally:
        servers.end()
        mute.close()
    names = {alert.subject for alert in done.alerts if alert.kind == "unreachable"}
    assert told(done)["happened identity-changed"] == CHANGED
    assert len(names) == 2, names

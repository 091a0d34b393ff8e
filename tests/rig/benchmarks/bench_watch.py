"""A watch of 1,000 endpoints: seconds a round, and memory over rounds: `pytest -s -p no:cacheprovider` on this file.

Endpoints are names with an identity each, on a few ports; their servers are processes of their own, and share the
machine's processors with the watch. The second round finds every identity swapped: a thousand changes, each on the disk
before anybody is told. The peer of the same run is the handshakes alone.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import psutil

from rig.trust.look.served import fetch
from rig.trust.probe.clients import ESP32
from rig.trust.watch.config import read_watch_config
from rig.trust.watch.state import WatchState
from rig.trust.watch.watch import Watch
from rig.trust.web_pki import WebPki
from tests.rig.trust.watch.watch_lab import LabClock

ENDPOINTS = int(os.environ.get("RIG_ENDPOINTS", "1000"))
SERVERS, FIRMWARE, ROUNDS = 2, 20, int(os.environ.get("RIG_ROUNDS", "6"))
#: Hosts of this share of the names; a line of standard input says how many of them get another identity.
SERVER = """
import asyncio, sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from rig.trust.tls.endpoint import Endpoint
from rig.trust.recipe import IdentityRecipe
from rig.trust.web_pki import WebPki

async def main(folder, first, last):
    pki = WebPki.in_folder(Path(folder))
    recipe = IdentityRecipe(under="lets-encrypt-r3", begins=datetime(2024, 5, 25, tzinfo=UTC))
    def made(n, **other):
        return pki.issue(f"host{n}.test", recipe.model_copy(update=other))
    endpoint = Endpoint({f"host{n}.test": made(n) for n in range(first, last)}, asyncio.Protocol)
    fresh = {n: made(n, under="lets-encrypt-r10") for n in range(first, last)}
    print(await endpoint.start("127.0.0.1", 0), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        for n in list(fresh)[:int(line)]:
            endpoint.swap(fresh[n], f"host{n}.test")
        print("swapped", flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


class Servers:
    """Processes that serve all the names between them."""

    def __init__(self, folder):
        share = ENDPOINTS // SERVERS
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", SERVER, str(folder), str(number * share), str((number + 1) * share)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(SERVERS)
        ]
        ports = [int(process.stdout.readline()) for process in self.processes]
        self.places = [(f"host{n}.test", ports[n // share]) for n in range(share * SERVERS)]

    def swap(self, count=None):
        """The first so many, or all."""
        for number, process in enumerate(self.processes):
            wanted = ENDPOINTS if count is None else count if number == 0 else 0
            process.stdin.write(f"{wanted}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "swapped\n"

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait()
            process.stdin.close()
            process.stdout.close()


def write_config(folder, places):
    endpoints = [f'[[endpoint]]\nhost = "{host}"\naddresses = ["127.0.0.1:{port}"]\n' for host, port in places]
    firmware = [
        f'[[firmware]]\nname = "lamp-{n}"\n'
        f'esp32 = {{ client = "deploy-the-fleet", fleet_release = "1.0.4", url = "https://{host}/lamp" }}\n'
        for n, (host, _) in enumerate(places[:FIRMWARE])
    ]
    path = folder / "watch.toml"
    path.write_text('pins = "pins"\nroots = "pins/bundle.pem"\n' + "".join(endpoints + firmware))
    return read_watch_config(path)


async def looks_alone(places):
    room = asyncio.Semaphore(100)

    async def look(host, port):
        async with room:
            assert (await fetch(("127.0.0.1", port), host, offer=ESP32)).completed

    began = time.monotonic()
    await asyncio.gather(*(look(*place) for place in places))
    return time.monotonic() - began


def test_a_thousand_endpoints(tmp_path):
    WebPki.in_folder(tmp_path / "pki").publish(tmp_path / "pins")
    servers = Servers(tmp_path / "pki")
    process, clock = psutil.Process(), LabClock(datetime(2024, 7, 1, tzinfo=UTC))
    try:
        config = write_config(tmp_path, servers.places)
        alone = asyncio.run(looks_alone(servers.places))
        memory, seconds, alerts = [process.memory_info().rss / 2**20], [], []
        for number in range(ROUNDS):
            if number == 1:
                servers.swap()
            state = WatchState(tmp_path / "state")
            began = time.monotonic()
            done = asyncio.run(Watch(config, state, clock=clock).once())
            seconds.append(time.monotonic() - began)
            state.close()
            clock.today += timedelta(minutes=10)
            alerts.append(len(done.alerts))
            memory.append(process.memory_info().rss / 2**20)
            assert not [fact for _, fact in done.facts if fact.kind == "unreachable"]
    finally:
        servers.end()
    told = ", ".join(f"{one:.1f} s" for one in seconds)
    size = (tmp_path / "state" / "watch.jsonl").stat().st_size / 2**20
    print(f"\n{len(servers.places)} endpoints: rounds of {told} with {alerts} alerts; looks alone {alone:.1f} s")
    print(f"RSS {', '.join(f'{one:.0f}' for one in memory)} MB (before, after each round); state {size:.1f} MB on disk")
    assert alerts == [0, len(servers.places) + 2 * FIRMWARE, *[0] * (ROUNDS - 2)]
    assert max(seconds) < 60
    assert memory[-1] - memory[0] < 100
    assert memory[-1] - memory[-4] < 5, "it grows from round to round"

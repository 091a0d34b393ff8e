"""Throughput of updates over the air, on demand: `pytest tests/rig/benchmarks/bench_spark_cloud.py`.

71,680 bytes to a twin without modelled delays, each end a process of its own. Figures to beat, of the reference server
with genuine device code: 0.18 s in chunks of 256, 0.093 s in chunks of 512, 0.044 s fast. The peer of the same run is
the cipher alone: what sealing and opening the same frames costs on one processor.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from models import MANIFEST

from rig.drivers.spark_cloud import SparkCloudClient
from rig.formats.spark_handshake import Credentials

IMAGE = MANIFEST.image("core-full").data[:71_680]


class Pair:
    """A cloud and a Core, each a process."""

    def __init__(self, folder, version):
        self.processes = []
        words = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--server-key", folder / "s.pem"]
        cloud = self.start("cloud", "spark", *words, "--core-keys", folder / "keys", "--json")
        (folder / "pub.der").write_bytes(bytes.fromhex(cloud["public_key"]))
        address = f"127.0.0.1:{cloud['listen']['port']}"
        words = ["--state", folder / "core", "--cloud", address, "--server-key", folder / "pub.der"]
        core = self.start("twin", "spark-core", *words, "--firmware-version", version, "--time-scale", "0")
        self.client, self.core_id = SparkCloudClient("127.0.0.1", cloud["control"]["port"]), core["core_id"]
        self.client.ask("add-core", core=self.core_id, pem=core["public_key"])
        self.wait()

    def start(self, *words):
        command = [sys.executable, "-m", "rig", *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return json.loads(process.stdout.readline())

    def wait(self):
        while not self.client.ask("list")["cores"]:
            time.sleep(0.05)
        self.client.ask("ping", core=self.core_id)

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait()


@pytest.mark.parametrize(
    ("version", "chunk_size", "fast"),
    [("0.2.1", 256, False), ("0.2.1", 512, False), ("0.4.4", 512, True), ("0.4.4", 256, True)],
)
def test_71680_bytes_over_the_air(benchmark, tmp_path, version, chunk_size, fast):
    pair = Pair(tmp_path, version)
    seconds = []

    def update():
        told = pair.client.flash(pair.core_id, IMAGE, lambda _event: None, chunk_size=chunk_size, fast=fast)
        assert told["acknowledged"], told
        seconds.append(told["transfer_seconds"])
        pair.wait()

    benchmark.pedantic(update, rounds=5, warmup_rounds=1)
    benchmark.extra_info["transfer_seconds"] = sorted(seconds)[len(seconds) // 2]
    print(f"\n{version} {chunk_size} {'fast' if fast else 'slow'}: median {sorted(seconds)[len(seconds) // 2]:.4f} s")
    pair.end()


@pytest.mark.parametrize("chunk_size", [256, 512])
def test_the_cipher_alone(benchmark, chunk_size):
    credentials = Credentials(bytes(range(40)))

    def cipher():
        sealer, opener = credentials.sealer(), credentials.opener()
        for at in range(0, len(IMAGE), chunk_size):
            opener.open(sealer.seal(IMAGE[at : at + chunk_size])[2:])

    benchmark(cipher)

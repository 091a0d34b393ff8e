"""Our serial path beside stock esptool on the same port, on demand: `pytest tests/rig/benchmarks/bench_serial_path.py`.

Each writes the same noise to the same board behind RFC 2217, as a command from its start to its end, and compares
digests. Ours must take at most 1.2 times as long as esptool; no figure is asserted.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from rig.firmware.seeded_bytes import seeded_bytes
from tests.rig.families.esp32.twin.models import esptool, served_board

SIZE = 128 * 1024
pytestmark = pytest.mark.benchmark(group=f"writing {SIZE} bytes of noise over RFC 2217")


@pytest.fixture(scope="module")
def waiting(tmp_path_factory):
    """A board in download mode, and a file to write."""
    file = tmp_path_factory.mktemp("noise") / "noise.bin"
    file.write_bytes(seeded_bytes("noise", SIZE))
    with served_board() as served:
        yield served, file


def test_ours(benchmark, waiting):
    served, file = waiting
    words = ["serial", "write", str(file), "--port", served.rfc2217_url, "--address", "0x10000", "--waits", "--force"]

    def write():
        return subprocess.run([sys.executable, "-m", "rig", *words], check=True, capture_output=True, text=True).stdout

    assert "compared" in benchmark.pedantic(write, setup=served.into_download, rounds=3)


def test_stock_esptool(benchmark, waiting):
    served, file = waiting

    def write():
        return esptool(served.rfc2217_url, "write-flash", "0x10000", file)

    assert "Hash of data verified" in benchmark.pedantic(write, setup=served.into_download, rounds=3)

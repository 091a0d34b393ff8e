"""Stock espefuse on the twin: what the factory burned, and what is burned later."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.rig.families.esp32.twin.models import ServedBoard, esptool, served_board
from tests.rig.waiting import HANGS

#: pyserial's client of RFC 2217 names its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


def espefuse(served: ServedBoard, *arguments: str) -> str:
    command = [sys.executable, "-m", "espefuse", "--chip", "esp32", "--port", served.plain_url, "--before", "no-reset"]
    done = subprocess.run(
        [*command, "--do-not-confirm", *arguments], capture_output=True, text=True, timeout=HANGS, check=False
    )
    return f"{done.stdout}{done.stderr}\nstatus {done.returncode}"


def test_espefuse_tells_what_the_factory_burned():
    with served_board() as served:
        served.into_download()
        told = espefuse(served, "summary")
    assert "24:0a:c4:00:00:01 (CRC" in told
    assert re.search(r"CRC 0x[0-9a-f]{2} OK", told)
    assert re.search(r"WAFER_VERSION_MAJOR .* = 3 ", told)
    assert told.endswith("status 0")


def test_what_espefuse_burns_is_burned():
    with served_board(revision=100) as served:
        served.into_download()
        assert espefuse(served, "burn-bit", "BLOCK3", "128", "129").endswith("status 0")
        assert served.board.chip.secure_version == 2
        assert "revision v1.0" in esptool(served.plain_url, "chip-id", stub=False)

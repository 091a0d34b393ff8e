"""The sector that holds a Core's server key and the server's address: one erase takes both (reference §4.3, §7.2)."""

from __future__ import annotations

import pytest

from rig.families.spark_core.boards.keys import write_server_key
from rig.families.spark_core.campaign.dfu_trial import KeySectorWrite
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.keys import ServerRecord
from rig.firmware.manifest import Image
from rig.firmware.outcomes import Became
from rig.power.trigger import Aim
from tests.boards.spark_core.generations import on_generations


def sector(seed: int, address: str) -> bytes:
    """A key of noise and a server's address, as a key file holds them."""
    key = bytes((seed * 7 + at * 31) % 256 for at in range(294))
    return ServerRecord(key, address).pack()


def whole_sector(seed: int) -> bytes:
    """The same with noise behind it, as somebody writes a sector who has read it: all its blocks take their time."""
    return sector(seed, "cloud.example").ljust(layout.EXTERNAL_SECTOR, bytes([seed * 7]))


@pytest.fixture
def core_with_keys(bench):
    """A Core that holds a server key and an address; what it held before is put back."""
    with bench.board.dfu() as host:
        before = host.read(layout.SERVER_KEY_ADDRESS, layout.EXTERNAL_SECTOR)
        host.write(layout.SERVER_KEY_ADDRESS, sector(1, "cloud.example"))
    bench.board.known = True
    yield bench.board
    bench.restore_known_state()
    with bench.board.dfu() as host:
        host.write(layout.SERVER_KEY_ADDRESS, before)


@on_generations("abc", always="b")
def test_a_new_server_key_keeps_the_address_record(core_with_keys, generation):
    write_server_key(core_with_keys, sector(2, "x")[:294])
    with core_with_keys.dfu() as host:
        record = ServerRecord.unpack(host.read(layout.SERVER_KEY_ADDRESS, 512))
    assert record.key == sector(2, "x")[:294]
    assert record.address == "cloud.example"


@on_generations("abc", always="b")
def test_a_bare_key_written_as_the_old_tool_did(core_with_keys, as_expected, generation):
    with core_with_keys.dfu() as host:
        host.write(layout.SERVER_KEY_ADDRESS, sector(2, "x")[:294])
        record = ServerRecord.unpack(host.read(layout.SERVER_KEY_ADDRESS, 512))
    became = Became("lost" if record.address is None else "kept")
    as_expected.of("dfu-external", "a bare key is written", became)


@on_generations("abc", always="", timing="real")
@pytest.mark.parametrize("phase", ["erase", "program"])
@pytest.mark.usefixtures("core_with_keys")
def test_a_cut_in_the_key_sector(cut, as_expected, phase, generation):
    wanted = Image("keys", "spark-core", "2", whole_sector(2), "ok")
    verdict = cut(KeySectorWrite(wanted, Aim(phase, share=0.25, delay_ms=3)), lands=phase)
    as_expected(verdict, wanted="old")
    left = verdict.left[layout.SERVER_KEY_ADDRESS]
    former = sector(1, "cloud.example")
    key = Became("kept" if left == wanted.data or left[: len(former)] == former else "lost")
    as_expected.of("dfu-external", f"the key sector, {phase}", key)

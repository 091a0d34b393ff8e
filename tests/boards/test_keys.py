"""The sector that holds a Core's server key and the server's address: one erase takes both (reference §4.3, §7.2)."""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.boards.core_keys import write_server_key
from rig.campaign.trial import KeySectorWrite
from rig.firmware.manifest import Image
from rig.formats import spark_flash as layout
from rig.formats.spark_keys import ServerRecord
from rig.power.trigger import Aim


def sector(seed: int, address: str) -> bytes:
    """A key of noise and a server's address, as a key file holds them."""
    key = bytes((seed * 7 + at * 31) % 256 for at in range(294))
    return ServerRecord(key, address).pack()


@pytest.fixture
def core_with_keys(bench):
    """A Core that holds a server key and an address; what it held before is put back."""
    with bench.board.dfu() as host:
        before = host.read(layout.SERVER_KEY_ADDRESS, layout.EXTERNAL_SECTOR)
        host.write(layout.SERVER_KEY_ADDRESS, sector(1, "cloud.example"))
    bench.board.known = True
    yield bench.board
    bench.make_known()
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
def test_a_bare_key_written_as_the_old_tool_did_loses_the_address(core_with_keys, known_defect, generation):
    with core_with_keys.dfu() as host:
        host.write(layout.SERVER_KEY_ADDRESS, sector(2, "x")[:294])
        record = ServerRecord.unpack(host.read(layout.SERVER_KEY_ADDRESS, 512))
    assert record.address is None
    known_defect("bare-key-erases-server-address")


@on_generations("abc", always="", timing="real")
@pytest.mark.parametrize("phase", ["erase", "program"])
@pytest.mark.usefixtures("core_with_keys")
def test_a_cut_in_the_key_sector_loses_the_key_but_not_the_application(cut, known_defect, phase, generation):
    wanted = Image("keys", "spark-core", "2", sector(2, "cloud.example"), "ok")
    verdict = cut(KeySectorWrite(wanted, Aim(phase, delay_ms=3)), lands=phase)
    assert (verdict.outcome.image, verdict.outcome.rung) == ("old", "self")
    assert verdict.left[layout.SERVER_KEY_ADDRESS][: len(wanted)] != wanted.data
    known_defect("key-sector-has-no-second-copy")

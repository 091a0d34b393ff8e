"""Updates over DFU: what a Core takes, what the rig refuses to give it, what it gives away."""

from __future__ import annotations

import pytest

from rig.drivers.dfu_host import EraseOrder
from rig.errors import Misuse
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.trust.core_key import core_public_key
from rig.firmware.outcomes import Became
from tests.boards.spark_core.generations import on_generations


@on_generations("abc")
@pytest.mark.parametrize("order", EraseOrder, ids=lambda order: order.value)
def test_an_update_runs_after_it_was_written(bench, image, order, generation):
    bench.board.update(image("new"), order=order)
    bench.board.must.be_alive(bench.board.timing.start)
    bench.board.enter_dfu()
    with bench.board.dfu() as host:
        assert host.read(layout.APP_ADDRESS, len(image("new"))) == image("new").data


REFUSED = {
    "an image of one byte too many": ("oversize", layout.APP_ADDRESS, "at most 110,592 bytes"),
    "a text file": ("text", layout.APP_ADDRESS, "no stack pointer"),
    "erased flash": ("blank", layout.APP_ADDRESS, "no stack pointer"),
    "the bootloader's own pages": ("new", layout.INTERNAL_BASE, "not in a writable segment"),
    "an address in no memory": ("new", 0x2000_0000, "not in a writable segment"),
}


@pytest.mark.board("spark-core", mode="wired")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_run_is_refused_before_anything_is_erased(bench, image, case):
    role, address, reason = REFUSED[case]
    with pytest.raises(Misuse, match=reason):
        bench.board.update(image(role), address=address)
    with bench.board.dfu() as host:
        assert host.read(layout.APP_ADDRESS, len(bench.golden)) == bench.golden.data


@on_generations("abc", always="b")
def test_an_image_that_crashes_at_once(bench, image, as_expected, generation):
    bench.board.update(image("crashing"))
    became = bench.outcome_unattended(bench.board.timing.self_healing)
    as_expected.of("dfu", "an image that crashes at once", became, wanted="old")


@on_generations("abc", always="b")
def test_an_image_that_hangs_after_a_second(bench, image, as_expected, generation):
    bench.board.update(image("hanging"))
    became = bench.outcome_unattended(bench.board.timing.self_healing)
    as_expected.of("dfu", "an image that hangs after a second", became, wanted="old")


@on_generations("abc")
def test_whether_anybody_can_read_flags_and_keys(bench, as_expected, generation):
    with bench.board.dfu() as host:
        sector = host.read(layout.CORE_KEY_ADDRESS, layout.EXTERNAL_SECTOR)
        assert SystemFlags.unpack(host.read(layout.FLAGS_ADDRESS, SystemFlags.SIZE)).ota == layout.OTA_RUN
    if sector[:4] == b"\xff" * 4:
        pytest.skip("not run here: the Core holds no key; `rig lab bring-up` gives it one")
    is_secret = core_public_key(sector) is None
    as_expected.of("dfu", "the private key is read", Became("kept" if is_secret else "lost"))


@pytest.mark.board("spark-core", mode="wired", revision="black")
def test_the_black_core_takes_updates_as_the_white_one_does(bench, image):
    bench.board.update(image("new"))
    bench.board.must.be_alive(bench.board.timing.start)
    bench.board.enter_dfu()
    bench.board.update(image("old"))
    bench.board.must.be_alive(bench.board.timing.start)

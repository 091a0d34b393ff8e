"""Updates over DFU: what a Core takes, what the rig refuses to give it, what it gives away."""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.drivers.dfu_host import EraseOrder
from rig.errors import Misuse
from rig.formats import spark_flash as layout
from rig.formats.spark_flash import SystemFlags
from rig.trust.core_key import core_public_key


@on_generations("abc")
@pytest.mark.parametrize("order", EraseOrder, ids=lambda order: order.value)
def test_an_update_runs_after_it_was_written(bench, image, order, generation):
    bench.board.update(image("new"), order=order)
    assert bench.board.is_alive(bench.board.timing.start)
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


@on_generations("bc", always="b")
def test_an_image_that_crashes_at_once_is_rolled_back_to_the_previous_one(bench, image, generation):
    bench.board.update(image("crashing"))
    assert bench.board.is_alive(bench.board.timing.self_healing)
    bench.board.enter_dfu()
    with bench.board.dfu() as host:
        previous = bench.roles["previous"]
        assert host.read(layout.APP_ADDRESS, len(previous)) == previous.data


@on_generations("a", always="")
def test_without_a_watchdog_an_image_that_crashes_hangs_for_ever(bench, image, known_defect, generation):
    bench.board.update(image("crashing"))
    assert bench.board.observe(bench.board.timing.self_healing) is None
    bench.board.power_off()
    bench.board.power_on()
    assert bench.board.observe(bench.board.timing.self_healing) is None
    known_defect("crashing-image-hangs-without-watchdog")


@on_generations("abc", always="b")
def test_an_image_that_hangs_after_a_second_is_not_rolled_back(bench, image, known_defect, generation):
    bench.board.update(image("hanging"))
    assert bench.board.observe(bench.board.timing.self_healing) is None
    bench.board.enter_dfu()
    with bench.board.dfu() as host:
        assert host.read(layout.APP_ADDRESS, len(image("hanging"))) == image("hanging").data
    known_defect("hanging-image-counts-as-healthy")


@on_generations("abc")
def test_flags_and_keys_can_be_read_by_anybody(bench, known_defect, generation):
    with bench.board.dfu() as host:
        sector = host.read(layout.CORE_KEY_ADDRESS, layout.EXTERNAL_SECTOR)
        assert SystemFlags.unpack(host.read(layout.FLAGS_ADDRESS, SystemFlags.SIZE)).ota == layout.OTA_RUN
    if sector[:4] == b"\xff" * 4:
        pytest.skip("not run here: the Core holds no key; `rig lab bring-up` gives it one")
    assert core_public_key(sector) is not None
    known_defect("private-key-can-be-read-over-dfu")


@pytest.mark.board("spark-core", mode="wired", revision="black")
def test_the_black_core_takes_updates_as_the_white_one_does(bench, image):
    bench.board.update(image("new"))
    assert bench.board.is_alive(bench.board.timing.start)
    bench.board.enter_dfu()
    bench.board.update(image("old"))
    assert bench.board.is_alive(bench.board.timing.start)

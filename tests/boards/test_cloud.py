"""Cores in the Spark cloud: what they offer, updates over the air from version to version, what faults leave."""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.clock import Clock, look_for
from rig.formats import spark_flash as layout
from rig.formats.spark_flash import plausible_first_word

TINKER = {"digitalread", "digitalwrite", "analogread", "analogwrite"}


@on_generations("abc", always="b", wifi="joined")
def test_an_update_over_the_air_is_applied_and_said_to_be(bench, online, image, generation):
    told = online.update(image("new"))
    assert told["ok"], told["reason"]
    assert online.told()["updated"]
    assert bench.board.read_application(len(image("new"))) == image("new").data


@on_generations("b", always="", wifi="joined")
def test_tinker_answers_before_and_after_an_update(online, image, generation):
    for _ in range(2):
        offered = online.describe()
        if not set(offered["f"]) >= TINKER:
            pytest.skip("not run here: the firmware is not Tinker")
        assert online.call("digitalwrite", "D3,HIGH") == 1
        assert online.call("digitalread", "D3") == 1
        assert online.call("digitalread", "D9") < 0
        assert online.update(image("new"))["ok"]
    assert online.told()["updated"]


@on_generations("b", always="b", wifi="joined")
def test_a_core_answers_while_it_is_updated(online, image, generation):
    offered = online.describe()
    if not offered["v"]:
        pytest.skip("not run here: the firmware has no variable")
    name = next(iter(offered["v"]))
    update = online.begin_update(image("full"))
    assert look_for(lambda: online.told()["updating"], seconds=10, clock=Clock())
    value = online.variable(name)
    assert update.is_alive(), "it answered in the middle of it"
    assert update.result()["ok"]
    assert type(online.variable(name)) is type(value)


@on_generations("b", always="", wifi="joined")
def test_twenty_updates_in_a_row(online, image, generation):
    for number in range(20):
        told = online.update(image("old" if number % 2 else "new"))
        assert told["ok"], f"update {number}: {told['reason']}"


def flash_diff(slot: bytes, sent: bytes, size: int = 256) -> str:
    """Which of the chunks that were sent lies where, in order: `0-4 4-36` is chunk 4 twice, the rest shifted."""
    chunks = [sent[at : at + size].ljust(size, b"\0") for at in range(0, len(sent), size)]
    places = [slot[at : at + size] for at in range(0, len(slot), size)]
    order = [chunks.index(place) if place in chunks else None for place in places if place != b"\xff" * size]
    runs: list[list[int]] = []
    for index in order:
        if index is None:
            continue
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return " ".join(f"{run[0]}-{run[-1]}" for run in runs)


#: What goes wrong, after which chunk, and the name of the defect that a Core without an index on the wire has.
HAZARDS = {
    "a chunk comes twice": ("duplicate", 4, "duplicated-chunk-shifts-image"),
    "UpdateBegin comes twice": ("second-begin", 9, "second-update-begin-restarts-at-zero"),
    "UpdateDone comes early": ("early-done", 20, "update-done-is-obeyed-early"),
}


@on_generations("b", always="", wifi="joined")
@pytest.mark.parametrize("case", HAZARDS)
def test_a_fault_on_the_way_installs_an_image_nobody_sent(
    bench, online, image, known_defect, record_property, case, generation
):
    kind, chunk, defect = HAZARDS[case]
    online.fault(kind, chunk=chunk)
    online.forget()
    online.begin_update(image("new"))
    bench.board.observe(bench.board.timing.ota_copy + bench.board.timing.self_healing)
    bench.board.enter_dfu()
    with bench.board.dfu() as host:
        slot = host.read(layout.OTA_ADDRESS, len(image("new")))
    online.hang_up()
    record_property("became", f"{kind} → chunks {flash_diff(slot, image('new').data)}")
    assert slot != image("new").data, "every chunk had a good CRC, and yet"
    known_defect(defect)


#: What the network does to an update: to which message, for how many seconds.
NETWORKS = {
    "a chunk is held beyond the Core's patience": ("hold", "chunk", 4.0),
    "a chunk is held for long": ("hold", "chunk", 13.0),
    "what a Core answers to a chunk is held": ("hold", "received", 7.0),
    "UpdateBegin is held until it is sent again": ("hold", "begin", 7.0),
    "UpdateDone is held": ("hold", "done", 4.0),
    "two messages come as one": ("merge", "chunk-ack", 1.0),
}


@on_generations("b", always="", wifi="joined")
@pytest.mark.parametrize("case", NETWORKS)
def test_a_network_that_misbehaves_costs_time_and_no_more(bench, online, image, case, generation):
    kind, message, seconds = NETWORKS[case]
    online.disturb(kind, message, seconds=seconds)
    online.connect_anew(bench.board.timing.start)
    told = online.update(image("new"))
    assert told["ok"], told["reason"]
    assert bench.board.read_application(len(image("new"))) == image("new").data


@on_generations("b", always="", wifi="joined")
def test_an_image_that_crashes_is_rolled_back(bench, online, image, generation):
    told = online.update(image("crashing"))
    assert (told["ok"], told["acknowledged"]) == (False, True)
    assert bench.board.read_application(len(image("old"))) == image("old").data


@on_generations("b", always="", wifi="joined")
def test_an_image_that_hangs_after_a_second_stays(bench, online, image, known_defect, generation):
    online.forget()
    online.begin_update(image("hanging"))
    assert bench.board.observe(bench.board.timing.ota_copy + bench.board.timing.self_healing) is None
    online.hang_up()
    assert bench.board.read_application(len(image("hanging"))) == image("hanging").data
    known_defect("hanging-image-counts-as-healthy")


@on_generations("b", always="", wifi="joined")
def test_a_text_as_firmware_strands_a_core(bench, online, image, known_defect, generation):
    assert not plausible_first_word(image("text").data)
    online.forget()
    online.begin_update(image("text"), force=True)
    assert bench.board.observe(bench.board.timing.ota_copy) == "1d50:607f", "in DFU, for ever"
    online.hang_up()
    known_defect("ota-image-is-not-checked")


@on_generations("b", always="", wifi="joined")
def test_updates_lead_from_version_to_version_and_back(online, image, generation):
    for role in ("new", "probe", "fast", "old"):
        told = online.update(image(role))
        assert told["ok"], f"{role}: {told['reason']}"


@on_generations("b", always="", wifi="joined")
def test_a_function_publishes_pings_and_returns(online, image, generation):
    assert online.update(image("probe"))["ok"]
    with online.hearing("rig/echo") as heard:
        assert online.call("echo", "hello") == 1
        assert online.call("length", "four") == 4
    assert heard == ["hello"]
    assert online.call("ping", "127.0.0.1") == 5


@on_generations("b", always="", wifi="joined")
def test_a_fast_update_of_a_core_that_takes_them(bench, online, image, generation):
    assert online.update(image("fast"))["ok"]
    told = online.update(image("new"), chunk_size=512, fast=True)
    assert (told["ok"], told["fast"]) == (True, True)

"""Cores in the Spark cloud: what they offer, updates over the air from version to version, what faults leave."""

from __future__ import annotations

import pytest

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import plausible_first_word
from rig.firmware.outcomes import Became
from tests.boards.spark_core.generations import on_generations

TINKER = {"digitalread", "digitalwrite", "analogread", "analogwrite"}


@on_generations("abc", always="b", wifi="joined")
def test_an_update_over_the_air_is_applied_and_said_to_be(bench, online, image, generation):
    result = online.update(image("new"))
    assert result["ok"], result["reason"]
    assert online.info()["updated"], "its cloud does not list it as updated"
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
        result = online.update(image("new"))
        assert result["ok"], result["reason"]
    assert online.info()["updated"], "its cloud does not list it as updated"


@on_generations("b", always="b", wifi="joined")
def test_a_core_answers_while_it_is_updated(bench, online, image, generation):
    offered = online.describe()
    if not offered["v"]:
        pytest.skip("not run here: the firmware has no variable")
    name = next(iter(offered["v"]))
    update = online.begin_update(image("full"))
    bench.board.must.satisfy("its cloud lists it as updating", lambda: online.info()["updating"], 10)
    value = online.variable(name)
    assert update.is_alive(), "it answered in the middle of it"
    result = update.result()
    assert result["ok"], result["reason"]
    assert type(online.variable(name)) is type(value)


@on_generations("b", always="", wifi="joined")
def test_twenty_updates_in_a_row(online, image, generation):
    for number in range(20):
        result = online.update(image("old" if number % 2 else "new"))
        assert result["ok"], f"update {number}: {result['reason']}"


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


#: What goes wrong, and after which chunk: a Core has no index on the wire.
HAZARDS = {
    "a chunk comes twice": ("duplicate", 4),
    "UpdateBegin comes twice": ("second-begin", 9),
    "UpdateDone comes early": ("early-done", 20),
}


@on_generations("b", always="", wifi="joined")
@pytest.mark.parametrize("case", HAZARDS)
def test_what_a_fault_on_the_way_makes_of_an_image_whose_every_chunk_has_a_good_crc(
    bench, online, image, as_expected, record_property, case, generation
):
    kind, chunk = HAZARDS[case]
    online.fault(kind, chunk=chunk)
    online.forget()
    online.begin_update(image("new"))
    bench.board.observe(bench.board.timing.ota_copy + bench.board.timing.self_healing)
    bench.board.enter_dfu()
    with bench.board.dfu() as host:
        slot = host.read(layout.OTA_ADDRESS, len(image("new")))
    online.hang_up()
    as_expected.of("cloud", case, Became("new" if slot == image("new").data else "other"))
    record_property("became", f"{kind} → chunks {flash_diff(slot, image('new').data)}")


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
    result = online.update(image("new"))
    assert result["ok"], result["reason"]
    assert bench.board.read_application(len(image("new"))) == image("new").data


@on_generations("b", always="", wifi="joined")
def test_an_image_that_crashes_at_once(bench, online, image, as_expected, generation):
    result = online.update(image("crashing"))
    assert (result["ok"], result["acknowledged"]) == (False, True)
    became = bench.outcome_unattended(bench.board.timing.self_healing)
    as_expected.of("cloud", "an image that crashes at once", became, wanted="old")


@on_generations("b", always="", wifi="joined")
def test_an_image_that_hangs_after_a_second(bench, online, image, as_expected, generation):
    online.forget()
    online.begin_update(image("hanging"))
    became = bench.outcome_unattended(bench.board.timing.ota_copy + bench.board.timing.self_healing)
    online.hang_up()
    as_expected.of("cloud", "an image that hangs after a second", became, wanted="old")


@on_generations("b", always="", wifi="joined")
def test_a_text_as_firmware(bench, online, image, as_expected, generation):
    assert not plausible_first_word(image("text").data), "the image text is to be none that a Core would start"
    online.forget()
    online.begin_update(image("text"), force=True)
    became = bench.outcome_unattended(bench.board.timing.ota_copy)
    online.hang_up()
    as_expected.of("cloud", "a text as firmware", became, wanted="old")


@on_generations("b", always="", wifi="joined")
def test_updates_lead_from_version_to_version_and_back(online, image, generation):
    for role in ("new", "probe", "fast", "old"):
        result = online.update(image(role))
        assert result["ok"], f"{role}: {result['reason']}"


@on_generations("b", always="", wifi="joined")
def test_a_function_publishes_pings_and_returns(online, image, generation):
    result = online.update(image("probe"))
    assert result["ok"], result["reason"]
    with online.hearing("rig/echo") as heard:
        assert online.call("echo", "hello") == 1
        assert online.call("length", "four") == 4
    assert heard == ["hello"]
    assert online.call("ping", "127.0.0.1") == 5


@on_generations("b", always="", wifi="joined")
def test_a_fast_update_of_a_core_that_takes_them(bench, online, image, generation):
    result = online.update(image("fast"))
    assert result["ok"], result["reason"]
    result = online.update(image("new"), chunk_size=512, fast=True)
    assert (result["ok"], result["fast"]) == (True, True)

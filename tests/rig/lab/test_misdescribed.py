"""What a lab's people get wrong in a place's description: a fault of the lab, in one line with what mends it."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from rig.cli import lab as lab_command
from rig.errors import Misdescribed
from rig.firmware.checkout import part
from rig.lab.acquisition import Boards, NotHere
from tests.boards.long_cases import some_always
from tests.rig.rack.rig_up import Up
from tests.rig.suites.rig_run import rig_run

PLACES = part("places", "virtual.yaml")


@pytest.fixture(scope="module")
def up():
    rack = Up("--cores", "1", "--esp32s", "2", "--time-scale", "0.1")
    yield rack
    rack.end()


@pytest.fixture
def tagged(up):
    """Tags of a place that are others while the test runs; an empty value takes one away."""
    before: list[tuple[str, str]] = []

    def tag(place: str, *words: str) -> None:
        shown = up.client("-p", place, "show")
        for word in words:
            name, _, _ = word.partition("=")
            told = re.search(rf"\b{name}=([^,\s]*)", shown)
            before.append((place, f"{name}={told[1] if told else ''}"))
        up.client("-p", place, "set-tags", *words)

    yield tag
    for place, word in before:
        up.client("-p", place, "set-tags", word)


@pytest.fixture
def environment(tmp_path):
    """The places' environment without one of its drivers."""

    def without(kind: str, driver: str):
        name = "virtual-esp32.yaml" if kind == "esp32" else "virtual.yaml"
        lines = part("places", name).read_text().splitlines(keepends=True)
        (at,) = (number for number, line in enumerate(lines) if line.strip() == f"- {driver}:")
        path = tmp_path / "lab.yaml"
        path.write_text("".join(lines[:at] + lines[at + 3 :]))
        return path

    return without


#: The place, how it is tagged wrongly, what is said of it, and what mends it.
TAGS = {
    "no mac": ("esp32-01", "mac=", "has no tag mac", "set-tags mac="),
    "half a mac": ("esp32-01", "mac=240ac4", "the tag mac=240ac4 is malformed", "`rig serial info`"),
    "a name for an address": ("esp32-01", "address=board7", "address=board7 is malformed", "DHCP"),
    "a time scale that is none": ("esp32-01", "timing_scale=fast", "timing_scale=fast is no number", ""),
    "a seed that is none": ("core-01", "seed=x", "seed=x is malformed", "set-tags seed="),
    "a network and no id": ("core-01", "wifi=joined core_id=", "has no tag core_id", "set-tags core_id="),
    "a value that no tag has": ("core-01", "feeds=som", "feeds=som is malformed", "set-tags feeds=all`"),
    "a mistyped timing": ("esp32-01", "timing=unreal", "timing=unreal is malformed", "real, scaled"),
    "a colour of no Core": ("core-01", "revision=pink", "revision=pink is malformed", "white, black"),
    "a revision of no chip": ("esp32-01", "revision=pink", "revision=pink is malformed", "set-tags revision=v3.0`"),
    "a generation of none": ("core-01", "generation=z", "generation=z is malformed", "c with its version"),
    "half an id": ("core-01", "core_id=48ff6c", "the tag core_id=48ff6c is malformed", "`i` is typed"),
}


@pytest.mark.parametrize("case", TAGS)
def test_a_wrong_tag_is_told_when_its_place_is_acquired_with_what_mends_it(up, tagged, case):
    place, words, wrong, hint = TAGS[case]
    tagged(place, *words.split())
    with Boards(up.coordinator, PLACES, reaps=False) as boards, pytest.raises(Misdescribed, match=wrong) as raised:
        boards.take(place)
    assert (raised.value.board, hint in (raised.value.hint or "")) == (place, True)
    assert place not in up.client("who"), "it is left as it was"


#: Kind of board, tags to set, what its environment lacks, what is told.
LACKS = {
    "an update server": ("esp32", (), "HttpsCloudDriver", "no update server"),
    "a cloud": ("spark-core", ("wifi=joined",), "SparkCloudDriver", "has no cloud"),
    "its USB": ("spark-core", (), "UsbipPortDriver", "lacks a driver"),
}


@pytest.mark.parametrize("case", LACKS)
def test_what_the_environment_lacks_for_a_place_is_told(up, tagged, environment, case):
    kind, tags, driver, wrong = LACKS[case]
    place = {"esp32": "esp32-01", "spark-core": "core-01"}[kind]
    if tags:
        tagged(place, *tags)
    rack = environment(kind, driver)
    with Boards(up.coordinator, rack, reaps=False) as boards, pytest.raises(Misdescribed, match=wrong):
        boards.take(place)


def test_a_board_that_is_not_asked_to_update_needs_no_server(up, tagged, environment):
    tagged("esp32-01", "wifi=")
    with Boards(up.coordinator, environment("esp32", "HttpsCloudDriver"), reaps=False) as boards:
        board = boards.take("esp32-01")
        with pytest.raises(Misdescribed, match="has no update server"):
            board.updates.last_request()


def test_one_place_is_told_once_and_another_is_taken_afterwards(up, tagged):
    tagged("esp32-01", "mac=")
    with Boards(up.coordinator, PLACES, reaps=False) as boards:
        with pytest.raises(Misdescribed):
            boards.get("esp32", {})
        assert boards.get("esp32", {}).name == "esp32-02"
        with pytest.raises(Misdescribed, match="has no tag mac"):
            boards.get_several("esp32", {}, 2)


def test_a_test_is_not_left_out_where_only_a_malformed_tag_hides_its_board(up, tagged):
    tagged("core-01", "mode=wird")
    with Boards(up.coordinator, PLACES, reaps=False) as boards:
        with pytest.raises(Misdescribed, match="the tag mode=wird is malformed"):
            boards.get("spark-core", {"mode": "wired"})
        with pytest.raises(NotHere):
            boards.get("spark-core", {"mode": "wired", "generation": "a2013"})


@pytest.fixture
def stranger(up):
    """A place with a board of a kind that the rig does not know."""
    up.client("-p", "cam-01", "create")
    up.client("-p", "cam-01", "set-tags", "board=camera", "mode=wird")
    yield
    up.client("-p", "cam-01", "delete")


def test_health_names_every_malformed_tag_with_status_3_and_kinds_that_it_leaves_alone(up, tagged, stranger):
    words = {"core-01": ["generation=z", "mode=wird", "relay_ms=fast"], "esp32-02": ["timing=unreal", "mac="]}
    for place, wrong in words.items():
        tagged(place, *wrong)
    done = CliRunner().invoke(lab_command.app, ["health", "--json", "--coordinator", up.coordinator])
    said = [line for line in done.stderr.splitlines() if "hint: `labgrid-client -p" in line]
    for place, wrong in words.items():
        for name, _, value in (word.partition("=") for word in wrong):
            told = f"{place}: {f'the tag {name}={value} is malformed' if value else f'its place has no tag {name}'}"
            assert any(f"{told} (hint: `labgrid-client -p {place} set-tags {name}=" in line for line in said), told
    assert (done.exit_code, len(said)) == (3, 5)
    assert [line for line in done.stderr.splitlines() if "cam-01" in line] == [
        "left alone, as their boards are of no kind that the rig knows: cam-01 (board=camera)"
    ]


#: The board's place, how it is tagged wrongly, and what the run says of its test.
BOARDS = {
    "a bus id of nothing": (
        *("interleaved-b", "core-01", "busid=9-9"),
        r"says busid=9-9, which .* does not offer .* 1-1 \(1d50:607f\).*`labgrid-client -p core-01 set-tags busid=1-1`",
    ),
    "another chip's mac": ("serial and reads_back", "esp32", "mac=240ac4ffffff", r"this chip's address is 240ac400"),
    "another Core's id": ("interleaved-b", "core-01", f"core_id={'0' * 24}", r"is another Core's"),
}


@pytest.mark.long
@pytest.mark.parametrize("case", some_always(BOARDS, "another Core's id"))
def test_a_run_on_another_board_than_the_tags_name_is_a_lab_fault_before_anything_is_written(
    up, tagged, tmp_path, case
):
    chosen, kind, word, said = BOARDS[case]
    for place in up.client("places").split():
        if place.startswith(kind):
            tagged(place, word)
    words = ("--json", "-n", "1", "--report", tmp_path / "r", "--rack", PLACES, "-k", chosen)
    done = rig_run(*words, "--coordinator", up.coordinator)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (finished,) = (event for event in events if event["event"] == "finished")
    assert (done.returncode, finished["result"]) == (3, "lab fault"), finished
    assert re.search(said, finished["message"])
    assert "quarantine" not in up.client("-p", f"{finished['properties']['place']}", "show")

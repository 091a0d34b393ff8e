"""`rig sweep --place` on a small rack: a Core and an ESP32 at once, sweeps that are ended, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import psutil
import pytest

from rig.board_sweep.places import places_to_sweep
from rig.evidence.ledger import read_ledger
from rig.sweep.capsule import Capsule
from rig.sweep.scenario import Settled
from tests.rig.rack.rig_up import Up, gone
from tests.rig.sweep.plans import core_plan
from tests.rig.waiting import HANGS, until

RIG = [sys.executable, "-m", "rig"]
#: One worker runs them all: they share a rack.
pytestmark = pytest.mark.xdist_group("board sweep")


@pytest.fixture(scope="module")
def rack():
    up = Up("--boards", "spark-core=1", "--boards", "esp32=1", "--time-scale", "0.1")
    yield up
    up.end()


def words(rack, *more) -> list[str]:
    return [*RIG, "sweep", *map(str, more), "--coordinator", rack.coordinator]


def ended(rack, *more):
    """A whole command: its exit status, what it printed for scripts, and what it said."""
    done = subprocess.run([*words(rack, *more), "--json"], capture_output=True, text=True, timeout=HANGS)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def lines_in(report, kind: str) -> list[dict]:
    return [
        line for path in sorted(report.glob("ledger/*.jsonl")) for line in read_ledger(path) if line["kind"] == kind
    ]


def lines_of(report, name: str) -> list[dict]:
    return list(read_ledger(report / "ledger" / name))


def verified(report) -> int:
    return subprocess.run([*RIG, "ledger", "verify", str(report)], capture_output=True, timeout=HANGS).returncode


def segments(report) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(report.glob("ledger/*.jsonl"))}


@pytest.fixture(scope="module")
def both(rack, tmp_path_factory):
    """Boards of two kinds, swept at once until that was killed, and gone on with.

    Its report, the segments that the killed one left, and how the second ended.
    """
    report = tmp_path_factory.mktemp("sweeps") / "both"
    asked = ("--rack", rack.ready["environment"], "--seed", 1, "--report", report)
    process = subprocess.Popen(words(rack, *asked, "--most", 99), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(places_in(report)) == 2, "a cut of each board", seconds=HANGS)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert gone(workers)
    left = segments(report)
    status, told, said = ended(rack, *asked, "--most", 1, "--resume")
    assert told is not None, said
    return report, left, status, told


def places_in(report) -> set[str]:
    return {name for name, content in segments(report).items() if b'"kind":"swept"' in content}


@pytest.mark.long
def test_boards_of_two_kinds_are_cut_at_once(both):
    report, _, status, told = both
    assert (status, told["faults"]) == (3, [])
    assert {line["place"] for line in lines_in(report, "swept")} == {"core-01", "esp32-01"}
    aimed = {(row["board"], row["path"]) for row in told["strata"]}
    assert {("spark-core", "ota-copy"), ("esp32", "https")} <= aimed, "phases that nobody came to are told, too"


@pytest.mark.long
def test_a_sweep_that_is_killed_goes_on_and_has_lost_no_cut_but_those_under_way(both):
    report, left, _, told = both
    assert list(left) == ["core-01.1.jsonl", "esp32-01.1.jsonl"]
    now = segments(report)
    assert all(content.startswith(now[name]) for name, content in left.items()), "what was written is not touched"
    cuts = {name: [line for line in lines_of(report, name) if line["kind"] == "swept"] for name in left}
    intents = {name: [line for line in lines_of(report, name) if line["kind"] == "intent"] for name in left}
    assert all(len(intents[name]) <= len(cuts[name]) + 1 for name in left)
    assert told["cuts"] == sum(map(len, cuts.values())) + 1


@pytest.mark.long
def test_each_aim_came_to_one_thing(both):
    strata = both[3]["strata"]
    for row in strata:
        assert row["aimed"] == row["landed"] + row["elsewhere"] + row["inferred"] + row["missed"]
    assert sum(row["aimed"] for row in strata) == both[3]["cuts"]


@pytest.mark.long
def test_twins_become_what_the_model_says(both):
    report, _, _, told = both
    compared = [line["model"] for line in lines_in(report, "swept")]
    assert "agrees" in compared
    assert "disagrees" not in compared
    assert told["disagreements"] == []


@pytest.mark.long
def test_a_control_cut_vouches_for_the_last_cuts(both):
    """Of the board that was cut once more."""
    last = max(lines_in(both[0], "swept"), key=lambda line: line["number"])
    assert {line["place"]: line["passed"] for line in lines_in(both[0], "control")} == {last["place"]: True}


@pytest.mark.long
def test_its_ledger_is_evidence_with_a_segment_for_each_place_and_command(both):
    report, _, _, told = both
    assert set(segments(report)) == {f"{place}.{n}.jsonl" for place in ("core-01", "esp32-01") for n in (1, 2)}
    assert verified(report) == 0
    assert told["head"]
    trials = {line["trial"] for line in lines_in(report, "cut")}
    assert {line["trial"] for line in lines_in(report, "swept") if line["trial"]} <= trials


@pytest.mark.long
def test_a_relay_that_is_read_late_is_told_apart(both):
    """Each line says whether the relay took what was reckoned with, whatever became of the cut."""
    assert all(isinstance(line["late"], bool) for line in lines_in(both[0], "swept"))


ONE = ("spark-core", "dfu", "--place", "core-01")


def test_a_core_is_cut_once_and_becomes_what_the_model_says(rack, tmp_path):
    status, told, said = ended(rack, *ONE, "--most", 1, "--seed", 3, "--report", tmp_path / "r")
    assert (status, told and told["disagreements"], told and told["faults"]) == (3, [], []), said
    assert sum(row["aimed"] for row in told["strata"]) == told["cuts"] == 1
    assert verified(tmp_path / "r") == 0


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_sweep_that_is_ended_goes_on_and_has_lost_no_cut_but_one(rack, tmp_path, number):
    report, log = tmp_path / "sweep", (tmp_path / "log").open("w")
    process = subprocess.Popen(words(rack, *ONE, "--most", 99, "--report", report), stdout=log, stderr=log)
    segment = report / "ledger" / "core-01.1.jsonl"
    until(lambda: segment.exists() and b'"kind":"swept"' in segment.read_bytes(), "a first cut", seconds=HANGS)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(HANGS) == 3
    assert gone(workers)
    shown = rack.client("-p", "core-01", "show")
    assert "acquired: None" in shown
    before, cuts = segment.read_bytes(), len(lines_in(report, "swept"))
    assert len(lines_in(report, "intent")) <= cuts + 1
    status, told, said = ended(rack, *ONE, "--most", 1, "--report", report, "--resume")
    assert (status, told and told["cuts"]) == (3, cuts + 1), said
    assert segment.read_bytes() == before[: len(segment.read_bytes())], "what was written is not touched"
    assert [line["number"] for line in lines_in(report, "swept")] == list(range(1, cuts + 2))
    assert verified(report) == 0


@pytest.mark.long
def test_a_place_whose_process_is_killed_is_named_and_taken_back(rack, tmp_path):
    report = tmp_path / "sweep"
    process = subprocess.Popen(words(rack, *ONE, "--most", 99, "--report", report), stdout=subprocess.PIPE, text=True)
    segment = report / "ledger" / "core-01.1.jsonl"
    until(lambda: segment.exists() and b'"kind":"swept"' in segment.read_bytes(), "a first cut", seconds=HANGS)
    spawned = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    spawned[0].kill()
    said, _ = process.communicate(timeout=HANGS)
    assert process.returncode == 3
    assert "core-01: its process ended with status -9" in said
    status, told, said = ended(rack, *ONE, "--most", 1, "--report", report, "--resume")
    assert (status, told and told["faults"]) == (3, []), said
    assert verified(report) == 0


@pytest.mark.long
def test_other_rules_do_not_go_on_with_it(rack, both):
    report = both[0]
    status, _, said = ended(rack, "--place", "core-01", "--most", 1, "--seed", 2, "--report", report, "--resume")
    assert (status, "another seed or policy" in said) == (2, True)
    assert verified(report) == 0


@pytest.mark.long
def test_a_sweep_that_was_changed_is_not_gone_on_with(rack, both):
    report = both[0]
    segment = report / "ledger" / "core-01.1.jsonl"
    whole = segment.read_bytes()
    try:
        segment.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
        status, _, said = ended(rack, "--place", "core-01", "--most", 1, "--seed", 1, "--report", report, "--resume")
        assert (status, "is not what it was" in said) == (2, True)
    finally:
        segment.write_bytes(whole)


def test_a_capsule_is_replayed_on_a_board_until_it_falls_there(rack):
    capsule = Capsule.of(core_plan("dfu"), ((2_000, "prefix"),), Settled("previous", "self"))
    command = [*RIG, "replay", str(capsule), "--place", "core-01", "--coordinator", rack.coordinator, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    told = json.loads(done.stdout)
    assert (done.returncode, told["became"], told["phase"], told["still_happens"]) == (1, "previous", "program", True)


REFUSED = {
    "of another generation": (core_plan("dfu", generation="c"), ((2_000, "prefix"),), "generation c, and it has b"),
    "of two cuts": (core_plan("dfu"), ((2_000, "prefix"), (3, "before")), "has several"),
    "of a path that no relay can hit": (core_plan("server-key"), ((3, "before"),), "'server-key'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_capsule_that_a_board_cannot_be_given_is_misuse(rack, case):
    plan, cuts, told = REFUSED[case]
    capsule = str(Capsule.of(plan, cuts, Settled("previous", "self")))
    command = [*RIG, "replay", capsule, "--place", "core-01", "--coordinator", rack.coordinator]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, told in done.stderr, len(done.stderr.splitlines())) == (2, True, 1), done.stderr


def test_all_healthy_boards_of_a_kind_are_swept_where_none_is_named(rack):
    (found,) = places_to_sweep(rack.coordinator, [], "esp32", "https")
    assert (found.name, found.paths) == ("esp32-01", ("https",))
    assert [place.name for place in places_to_sweep(rack.coordinator, [], None, None)] == ["core-01", "esp32-01"]

"""Sweeps of boards without a board: every named check, and tables of what ends one and what it comes to."""

from __future__ import annotations

import inspect
import math
import multiprocessing
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig.board_sweep import places, worker
from rig.board_sweep.ends import Ends, read_duration
from rig.board_sweep.session import Session
from rig.board_sweep.stratum import Fell
from rig.board_sweep.sweep import BoardSweep, Fault, _Worker
from rig.board_sweep.task import Order, Rules, Said
from rig.board_sweep.verdict import verdict_of
from rig.cli import board_sweep_output
from rig.cli.board_sweep import BoardSweepOptions, sweep_boards
from rig.cli.board_sweep_output import _time_left, show_end
from rig.errors import Misuse
from rig.families.spark_core.boards.timing import Timing
from rig.gate.policy import Policy
from tests.rig.board_sweep import checks_board_sweep, checks_place_sweep, checks_session
from tests.rig.board_sweep.checks_on_board import trials
from tests.rig.board_sweep.made_up import GENERATION, MANIFEST, PROGRAM, core_map, core_path, swept, tally_of
from tests.rig.board_sweep.mutants_board_sweep import MUTANTS


def checks_of(module):
    """Its functions that take a folder."""
    found = [it for it in vars(module).values() if inspect.isfunction(it) and it.__module__ == module.__name__]
    return [it for it in found if list(inspect.signature(it).parameters) in (["_folder"], ["folder"])]


CHECKS = [*checks_of(checks_board_sweep), *checks_of(checks_place_sweep), *checks_of(checks_session)]
#: Those that notice planted faults are run beside them, in test_mutants.
ALONE = [check for check in CHECKS if check not in [noticed for _, noticed in MUTANTS.values()]]


@pytest.mark.parametrize("check", ALONE, ids=lambda check: check.__name__)
def test_it_holds(check, tmp_path):
    check(tmp_path)


DURATIONS = {"90s": 90, "30m": 1800, "2h": 7200, "0.5h": 1800}


@pytest.mark.parametrize("text", DURATIONS)
def test_a_budget_is_read(text):
    assert read_duration(text) == DURATIONS[text]


@pytest.mark.parametrize("text", ["", "2", "h", "0s", "-1h", "1d", "1e9h", "2 h", "٢h", "9" * 400 + "h"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(Misuse, match="is no time"):
        read_duration(text)


def test_a_budget_ends_a_sweep():
    assert Ends(cuts=3).is_over(3)
    assert not Ends(cuts=3).is_over(2)
    assert Ends(seconds=0.0).is_over(0)
    assert Ends().seconds_left == math.inf


GOOD = Policy(tolerated=0.5, prior=(1.0, 1.0))
MANY = [swept(number) for number in range(2, 40)]
#: Cuts, faults of places, and the exit status they come to.
ENDS = {
    "every bound is met": (MANY, [], 0),
    "too few cuts": ([swept(1)], [], 3),
    "no cut at all": ([], [], 3),
    "too many need a hand": ([swept(number, needed_hand=True) for number in range(1, 40)], [], 1),
    "the lab broke": (MANY, [Fault("core-01", "its relay", 3)], 3),
    "the firmware broke": (MANY, [Fault("core-01", "it hangs", 1)], 1),
    "somebody named what is not there": (MANY, [Fault("core-01", "no image", 2)], 2),
    "one died": ([swept(1, dead=True), *MANY], [], 1),
    "one is not as the model says": ([swept(1, model="disagrees"), *MANY], [], 1),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_sweep_comes_to(name):
    cuts, faults, status = ENDS[name]
    assert verdict_of(tally_of(*cuts), GOOD, [PROGRAM], faults).status == status


#: What a command says of boards beside its kind, path and place, and what it is told.
MISUSES = {
    "nothing says when it ends": ({}, [], "nothing says when it ends"),
    "a choice": ({"most": 1}, ["--generation", "a"], "--generation' is not for boards"),
    "a budget that is no time": ({"budget": "soon"}, [], "'soon' is no time"),
    "a policy that there is not": ({"until": "/nowhere.toml"}, [], "/nowhere.toml"),
    "no report to go on with": ({"most": 1, "resume": True}, [], "--resume needs the folder"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_told_before_a_coordinator_is_asked(name):
    said, words, told = MISUSES[name]
    nothing = dict.fromkeys(("rack", "until", "budget", "most", "manifest", "report"))
    options = {"seed": 0, "resume": False, "as_json": False, "coordinator": "127.0.0.1:1", **nothing, **said}
    with pytest.raises(Misuse, match=told):
        sweep_boards(BoardSweepOptions(kind="spark-core", path="dfu", places=["core-01"], **options), words)


def test_a_report_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "notes").touch()
    with pytest.raises(Misuse, match="is not empty"):
        Session.begin(tmp_path, Rules(0, Policy()))


def test_no_sweep_is_gone_on_with_where_there_is_none(tmp_path):
    with pytest.raises(Misuse, match="has no sweep to go on with"):
        Session.resume(tmp_path, Rules(0, Policy()))


PLACES = {
    "core-01": {"board": "spark-core", "generation": "b", "mode": "wired"},
    "core-02": {"board": "spark-core", "generation": "b", "mode": "wired", "health": "quarantine"},
    "core-03": {"board": "spark-core", "generation": "a", "mode": "wired", "wifi": "joined"},
    "core-04": {"board": "spark-core", "generation": "b"},
    "lamp-01": {"board": "lamp"},
    "esp32-01": {"board": "esp32", "boot": "wired", "bridge": "board"},
}
#: Places, kind and path that somebody names, and what they are told.
REFUSED = {
    "a place that there is not": (["core-99"], None, None, "no place is called core-99"),
    "another kind of board": (["core-01"], "esp32", None, "core-01 has a board of kind spark-core, not esp32"),
    "a kind that is nobody's": (["lamp-01"], None, None, "of kind lamp"),
    "one in quarantine": (["core-02"], None, None, "core-02 is in quarantine"),
    "a path that boards have not": (["core-01"], "spark-core", "rollback", "'rollback'"),
    "a path of another kind": (["core-01"], None, "https", "'https'"),
    "a place that lacks what all need": (["core-04"], None, None, "lacks mode=wired"),
    "a place that lacks what a path needs": (["core-01"], None, "factory-reset", "lacks wifi=joined"),
    "a board that has not what is cut": (["core-03"], None, "factory-reset", "no phase of it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_swept_is_refused(name, monkeypatch):
    monkeypatch.setattr(places, "tags_of_places", lambda _coordinator: PLACES)
    *asked, told = REFUSED[name]
    with pytest.raises(Misuse) as refused:
        places.places_to_sweep("", *asked)
    assert told in str(refused.value)


def test_a_board_is_swept_by_every_path_that_its_place_can(monkeypatch):
    monkeypatch.setattr(places, "tags_of_places", lambda _coordinator: PLACES)
    paths = {place.name: place.paths for place in places.places_to_sweep("", ["core-01", "esp32-01"], None, None)}
    assert paths["core-01"] == ("dfu", "dfu-interleaved", "ota-copy", "factory-button")
    assert paths["esp32-01"] == ("serial",)


def test_whoever_can_be_swept_is_where_no_place_is_named(monkeypatch):
    monkeypatch.setattr(places, "tags_of_places", lambda _coordinator: PLACES)
    assert [place.name for place in places.places_to_sweep("", [], None, None)] == ["core-01", "core-03", "esp32-01"]
    assert [place.name for place in places.places_to_sweep("", [], None, "serial")] == ["esp32-01"]
    with pytest.raises(Misuse, match="no place has a healthy board"):
        places.places_to_sweep("", [], "esp32", "https")


def test_an_image_that_a_path_needs_is_missed_by_its_part():
    board = SimpleNamespace(name="core-01", tags=GENERATION, timing=Timing.from_tags(GENERATION))
    with pytest.raises(Misuse, match="core-01: dfu needs an image that plays new"):
        worker._refuse_lacking({"dfu": core_path("dfu")}, board, {"old": MANIFEST.roles("spark-core")["old"]})


def told_at_the_end(capsys, *cuts, interrupted=False):
    sweep = BoardSweep([], GOOD, Ends(), tally_of(*cuts))
    verdict = verdict_of(sweep.tally, GOOD, [PROGRAM], [])
    status = show_end(sweep, verdict, Path("reports/x"), "ab" * 32, interrupted=interrupted, as_json=False)
    return status, capsys.readouterr().out


def test_a_table_tells_each_phase_and_what_is_in_no_bound(capsys):
    cuts = [swept(1, Fell.INFERRED, needed_hand=True), *MANY]
    status, said = told_at_the_end(capsys, *cuts)
    (row,) = [line for line in said.splitlines() if "program" in line]
    assert [cell.strip() for cell in row.split("│")[4:11]] == ["program", "39", "38", "0", "1", "0", "0"]
    assert "in no bound, as their cuts did not land where they were aimed: 1 that needed a hand" in said
    assert (status, "met" in row, "ledger head: abab" in said) == (0, True, True)


def test_a_disagreement_is_told_with_both_capsules_and_as_text(capsys):
    cut = swept(1, model="disagrees", capsule="core/b \x1b[2J", model_capsule="spark-core dfu cut=1:before")
    status, said = told_at_the_end(capsys, cut, *MANY)
    assert status == 1
    assert "rig replay 'spark-core dfu cut=1:before'" in said
    assert "\x1b[2J" not in said


def test_a_sweep_that_a_signal_ended_is_not_good(capsys):
    status, said = told_at_the_end(capsys, *MANY, interrupted=True)
    assert (status, "--resume goes on" in said) == (3, True)


def test_time_left_is_that_to_the_bound_or_of_the_budget():
    assert _time_left(120, 0.5, math.inf) == "4 min to the bound"
    assert _time_left(120, 0.5, 60.0) == "1 min of the budget left, 120 more to the bound"
    assert _time_left(120, 0.0, math.inf) == "120 more to the bound"
    assert _time_left(0, 0.5, 60.0) == "every bound is met"


def test_a_log_has_a_line_a_minute(capsys, monkeypatch):
    sweep, seconds = BoardSweep([], GOOD, Ends(), tally_of(swept(1)), strata=[PROGRAM]), iter(range(0, 3000, 7))
    monkeypatch.setattr(board_sweep_output, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    progress = board_sweep_output.BoardProgress(GOOD, as_json=False)
    for _ in range(100):
        progress.advance(sweep)
    lines = capsys.readouterr().err.splitlines()
    assert 8 < len(lines) < 40
    assert all(line.startswith("1 cuts, 1 landed, ") for line in lines)


class MadeUpProcess:
    """A place's process that ended with a status."""

    def __init__(self, exitcode):
        self.exitcode = exitcode

    def join(self):
        """It is over."""


def heard_of(*said, then_gone, exitcode, ends=None):
    """A sweep that has heard a place's process, which is gone then, or is when it is answered."""
    ours, theirs = multiprocessing.Pipe()
    sweep = BoardSweep([], GOOD, ends or Ends(cuts=1), tally_of())
    sweep._workers[ours] = _Worker("core-01", MadeUpProcess(exitcode))
    for one in said:
        theirs.send(one)
    if then_gone:
        theirs.close()
    for _ in range(len(said) + then_gone):
        list(sweep._hear(ours)) if ours in sweep._workers else None
    return sweep, theirs


READY = Said("ready", strata=(PROGRAM,))


def test_who_asks_is_told_which_cut_and_when_there_is_none():
    sweep, theirs = heard_of(READY, Said("next"), Said("next"), then_gone=False, exitcode=None)
    assert theirs.recv() == Order(0, PROGRAM)
    assert theirs.recv() is None
    assert sweep.strata == [PROGRAM]


KILLED = {
    "while it works": (READY,),
    "while it is answered": (READY, Said("next")),
}


@pytest.mark.parametrize("when", KILLED)
def test_a_place_whose_process_is_gone_is_a_fault_of_the_lab(when):
    sweep, _ = heard_of(*KILLED[when], then_gone=True, exitcode=-9)
    assert [(fault.place, fault.status) for fault in sweep.faults] == [("core-01", 3)]
    assert "status -9" in sweep.faults[0].text
    assert sweep._workers == {}


def test_a_fault_that_a_place_told_is_told_once():
    sweep, _ = heard_of(READY, Said("fault", text="core-01: it hangs", status=1), then_gone=True, exitcode=1)
    assert [(fault.text, fault.status) for fault in sweep.faults] == [("core-01: it hangs", 1)]


def test_a_place_that_had_its_last_order_ends_without_a_fault():
    sweep, theirs = heard_of(READY, Said("next"), then_gone=False, exitcode=0, ends=Ends(cuts=0))
    theirs.close()
    (ours,) = sweep._workers
    list(sweep._hear(ours))
    assert (sweep.faults, sweep._workers) == ([], {})


def test_a_cut_that_no_relay_can_aim_at_is_refused():
    """Nothing is left behind the end of an update."""
    with pytest.raises(Misuse, match="no relay can aim at operation 10000000"):
        core_map("dfu").target((10_000_000, "before"), trials())

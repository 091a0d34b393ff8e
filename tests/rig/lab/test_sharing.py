"""Boards that people share: several at once or none, a queue that is shown, and nothing left in it by the dead."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time

import pytest

from rig.errors import LabFault
from rig.firmware.checkout import part
from rig.lab.acquisition import Boards, NotHere
from tests.rig.lab.test_brought_back import killed_holder
from tests.rig.rack.rig_up import Up
from tests.rig.waiting import HANGS

pytest_plugins = ["pytester"]

PLACES = part("places", "virtual.yaml")
#: Tests of a run; each knows what those before it were given, and who holds what while it runs.
RUN = """
import subprocess, sys, pytest
from pathlib import Path
given = []

@pytest.mark.board("spark-core")
@pytest.mark.parametrize("time", [1, 2])
def test_the_same_board_is_kept(board, time):
    given.append(board)
    assert board is given[0]

@pytest.mark.board("spark-core", mode="wired")
def test_another_may_be_the_same_again(board, who):
    assert who().count("core-0") == 1

def test_nobody_waits_for_what_is_not_needed(who):
    assert "core-0" not in who()

@pytest.fixture
def who(request):
    client = [Path(sys.executable).with_name("labgrid-client"), "-x", request.config.getoption("lg_coordinator"), "who"]
    return lambda: subprocess.run(client, capture_output=True, text=True, check=True).stdout
"""


@pytest.fixture(scope="module")
def up():
    rack = Up("--cores", "3", "--time-scale", "0.1")
    yield rack
    rack.end()


@pytest.fixture
def held_by_somebody(up):
    """Two of three places are an engineer's."""
    for place in ("core-01", "core-02"):
        up.client("-p", place, "acquire")
    yield
    for place in ("core-01", "core-02"):
        if place in up.client("who"):
            up.client("-p", place, "release")


def test_several_boards_are_acquired_at_once(up):
    with Boards(up.coordinator, PLACES) as boards:
        names = [board.name for board in boards.get_several("spark-core", {}, 3)]
        assert names == ["core-01", "core-02", "core-03"]
        assert all(name in up.client("who") for name in names)
    assert "core-0" not in up.client("who")


@pytest.mark.usefixtures("held_by_somebody")
def test_of_several_boards_none_is_kept_when_one_is_missing(up, capfd):
    with Boards(up.coordinator, PLACES, wait_seconds=1.5) as boards:
        with pytest.raises(LabFault, match=r"core-01 by .*core-02 by "):
            boards.get_several("spark-core", {}, 2)
        assert "core-03" not in up.client("who")
    assert "waiting for a board: core-01 by" in capfd.readouterr().err


def test_a_run_gives_a_board_back_when_its_next_test_needs_another(up, pytester):
    pytester.makepyfile(RUN)
    done = pytester.runpytest_subprocess("-p", "rig.plugin", f"--rack={PLACES}", f"--lg-coordinator={up.coordinator}")
    done.assert_outcomes(passed=4)


def test_more_boards_than_there_are_is_not_here(up):
    with (
        Boards(up.coordinator, PLACES) as boards,
        pytest.raises(NotHere, match="3 places have board=spark-core, not 4"),
    ):
        boards.get_several("spark-core", {}, 4)


@pytest.mark.usefixtures("held_by_somebody")
def test_who_waits_in_the_queue_gets_the_board_when_it_is_released(up):
    up.client("-p", "core-03", "acquire")
    timer = threading.Timer(2, lambda: up.client("-p", "core-03", "release"))
    timer.start()
    with Boards(up.coordinator, PLACES, wait_seconds=20) as boards:
        assert boards.get("spark-core", {}).name == "core-03"
    timer.join()
    assert up.client("reservations").strip() == "", "the queue is left before the place is released"


@pytest.mark.usefixtures("held_by_somebody")
def test_a_board_whose_holder_dies_while_we_work_is_taken_from_the_dead(up):
    with Boards(up.coordinator, PLACES, reaps=False) as boards:
        killed_holder(up, "core-03", body="board.power_off()")
        assert boards.get("spark-core", {}).name == "core-03"


@pytest.mark.usefixtures("held_by_somebody")
def test_what_a_killed_run_queued_for_is_cancelled_by_the_next(up):
    up.client("-p", "core-03", "acquire")
    code = (
        "import sys; from pathlib import Path; from rig.lab.acquisition import Boards\n"
        "boards = Boards(sys.argv[1], Path(sys.argv[2])).__enter__(); boards.get('spark-core', {})\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, up.coordinator, str(PLACES)], stderr=subprocess.PIPE)
    assert b"waiting for a board" in run.stderr.readline()
    run.kill()
    run.wait()
    assert "waiting" in up.client("reservations")
    with Boards(up.coordinator, PLACES):
        assert up.client("reservations").strip() == ""
    up.client("-p", "core-03", "release")


@pytest.mark.usefixtures("held_by_somebody")
def test_a_place_that_is_reserved_for_us_by_hand_counts_as_free(up):
    token = up.client("reserve", "--shell", "board=spark-core").split("=")[1].split()[0]
    time.sleep(0.2)
    with Boards(up.coordinator, PLACES) as boards:
        assert boards.get("spark-core", {}).name == "core-03"
    up.client("cancel-reservation", token)


@pytest.mark.long
@pytest.mark.usefixtures("held_by_somebody")
def test_a_board_put_into_quarantine_while_we_wait_is_not_taken(up):
    up.client("-p", "core-03", "acquire")

    def give_up():
        up.client("-p", "core-03", "set-tags", "health=quarantine", "reason=dead")
        up.client("-p", "core-03", "release")

    timer = threading.Timer(1.5, give_up)
    timer.start()
    with Boards(up.coordinator, PLACES, wait_seconds=4) as boards, pytest.raises(LabFault):
        boards.get("spark-core", {})
    timer.join()
    up.client("-p", "core-03", "set-tags", "health=ok", "reason=")


@pytest.mark.long
@pytest.mark.usefixtures("held_by_somebody")
def test_a_run_shows_whom_it_waits_for(up, tmp_path):
    up.client("-p", "core-03", "acquire")
    words = ["--rack", PLACES, "--coordinator", up.coordinator, "--report", tmp_path / "r", "-k", "interleaved-b"]
    command = [sys.executable, "-m", "rig", "run", "--json", *map(str, words)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    events = iter(lambda: json.loads(run.stdout.readline()), None)
    waiting = next(event for event in events if event["event"] == "waiting")
    assert "core-03 by " in waiting["holders"]
    up.client("-p", "core-03", "release")
    assert next(event for event in events if event["event"] == "waiting")["holders"] == ""
    out, err = run.communicate(timeout=HANGS)
    assert (run.returncode, err) == (0, ""), out


def test_whoever_ran_an_event_loop_before_can_acquire_a_board_all_the_same(up):
    asyncio.run(asyncio.sleep(0))
    with Boards(up.coordinator, PLACES) as boards:
        assert boards.get("spark-core", {}).name == "core-01"

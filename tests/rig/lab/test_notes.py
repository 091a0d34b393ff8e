"""What processes of one user tell one another: in a folder that is theirs alone, and nothing of it outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rig.errors import LabFault, Misuse
from rig.lab.notes import Notes, folder_of_a_run, notes_folder, one_at_a_time, put_note
from rig.lab.notifier import NoteNotifier, StderrNotifier, WaitingMonitor
from tests.rig.waiting import HANGS

pytest_plugins = ["pytester"]

#: A process that says that it waits, in the folder of a run, and then does nothing.
WAITS = """
import sys, time
from pathlib import Path
from rig.lab.notes import Notes, folder_of_a_run, one_at_a_time
from rig.lab.notifier import NoteNotifier
{body}
    print("there", flush=True)
    time.sleep(100)
"""


@pytest.fixture(autouse=True)
def _our_own(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def process():
    """Starts a process that stands in `body`; it is killed in the end."""
    started = []

    def start(body: str, *words: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WAITS.format(body=body), *map(str, words)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        assert started[-1].stdout.readline() == b"there\n"
        return started[-1]

    yield start
    for one in started:
        end(one)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate(timeout=HANGS)


def opened(path):
    path.mkdir(mode=0o700)
    path.chmod(0o777)


#: What somebody else may have put where our folder is to be.
PLANTED = {
    "a folder that others can write to": opened,
    "a link to a folder of ours": lambda path: path.symlink_to(path.parent, target_is_directory=True),
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a file": lambda path: path.write_text(""),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_folder_that_is_not_ours_alone_takes_no_note(tmp_path, what):
    PLANTED[what](tmp_path / f"rig-notes-{os.getuid()}")
    with pytest.raises(Misuse, match="is not ours alone"):
        notes_folder()


#: What may lie among notes that is none.
HOSTILE = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "noise": lambda path: path.write_bytes(bytes(range(256))),
    "brackets": lambda path: path.write_text("[" * 60_000),
    "a list": lambda path: path.write_text("[1]"),
    "a note of nobody": lambda path: path.write_text('{"coordinator": "here:1", "name": "x", "holder": 5}'),
}


def test_what_is_no_note_is_passed_over_and_a_name_may_be_any(process):
    notes = Notes("acquiring", "here:1")
    for number, put in enumerate(HOSTILE.values()):
        put(notes._folder / f"{number}.1")
    name = "core/01 " * 100
    end(process("with Notes('acquiring', 'here:1').noted(sys.argv[1]):", name))
    with notes.noted(name), notes.noted("another"):
        assert list(notes.of_dead_processes()) == [name]


def test_notes_of_a_killed_run_go_with_the_next(process):
    end(process("with folder_of_a_run():"))
    with folder_of_a_run() as folder:
        assert list(folder.parent.iterdir()) == [folder]
    assert not folder.exists()


def test_a_worker_that_was_killed_waits_no_more(process):
    with folder_of_a_run() as notes:
        watch = WaitingMonitor(notes, print, print)
        worker = process("if not NoteNotifier(Path(sys.argv[1])).waiting('core-01 by me'):", notes)
        assert watch._waiting() == {"core-01 by me"}
        end(worker)
        assert watch._waiting() == set()


def test_what_is_found_by_many_is_told_once(capsys):
    told = []
    with folder_of_a_run() as notes, WaitingMonitor(notes, told.append, told.append):
        for _ in range(2):
            NoteNotifier(notes).once("core/01" * 100, "passed over: core/01")
    assert told == ["passed over: core/01"]


def test_a_place_that_is_called_like_a_command_of_a_terminal_acts_on_none(capfd):
    StderrNotifier().once("core", "brought back: core\x1b[2J\nrig: all is well")
    assert capfd.readouterr().err == "rig: brought back: core\\x1b[2J rig: all is well\n"


def test_who_tidies_up_and_hangs_is_named_and_not_waited_for_without_end(process):
    hung = process("with one_at_a_time('here:1'):")
    hung.send_signal(signal.SIGSTOP)
    with pytest.raises(LabFault, match=f"process {hung.pid} brings boards back .*kill -9 {hung.pid}"):
        one_at_a_time("here:1", seconds=0.3).__enter__()
    end(hung)
    with one_at_a_time("here:1", seconds=0):
        assert hung.returncode == -signal.SIGKILL


RUN = """
import os, pytest
@pytest.mark.parametrize("case", [1, 2])
def test_it(case):
    assert not [name for name in os.environ if name.startswith("RIG_RUN")]
"""


@pytest.mark.parametrize("how", [(), ("-n2", "--dist=loadgroup")], ids=["alone", "with workers"])
def test_a_run_tells_nothing_to_runs_below_it_and_leaves_nothing(pytester, tmp_path, how):
    pytester.makepyfile(RUN)
    before = set(tmp_path.iterdir())
    pytester.runpytest_subprocess("-p", "rig.plugin", *how).assert_outcomes(passed=2)
    left = {path.name for path in set(tmp_path.iterdir()) - before}
    assert not {name for name in left if name.startswith("rig-report")}
    assert not list(tmp_path.glob("rig-notes-*/runs/*"))


def test_two_processes_may_note_the_same_at_once(tmp_path, monkeypatch):
    notes, replace = [tmp_path / "place.1", tmp_path / "place.2"], Path.replace

    def with_another_in_between(fresh, note):
        if note == notes[0]:
            put_note(notes[1], "2")
        return replace(fresh, note)

    monkeypatch.setattr(Path, "replace", with_another_in_between)
    put_note(notes[0], "1")
    assert [note.read_text() for note in notes] == ["1", "2"]

"""The state of a watch survives its death at any moment; what is torn is dropped aloud, what is damaged is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from rig.clock import Clock, Deadline
from rig.errors import LabFault, Misuse
from rig.trust.watch.journal import Journal
from rig.trust.watch.memory import Memory
from rig.trust.watch.state import FILE, WatchState
from tests.rig.trust.watch.watch_lab import issued, watch_lab

R10 = issued(under="lets-encrypt-r10")
RUN = "import typer; from rig.cli.trust_watch import watch; typer.run(watch)"
KILLS = 12


@pytest.fixture
def lab(tmp_path):
    with watch_lab(tmp_path) as made:
        yield made


def test_a_torn_last_line_is_dropped_and_the_rest_stays(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.append({"n": 1})
    journal.close()
    whole = path.read_bytes()
    for cut in range(1, 10):
        path.write_bytes(whole + b'{"n": 2, "more": 3}\n'[:-cut])
        again = Journal(path)
        assert (again.lines, again.torn) == ([{"n": 1}], 20 - cut)
        again.close()
        assert path.read_bytes() == whole


def test_a_torn_line_is_told(lab):
    lab.serve()
    lab.round()
    with (lab.folder / "state" / FILE).open("ab") as file:
        file.write(b'{"kind": "se')
    from rig.trust.watch.service import WatchCallbacks, watch_once

    watch_once(lab.write_config(), lab.folder / "state", WatchCallbacks(on_message=lab.messages.append))
    assert any("torn (12 bytes)" in text for text in lab.messages)


DAMAGED = {
    "another version": ('{"rig-trust-watch": 2}\n', "is of version 2, and this rig reads 1"),
    "another file": ('{"run": "x"}\n', "is no watch's state"),
    "no JSON in the middle": ('{"rig-trust-watch": 1}\nnonsense\n{}\n', "jsonl:2: not a line"),
    "an unknown line": ('{"rig-trust-watch": 1}\n{"kind": "strange"}\n', "jsonl:2: not a line"),
    "a memory without a name": (
        '{"rig-trust-watch": 1}\n{"kind":"seen","memories":[{}],"alerts":[]}\n',
        "jsonl:2: not",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_state_that_cannot_be_right_is_refused_with_its_place(tmp_path, case):
    content, message = DAMAGED[case]
    (tmp_path / FILE).write_text(content)
    for _ in range(2):
        with pytest.raises(Misuse, match=message):
            WatchState(tmp_path)
    assert (tmp_path / FILE).read_text() == content


def test_two_watches_do_not_share_a_state(tmp_path):
    state = WatchState(tmp_path)
    with pytest.raises(LabFault, match="another watch"):
        WatchState(tmp_path)
    state.close()
    WatchState(tmp_path).close()


def test_a_state_that_cannot_be_written_is_misuse(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misuse, match="cannot write"):
        WatchState(tmp_path / "file" / "state")


def test_a_full_disk_loses_nothing_and_is_told(lab, monkeypatch):
    """What could not be written down was not told either, and is found again."""
    lab.serve()
    lab.round()
    lab.show(R10)
    real = os.write

    def full(handle, content):
        if content.startswith(b'{"kind"'):
            real(handle, content[:10])
            raise OSError(28, "No space left on device")
        return real(handle, content)

    with monkeypatch.context() as m:
        m.setattr("rig.trust.watch.journal.os.write", full)
        done = lab.round()
    assert any("No space left" in text for text in done.errors)
    assert lab.receiver.take() == []
    assert lab.told_in_a_round() == ["happened identity-changed", "raised dark critical", "raised refused critical"]


def test_a_journal_that_grows_is_made_anew_and_says_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("rig.trust.watch.journal.GROWTH", 2000)
    state = WatchState(tmp_path)
    sizes = []
    for number in range(200):
        state.record([Memory(subject="a", alert_count=number), Memory(subject="b", alert_count=-number)], [], [])
        sizes.append((tmp_path / FILE).stat().st_size)
    state.close()
    assert max(sizes) < 5000
    again = WatchState(tmp_path)
    assert (again.memory("a").alert_count, again.memory("b").alert_count) == (199, -199)
    again.close()


def test_the_state_is_its_owner_s(lab):
    lab.serve()
    lab.round()
    assert {path.stat().st_mode & 0o777 for path in (lab.folder / "state").iterdir()} == {0o600}


@pytest.mark.long
def test_killed_at_any_moment_it_loses_nothing_and_repeats_only_what_was_in_flight(lab):
    lab.serve()
    lab.serve(at="127.0.0.2")
    lab.extra, lab.receiver.delay = "every = 0.001", 0.01
    config, chance = lab.write_config(), random.Random(6)
    identities = [issued(), R10, issued(days=89), issued(under="lets-encrypt-r11")]
    for _ in range(KILLS):
        child, _ = start(config, lab.folder / "state")
        life = Deadline(chance.uniform(0.0, 0.5), Clock())
        while life.left():
            lab.show(chance.choice(identities), chance.choice(lab.addresses))
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        WatchState(lab.folder / "state").close()
    lab.receiver.delay = 0.0
    assert lab.round().queued == {"webhook": 0}
    with lab.state() as state:
        told = sum(memory.alert_count for memory in state.memories.values())
        open_facts = {fact.fact for memory in state.memories.values() for fact in memory.facts.values()}
    got = lab.receiver.got
    facts = {one["fact"] for one in got}
    assert len(facts) == told > KILLS, "each fact that was written down was delivered"
    assert facts - {one["fact"] for one in got if one["status"] in ("resolved", "happened")} == open_facts
    repeats = Counter(one["alert"] for one in got).total() - len({one["alert"] for one in got})
    assert repeats <= KILLS, "one alert at most for each death"


def start(config, state):
    """A watch in a process of its own; back when it watches."""
    command = [sys.executable, "-c", RUN, str(config), "--state", str(state), "--json"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    ready = json.loads(child.stdout.readline())
    assert ready["ready"]
    return child, ready


MOMENTS = {
    "before it is whole": "rig.trust.watch.journal.os.fsync",
    "before it takes the place": "pathlib.Path.replace",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_death_while_it_is_made_anew_leaves_what_was(tmp_path, monkeypatch, moment):
    state = WatchState(tmp_path)
    state.record([Memory(subject="a", alert_count=7)], [], [])
    before = (tmp_path / FILE).read_bytes()

    class Died(BaseException):
        pass

    def die(*_words):
        raise Died

    with monkeypatch.context() as m:
        m.setattr(MOMENTS[moment], die)
        with pytest.raises(Died):
            state.checkpoint()
    state.close()
    assert (tmp_path / FILE).read_bytes() == before
    again = WatchState(tmp_path)
    assert (again.memory("a").alert_count, again.torn) == (7, 0)
    again.checkpoint()
    again.close()

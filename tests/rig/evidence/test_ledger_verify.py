"""`rig ledger verify`: what was changed is found, whatever it was, and what was not is good."""

from __future__ import annotations

import json
import os

import pytest
from typer.testing import CliRunner

from rig.cli.main import app
from rig.errors import Misuse
from rig.evidence.ledger import Ledger
from rig.evidence.run_manifest import RunManifest
from tests.rig.evidence.tampering import RUN, TAMPERINGS, forged, lines_of, put, write_run


def verify(*words):
    """Exit status, and what is told of it."""
    done = CliRunner().invoke(app, ["ledger", "verify", "--json", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def report(tmp_path):
    write_run(tmp_path / "r" / "ledger")
    (tmp_path / "r" / "summary.md").write_text("# Run\n")
    return tmp_path / "r"


def test_a_run_that_nobody_changed_is_good(report):
    status, result = verify(report)
    assert (status, result["changed"]) == (0, [])
    assert [(one["segment"], one["lines"]) for one in result["ledgers"][0]["segments"]] == [
        ("gw0.jsonl", 6), ("gw1.jsonl", 6),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_what_was_changed_is_found(report, kind):
    TAMPERINGS[kind](report / "ledger")
    status, result = verify(report)
    assert status == 1, result
    assert result["changed"][0]["where"].startswith(str(report))


@pytest.mark.parametrize("kind", [kind for kind in TAMPERINGS if kind != "the ledger removed"])
def test_a_ledgers_own_folder_will_do(report, kind):
    TAMPERINGS[kind](report / "ledger")
    assert verify(report / "ledger")[0] == 1


def test_what_was_written_anew_to_the_last_hash_is_found_by_a_head_noted_elsewhere(report):
    noted = verify(report)[1]["ledgers"][0]["head"]
    assert verify(report, "--head", noted)[0] == 0
    told = [{**json.loads(line), "outcome": {"became": "new"}} for line in lines_of(report / "ledger" / "gw0.jsonl")]
    put(report / "ledger" / "gw0.jsonl", forged(told))
    RunManifest.of_segments_in(report / "ledger", RUN).write(report / "ledger")
    assert verify(report)[0] == 0, "nothing in the folder can tell"
    assert verify(report, "--head", noted)[0] == 1


def test_a_ledger_that_is_a_file_alone(tmp_path):
    path = tmp_path / "updates.jsonl"
    with Ledger(path) as ledger:
        for number in range(4):
            ledger.append("update", {"core": str(number)})
    assert verify(path)[0] == 0
    assert verify(path, "--head", ledger.head)[0] == 0
    put(path, lines_of(path)[:-1])
    assert verify(path)[0] == 0, "a file alone cannot tell what is missing at its end"
    assert verify(path, "--head", ledger.head)[0] == 1
    path.write_bytes(b"")
    assert verify(path)[0] == 1


def test_a_segment_is_compared_with_the_manifest_beside_it(report):
    segment = report / "ledger" / "gw0.jsonl"
    assert verify(segment)[0] == 0
    put(segment, lines_of(segment)[:-1])
    assert verify(segment)[0] == 1
    assert verify(report / "ledger" / "gw1.jsonl")[0] == 0


@pytest.mark.parametrize("name", ["/dev/null", "pipe", "folder"])
def test_what_is_no_file_takes_no_ledger_and_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Misuse, match="cannot"):
        Ledger(tmp_path / name)


NO_LEDGER = {
    "nothing of this name": lambda folder: folder / "nothing",
    "an empty folder": lambda folder: (folder / "empty").mkdir() or folder / "empty",
    "an endless file": lambda _folder: "/dev/zero",
    "a pipe": lambda folder: os.mkfifo(folder / "pipe") or folder / "pipe",
}


@pytest.mark.parametrize("case", NO_LEDGER)
def test_what_is_no_ledger_is_misuse(tmp_path, case):
    with pytest.raises(Misuse):
        verify(NO_LEDGER[case](tmp_path))


def test_a_head_that_is_no_hash_is_misuse(report):
    with pytest.raises(Misuse, match="is no hash"):
        verify(report, "--head", "abc")

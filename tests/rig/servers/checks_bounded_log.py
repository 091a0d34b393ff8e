"""Named checks of what servers and recorders keep, for test_mutants: so many bytes of it, and no more."""

from __future__ import annotations

import contextlib
import json

from rig.drivers.recording import DROPPED, Entry, Recording, RecordingFile
from rig.errors import Misuse
from rig.limits import MIB
from rig.servers.fault_list import FaultList
from rig.servers.https.faults import Fault
from rig.servers.https.journal import MOST_KEPT_BYTES, Journal
from rig.servers.https.published_files import PublishedFiles
from rig.servers.https.server import _clipped_headers


def a_journal_has_a_bound_in_bytes(tmp_path):
    for letter in "a", "\udcff":  # one that is no text is six letters of JSON
        _a_journal_has_a_bound(letter)


def _a_journal_has_a_bound(letter):
    journal = Journal()
    headers = {f"x-{number}": letter * 8000 for number in range(100)}
    for number in range(2000):
        journal.requests.append(journal.emit("request", None, None, request=number, headers=_clipped_headers(headers)))
    kept = sum(len(json.dumps(entry)) for entry in journal.requests)
    assert kept <= MOST_KEPT_BYTES
    assert journal.requests[-1]["request"] == 1999


def long_headers_are_told_of_in_short(tmp_path):
    told = _clipped_headers({f"x-{number}": "a" * 8000 for number in range(100)})
    assert sum(len(name) + len(value) for name, value in told.items()) < 64 * 1024
    assert told["…"] == "52 more"


def faults_are_not_planned_without_end(tmp_path):
    faults: FaultList[Fault] = FaultList()
    refused = 0
    for _ in range(5000):
        try:
            faults.add(Fault("empty"))
        except Misuse:
            refused += 1
    assert refused == 5000 - 4096


def files_have_a_bound_in_all(tmp_path):
    shelf = PublishedFiles()
    image = bytes(32 * MIB)
    with contextlib.suppress(Misuse):
        for number in range(100):
            shelf.publish(f"/{number}", image)
    assert len(shelf.files) == 16


def a_recording_keeps_the_newest_behind_a_mark(tmp_path):
    recording = Recording(most_bytes=1000)
    for at in range(100):
        recording.add(Entry(at, "bytes", b"%03d" % at * 10))
    mark, *kept = recording.entries
    assert (mark.kind, mark.count) == (DROPPED, 3000 - sum(len(entry.data) for entry in kept))
    assert kept[-1].data == b"099" * 10
    assert sum(len(entry.data) for entry in kept) <= 1000
    assert recording.size == 3000


def a_recording_on_disk_has_a_bound_and_a_mark(tmp_path):
    file = RecordingFile(tmp_path / "log", most=20_000)
    for at in range(2000):
        file.write(Entry(at, "bytes", b"%04d" % at))
    file.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 21_000
    before, now = ([json.loads(line) for line in (tmp_path / name).open()] for name in ("log.before", "log"))
    assert now[-1]["data"] == "1999"
    assert now[0]["kind"] == DROPPED
    assert now[0]["count"] + sum(len(line["data"]) for line in (*before, *now)) == 8000

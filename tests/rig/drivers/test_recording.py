"""What a console said is kept within bounds, in memory and on disk, and where bytes were dropped there is a mark."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import psutil
from hypothesis import given
from hypothesis import strategies as st

from rig.drivers.console import ConsoleRecorder
from rig.drivers.recording import DROPPED, MOST_BYTES, MOST_ON_DISK, Entry, Recording, RecordingFile
from tests.rig.servers import checks_bounded_log
from tests.rig.waiting import until

MIB = 1 << 20


def test_the_newest_are_kept_behind_a_mark_that_counts_the_others(tmp_path):
    checks_bounded_log.a_recording_keeps_the_newest_behind_a_mark(tmp_path)


def test_files_keep_the_newest_behind_a_mark_that_counts_the_others(tmp_path):
    checks_bounded_log.a_recording_on_disk_has_a_bound_and_a_mark(tmp_path)


@given(st.lists(st.binary(max_size=40), max_size=60), st.integers(0, 200))
def test_what_comes_behind_a_position_is_what_was_not_read_and_is_kept(said, read):
    recording = Recording(most_bytes=100, most_entries=10)
    for at, data in enumerate(said):
        recording.add(Entry(at, "bytes", data))
    whole = b"".join(said)
    begin, more = recording.wait_for_more(read, 0)
    assert recording.size == len(whole)
    assert more == whole[begin:]
    assert begin >= read
    assert len(more) <= 100 + 40


def test_single_bytes_are_not_kept_without_end():
    recording = Recording(most_entries=1000)
    for at in range(5000):
        recording.add(Entry(at, "bytes", b"x"))
    mark, *kept = recording.entries
    assert (mark.kind, mark.count, len(kept)) == (DROPPED, 4000, 1000)


def test_a_disk_that_takes_no_more_ends_the_file_and_not_the_recording(caplog):
    file = RecordingFile(Path("/dev/full"))
    for at in range(3):
        file.write(Entry(at, "bytes", b"x"))
    assert [record.message for record in caplog.records] == [
        "the console is kept in /dev/full no more: No space left on device"
    ]


def test_a_board_that_never_ends_takes_only_so_much_memory_and_disk(tmp_path):
    said, times = b"x" * 65536, 1600
    with socket.create_server(("127.0.0.1", 0)) as board:
        recorder = ConsoleRecorder("127.0.0.1", board.getsockname()[1], keep=tmp_path / "console.jsonl")
        own = psutil.Process()
        recorder.start()
        peer, _ = board.accept()
        talk = threading.Thread(target=lambda: [peer.sendall(said) for _ in range(times)], daemon=True)
        before = own.memory_info().rss
        talk.start()
        until(lambda: recorder.size == times * len(said), "all of it", seconds=120)
        grown = own.memory_info().rss - before
        peer.close()
        recorder.stop()
    assert grown < 10 * MOST_BYTES
    mark, *kept = recorder.entries
    assert mark.kind == DROPPED
    assert mark.count + sum(len(entry.data) for entry in kept) == times * len(said)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < MOST_ON_DISK + MIB
    first = json.loads((tmp_path / "console.jsonl").open().readline())
    assert (first["kind"], first["count"] > 0) == (DROPPED, True)

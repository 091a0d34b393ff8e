"""Planted faults of evidence, of pages that show text from outside, and of the reader of files."""

from __future__ import annotations

import html
import json
import os
import re

from rig import escape, files
from rig.evidence import cut_map, ledger, ledger_line, report, run_life, run_manifest, segment, verify
from tests.rig.evidence import checks_evidence as check


def _as_it_reads(reader, raw):
    """The hash is over what JSON made of a line, as it once was."""
    content = json.loads(raw)
    told = content.pop("hash")
    return ledger_line.encode(content), told


def _any_text(m):
    m.setattr(ledger_line, "_STRING", rb'"[^"]*+"')
    # What was chained anew is at stake: the hash of other bytes would be noticed in any case.
    m.setattr(segment, "chained", lambda _previous, _body: _Any())


class _Any(str):
    __slots__ = ()

    def __eq__(self, _other):
        return True

    def __ne__(self, _other):
        return False

    __hash__ = str.__hash__


def _controls_only(text):
    return re.sub(r"[\x00-\x1f]", lambda found: f"\\x{ord(found[0]):02x}", text)


def _torn_write(self, raw):
    handle = self._file.fileno()
    with files.writing(self.path):
        if os.write(handle, raw) < len(raw):
            os.write(handle, raw)


MUTANTS = {
    "run: nobody holds it between two segments": (
        lambda m: m.setattr(run_life, "_lock", lambda folder: os.open(folder, os.O_RDONLY)),
        check.a_run_between_two_segments_is_not_ended_by_others,
    ),
    "run: segments that are there already are taken for its own": (
        lambda m: m.setattr(run_life, "segments_in", lambda _folder: []),
        check.segments_of_an_old_run_are_not_taken_for_ours,
    ),
    "run: what is there in the end is taken for its ledger": (
        lambda m: m.setattr(run_life.OpenRun, "_is_there", lambda self: True),
        check.a_ledger_that_was_removed_is_no_finished_run,
    ),
    "ledger: what a line says is hashed, and not its bytes": (
        lambda m: m.setattr(ledger_line.LineReader, "split", _as_it_reads),
        check.a_line_that_was_written_again_is_noticed,
    ),
    "ledger: a pattern takes any text": (
        _any_text,
        check.an_escape_for_a_letter_is_noticed_in_a_line_known_by_its_pattern,
    ),
    "ledger: a full disk tears a line": (
        lambda m: m.setattr(ledger.Ledger, "_write", _torn_write),
        check.a_full_disk_tears_no_line,
    ),
    "verify: lengths and heads are not compared": (
        lambda m: m.setattr(verify, "_differences", lambda _segment, _told: iter(())),
        check.lines_missing_at_the_end_are_noticed,
    ),
    "verify: what nobody named is passed over": (
        lambda m: m.setattr(verify, "_strangers", lambda *_words: iter(())),
        check.a_segment_that_nobody_named_is_noticed,
    ),
    "verify: whose run a line is of is not looked at": (
        lambda m: m.setattr(segment.Segment, "runs", property(lambda _self: set())),
        check.lines_of_another_run_are_noticed,
    ),
    "verify: of a key that is twice the last counts": (
        lambda m: m.setattr(run_manifest, "_once", dict),
        check.a_key_that_is_twice_in_the_manifest_is_noticed,
    ),
    "verify: any head will do": (
        lambda m: m.setattr(verify, "missing_heads", lambda _found, _heads: iter(())),
        check.a_head_noted_elsewhere_is_compared,
    ),
    "run: one that goes on is taken for killed": (
        lambda m: m.setattr(run_life, "is_written", lambda _path: False),
        check.a_run_that_goes_on_is_not_ended,
    ),
    "run: a torn end is forgotten": (
        lambda m: m.setattr(segment.Segment, "_end_torn", lambda _self, _raw: None),
        check.a_torn_end_is_told_of_a_run_that_was_killed,
    ),
    "escape: controls only": (
        lambda m: m.setattr(escape, "terminal", _controls_only),
        check.a_line_acts_on_no_terminal,
    ),
    "escape: nothing": (lambda m: m.setattr(escape, "terminal", lambda text: text), check.a_line_acts_on_no_terminal),
    "summary: cells are written as they are": (
        lambda m: m.setattr(report, "markdown", lambda text: text),
        check.a_summary_keeps_its_tables,
    ),
    "cut map: controls are left in": (
        lambda m: m.setattr(cut_map.escape, "xml", html.escape),
        check.a_cut_map_is_xml,
    ),
    "files: whatever can be opened is read": (
        lambda m: m.setattr(files.stat, "S_ISREG", lambda _mode: True),
        check.a_pipe_is_no_file,
    ),
    "files: there is no bound": (
        lambda m: m.setattr(files, "read_user_file", lambda path, _most: path.read_bytes()),
        check.a_file_is_read_to_its_bound,
    ),
}

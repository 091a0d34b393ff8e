"""Named checks of test_mutants about output: that nobody reads any more, or that no terminal shows."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from rig.cli import run_lines, run_output
from rig.suites.result_collector import Collected
from rig.terminal import tables
from tests.rig.evidence.records import a_test


@contextmanager
def no_reader() -> Iterator[int]:
    """A pipe whose other end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


def _goes_on(output):
    """Whether tests go on while this tells of them to nobody."""
    with no_reader() as pipe, patch.object(os, "dup", lambda _output: REAL_DUP(pipe)):
        try:
            with output() as shown:
                shown.listen("collected", Collected(2))
                for test in (a_test("first"), a_test("second")):
                    shown.listen("started", test.name)
                    shown.listen("finished", test)
        except OSError:
            return False
    return True


REAL_DUP = os.dup


def a_run_goes_on_when_nobody_reads_its_lines(_folder):
    assert _goes_on(run_lines.PlainLines), "the run was ended by who read its log"


def a_run_goes_on_when_nobody_reads_its_events(_folder):
    assert _goes_on(run_output.JsonLines), "the run was ended by who read its events"


def _printed(table):
    """What a file gets of a table."""
    out = io.StringIO()
    tables.show(table, to=tables.console(out))
    return out.getvalue()


def a_table_in_a_file_has_whole_lines(_folder):
    told = "why a board is in quarantine, " * 8
    table = tables.grid("place", "reason")
    table.add_row("core-01", told)
    assert told in _printed(table)


def a_title_is_not_folded_over_a_small_table(_folder):
    title = "/home/somebody/firmware/firmware.toml"
    table = tables.grid("n", title=title)
    table.add_row("1")
    assert title in _printed(table)

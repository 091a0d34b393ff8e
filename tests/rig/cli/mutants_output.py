"""Planted faults of what commands print: where nobody reads it any more, and where no terminal shows it."""

from __future__ import annotations

import os

from rig.cli import run_lines, run_output
from rig.terminal import tables
from tests.rig.cli import checks_output as check


def _as_it_is(descriptor):
    """A stream that fails when it cannot be written."""
    return os.fdopen(descriptor, "w")


MUTANTS = {
    "output: who reads the log no more ends the run": (
        lambda m: m.setattr(run_lines, "TolerantOutput", _as_it_is),
        check.a_run_goes_on_when_nobody_reads_its_lines,
    ),
    "output: who reads the events no more ends the run": (
        lambda m: m.setattr(run_output, "TolerantOutput", _as_it_is),
        check.a_run_goes_on_when_nobody_reads_its_events,
    ),
    "output: a file is as narrow as a terminal": (
        lambda m: m.setattr(tables, "WIDE", 80),
        check.a_table_in_a_file_has_whole_lines,
    ),
    "output: a table is as narrow as its cells": (
        lambda m: m.setattr(tables, "grid", lambda *columns, title=None: tables.Grid(*columns, title=title)),
        check.a_title_is_not_folded_over_a_small_table,
    ),
}

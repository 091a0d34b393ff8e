"""Planted faults of sweeps: each way to depend on flash is forgotten once, and each step of the bookkeeping."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import contextmanager

from rig.sweep import (
    capsule_line,
    chunk,
    cut_points,
    cuts_in_a_row,
    differing,
    known_starts,
    ledger,
    replay,
    shrink,
    spans,
    sweep,
)
from rig.twin import footprint
from rig.twin.flash import Nor
from tests.rig.sweep import checks_sweep as check

_ask, _program, _units, _torn = footprint.PageTrace.ask, Nor._program, Nor._units_until_error, cut_points.Flash.torn


def _untraced(method):
    def without(self, *what):
        trace, self.trace = self.trace, None
        try:
            return method(self, *what)
        finally:
            self.trace = trace

    return without


def _program_that_makes(self, address, data, copied=None):
    """A page that was programmed counts as made, whatever was in it."""
    page = (address - self.base) // self.page
    if self.trace is not None:
        self.trace.made(page, page + 1)
    _untraced(_program)(self, address, data, copied)


def _program_untraced_outside(nor, *what):
    (_program if nor.strict else _untraced(_program))(nor, *what)


def _forget_refusals(m):
    m.setattr(Nor, "_units_until_error", _untraced(_units))
    m.setattr(Nor, "_program", lambda nor, *what: (_untraced(_program) if nor.strict else _program)(nor, *what))


def _read_inside_only(self, *what, real=footprint.PageTrace.read):
    if self._part == 0:
        real(self, *what)


def _ask_of_all(self, pages, first, last, question):
    """Pages that the start made itself are asked like any."""
    self._enter(footprint.Question(self._part, first, last, question), pages)


def _ask_once(self, pages, first, last, question):
    """Whatever is asked first of a page answers for everything."""
    _ask(self, pages, first, last, question)
    self.made(first, last)


class _OneAnswer(dict):
    """Any answer leads on."""

    def get(self, key, default=None):
        return next(iter(self.values()), default)


class _AnyBranch(known_starts._Branch):
    def __init__(self, question):
        super().__init__(question, _OneAnswer())


def _skip_one(self, known, run, part, end, real=chunk.ChunkSweep._same_until):
    """An operation that changes what a start looked at is taken for one that does not."""
    return max(real(self, known, run, part, end), self._flash.k + 1)


@contextmanager
def _torn_for_good(self, run, tear):
    self._nor(run).tear(run.operation(self.k), cut_points.named_tear(tear, f"{self._seed}:{self.k}"))
    yield


def _next_page_after(self, part, page):
    pages = self.pages[part]
    at = bisect_right(pages, page)
    return pages[at] if at < len(pages) else None


def _join_everything(self, tear, first, last, settled):
    row = self._rows.setdefault(tear, [])
    if row and row[-1].settled == settled:
        row[-1] = spans.replace(row[-1], last=last)
    else:
        row.append(spans.Span(tear, first, last, settled))


def _resume_all(self):
    """What comes is written behind the line that was torn."""
    lines = self.path.read_bytes().splitlines()
    self._file = self.path.open("ab")
    return [ledger._result(ledger.json.loads(line)) for line in lines[1:-1]]


def _made_at_once(self, k, real=differing.Differing.before):
    return real(self, self._recovery.operations)


SWEPT = check.every_cut_of_many_toys_ends_as_a_whole_start
MUTANTS = {
    "footprint: reads are forgotten": (
        lambda m: m.setattr(footprint.PageTrace, "read", lambda *_: None),
        SWEPT,
    ),
    "footprint: reads of the external memory are forgotten": (
        lambda m: m.setattr(footprint.PageTrace, "read", _read_inside_only),
        check.a_slot_that_is_written_while_flags_refer_to_it_counts,
    ),
    "footprint: questions are forgotten": (
        lambda m: m.setattr(footprint.PageTrace, "ask", lambda *_: None),
        SWEPT,
    ),
    "footprint: what a program clears bits of is forgotten": (
        lambda m: m.setattr(Nor, "_program", _program_untraced_outside),
        check.flash_whose_bits_a_start_clears_counts,
    ),
    "footprint: what refuses a write is forgotten": (_forget_refusals, SWEPT),
    "footprint: a page that was programmed counts as made": (
        lambda m: m.setattr(Nor, "_program", _program_that_makes),
        SWEPT,
    ),
    "footprint: a question of pages that were made in part counts as it stands": (
        lambda m: m.setattr(footprint.PageTrace, "ask", _ask_of_all),
        check.pages_that_a_start_made_in_part_count_whole,
    ),
    "footprint: one question makes a page known": (
        lambda m: m.setattr(footprint.PageTrace, "ask", _ask_once),
        SWEPT,
    ),
    "footprint: what was erased is asked for all the same": (
        lambda m: m.setattr(footprint.PageTrace, "made", lambda *_: None),
        check.what_a_start_erased_itself_is_no_question,
    ),
    "footprint: a page is a question again and again": (
        lambda m: m.setattr(
            footprint.PageTrace,
            "read",
            lambda self, pages, first, last: self._enter(
                footprint.Question(self._part, first, last, footprint.contents), pages
            ),
        ),
        check.a_page_is_asked_for_once,
    ),
    "footprint: a copy that is looked at says nothing of what was copied": (
        lambda m: m.setattr(footprint.PageTrace, "_look_behind", lambda self, first, last: None),
        SWEPT,
    ),
    "footprint: a copy that was erased is still one": (
        lambda m: m.setattr(
            footprint.PageTrace, "made", lambda self, first, last: self._known.update(range(first, last))
        ),
        check.a_copy_that_was_erased_is_none,
    ),
    "cuts in a row: copies of pages that differ are alike": (
        lambda m: m.setattr(differing.Differing, "_copies", lambda self, run, count: frozenset()),
        check.copies_of_pages_that_differ_among_first_cuts_differ,
    ),
    "known starts: any answer leads on": (lambda m: m.setattr(known_starts, "_Branch", _AnyBranch), SWEPT),
    "known starts: the page that is changed is not looked at": (
        lambda m: m.setattr(known_starts.Known, "next_page", _next_page_after),
        SWEPT,
    ),
    "chunk: a tear counts as the cut before": (
        lambda m: m.setattr(chunk.ChunkSweep, "_same_until", _skip_one),
        SWEPT,
    ),
    "chunk: operations are skipped by one too many": (
        lambda m: m.setattr(chunk.Flash, "offset_in_page", lambda self, run: -2),
        SWEPT,
    ),
    "cut points: a torn operation stays": (
        lambda m: m.setattr(cut_points.Flash, "torn", _torn_for_good),
        check.flash_is_whole_again_after_a_torn_operation,
    ),
    "spans: what lies between two of them counts in": (
        lambda m: m.setattr(spans.Spans, "add", _join_everything),
        check.cuts_that_are_no_neighbours_are_no_span,
    ),
    "sweep: the proof compares nothing": (
        lambda m: m.setattr(sweep.ModelSweep, "prove", lambda self, count: count),
        check.a_wrong_answer_of_a_sweep_is_found_by_its_proof,
    ),
    "ledger: a line that was not written whole stays": (
        lambda m: m.setattr(ledger.SweepLedger, "resume", _resume_all),
        check.a_sweep_that_was_killed_goes_on_where_it_was,
    ),
    "ledger: every sweep's is taken": (
        lambda m: m.setattr(sweep.SweepPlan, "identity", "the same"),
        check.a_ledger_of_another_sweep_is_not_gone_on_with,
    ),
    "capsule: the sum is not looked at": (
        lambda m: m.setattr(capsule_line, "_sum", lambda text: "same"),
        check.a_capsule_that_was_changed_is_refused,
    ),
    "replay: the last cut is left out": (
        lambda m: m.setattr(
            replay,
            "_after",
            lambda scenario, update, cut, seed, do=replay._after: (
                do(scenario, update, cut, seed) if update is scenario.update else update.before
            ),
        ),
        check.a_second_cut_counts,
    ),
    "cuts in a row: all first cuts of a group are taken for one": (
        lambda m: m.setattr(cuts_in_a_row, "mattering", lambda pages, known: frozenset()),
        check.what_a_recovery_is_still_to_make_differs_among_first_cuts,
    ),
    "cuts in a row: pages count as made that a recovery only will make": (
        lambda m: m.setattr(differing.Differing, "before", _made_at_once),
        check.what_a_recovery_is_still_to_make_differs_among_first_cuts,
    ),
    "cuts in a row: the proof compares nothing": (
        lambda m: m.setattr(cuts_in_a_row.CutsInARow, "prove", lambda self, groups, count: count),
        check.a_wrong_answer_about_pairs_is_found_by_its_proof,
    ),
    "replay: a rung is not looked at": (
        lambda m: m.setattr(check, "is_expected", lambda settled, text, told: settled.became == text.split("/")[0]),
        check.a_rung_that_somebody_expects_counts,
    ),
    "shrink: any end is as good": (
        lambda m: m.setattr(shrink, "_first_row", lambda scenario, seed, count, ended: ((0, "before"),)),
        check.a_smaller_capsule_ends_the_same,
    ),
    "shrink: the image stays as it is": (
        lambda m: m.setattr(shrink, "_shorter", lambda capsule, role, image, known: capsule),
        check.a_smaller_capsule_ends_the_same,
    ),
    "shrink: there are as many cuts as before": (
        lambda m: m.setattr(shrink, "range", lambda first, last: [last - 1], raising=False),
        check.a_smaller_capsule_ends_the_same,
    ),
    "replay: tears are torn anywhere": (
        lambda m: m.setattr(replay, "tears_of", lambda run, names: list(names)),
        check.a_tear_that_makes_no_sense_there_is_refused,
    ),
}

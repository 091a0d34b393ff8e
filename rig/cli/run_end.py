"""How a run's end is told to people: what is not as expected, known defects, the verdict, and where the report is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig import escape

if TYPE_CHECKING:
    from rig.evidence.coverage import Coverage
    from rig.evidence.results import TestResult
    from rig.evidence.run_record import RunRecord

#: How many reasons for cases that were not run are told at the end.
MOST_REASONS = 12
COLOURS = {"passed": "green", "device fault": "red", "lab fault": "yellow", "misuse": "magenta"}


def chosen(record: RunRecord, *, verbose: bool) -> list[TestResult]:
    """The results to show: those that are not as expected, or all."""
    from rig.evidence.results import is_as_expected

    return [result for result in record.results if verbose or not is_as_expected(result)]


def plain(result: TestResult) -> str:
    """A result on one line, however long."""
    from rig.evidence.compared import beside_expected
    from rig.evidence.second_attempts import is_second

    parts = [f"{result.result:12} {result.name}"]
    parts += ["(second attempt)"] if is_second(result) else []
    parts += [value for name in ("place", "became") if (value := result.properties.get(name))]
    parts += [value] if (value := beside_expected(result)) else []
    parts += [f"{result.seconds:.1f} s", *([escape.one_line(result.message)] if result.message else [])]
    return "  ".join(parts)


def closing(record: RunRecord, report: Path, head: str | None) -> Iterator[str]:
    """The last lines."""
    from rig.evidence.compared import counted_defects, counted_words, seen_defects, unexpected_results
    from rig.evidence.results import counted
    from rig.evidence.second_attempts import count_causes

    counts = ", ".join(f"{count} {word}" for word, count in counted(record.results).items())
    yield f"{record.title}: {counts or 'no test'}"
    if record.killed and record.under_way:
        count = "1 test was" if len(record.under_way) == 1 else f"{len(record.under_way)} tests were"
        yield f"{count} under way: {', '.join(record.under_way)}"
    if record.coverage is not None:
        yield f"Coverage: {record.coverage}"
        yield from _reasons(record.coverage)
    if record.lost and record.required is not None:
        yield f"Required is {record.required.text}, and this is lost:"
        yield from (f"  {text}" for text in record.lost)
    if found := record.repeated:
        yield f"Run once more on another board: {count_causes(found)}"
        yield from (f"  {each}" for each in found)
    if defects := seen_defects(record.results):
        yield f"{counted_defects(defects)} seen again:"
        yield from (f"  {each}" for each in defects)
    if unexpected_results(record.results):
        words = ", ".join(f"{count} {word}" for word, count in counted_words(record.results).items())
        yield f"Beside what is expected of this firmware: {words}"
    if record.swept:
        yield "Every cut on the model:"
        yield from (f"  {each}" for each in record.swept)
    yield verdict(record)
    yield f"Report: {report / 'summary.md'}"
    if head is not None:
        yield f"Ledger: ends in {head}"


def _reasons(coverage: Coverage) -> Iterator[str]:
    """Why cases were not run, the commonest reasons."""
    reasons = list(coverage.reasons().items())
    yield from (f"  {count} not run: {reason}" for reason, count in reasons[:MOST_REASONS])
    if rest := sum(count for _, count in reasons[MOST_REASONS:]):
        yield f"  {rest} more for other reasons, which the summary tells"


def verdict(record: RunRecord) -> str:
    """The line that says what the run came to."""
    return f"Verdict: {record.verdict.word} after {record.seconds:.0f} s"


def show_end(record: RunRecord, report: Path, head: str | None, *, verbose: bool, to: Any) -> None:
    """Print a table at a terminal, and the last lines."""
    from rig.evidence.compared import beside_expected
    from rig.terminal.tables import grid, show, styled

    if rows := chosen(record, verbose=verbose):
        title = "All tests" if verbose else "Not as expected"
        table = grid("test", "place", "landed → became", "result", "s", title=title)
        for result in rows:
            place, became = result.properties.get("place", ""), result.properties.get("became", "")
            became = "; ".join(text for text in (became, beside_expected(result)) if text)
            word = styled(result.result, COLOURS.get(result.result, "dim"))
            table.add_row(result.name, place, became, word, f"{result.seconds:.1f}")
        show(table, to=to)
    for text in closing(record, report, head):
        colour = COLOURS.get(record.verdict.word, "red") if text == verdict(record) else ""
        show(styled(text, colour), to=to, soft_wrap=True)

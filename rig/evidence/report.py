"""The report folder: cut maps drawn from the ledger and a summary in Markdown, beside what pytest wrote there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rig.escape import code, markdown, terminal
from rig.evidence.allure_head import FOLDER as ALLURE
from rig.evidence.allure_head import write_allure_head
from rig.evidence.compared import beside_expected, counted_defects, seen_defects, unexpected_results
from rig.evidence.cut_map import outcome_name
from rig.evidence.cut_maps import Maps, draw_maps
from rig.evidence.every_cut import EveryCut
from rig.evidence.junit import write_junit
from rig.evidence.ledger import read_ledger, unfinished
from rig.evidence.report_head import as_markdown, firmware_as_markdown
from rig.evidence.results import TestResult, counted
from rig.evidence.run_life import head_of
from rig.evidence.run_manifest import FOLDER, NAME, segments_in
from rig.evidence.run_record import RunRecord
from rig.evidence.second_attempts import RepeatedTest, is_second, place_of
from rig.evidence.time_spent import REST, WORDS, longest_first, spent_of, total
from rig.files import is_there, make_folder, writing

SUMMARY = "summary.md"


def write_report(folder: Path, record: RunRecord) -> Path:
    """Write all pages of a run, each with the same head; returns the path of `summary.md`. Raises Misuse, LabFault."""
    write_junit(folder, record)
    write_allure_head(folder / ALLURE, record)
    return write_summary(folder, record)


def write_summary(folder: Path, record: RunRecord) -> Path:
    """Draw the cut maps and write `summary.md`; returns its path. Raises Misuse, LabFault."""
    ledger = make_folder(folder / FOLDER)
    segments = segments_in(ledger)
    lines = [line for path in segments for line in read_ledger(path)]
    lost = [intent for path in segments for intent in unfinished(path)]
    maps = draw_maps(folder, lines)
    page = [*as_markdown(record), *_results(record), *firmware_as_markdown(record), *_unfinished(lost)]
    page += [*_coverage(record), *_tests(record.results), *_cuts(lines, maps), *_every_cut(record.swept)]
    page += [*_swaps(lines), *_time(record)]
    if is_there(ledger / NAME) and (head := head_of(ledger)):
        page += ["", f"The ledger's head is `{head}`: `rig ledger verify --head` sees any change by it."]
    path = folder / SUMMARY
    with writing(path):
        path.write_text("\n".join(page) + "\n", encoding="utf-8")
    return path


def _row(*cells: object) -> str:
    """A row of a table; what is in its cells is data."""
    return f"| {' | '.join(markdown(str(cell)) for cell in cells)} |"


def _results(record: RunRecord) -> list[str]:
    counts = ", ".join(f"{count} {word}" for word, count in counted(record.results).items()) or "no test"
    page = ["", f"{counts}."]
    if record.killed:
        page += ["", *_killed(record)]
    return [*page, *_repeated(record.repeated), *_known_defects(record.results), *_told_aloud(record.results)]


def _repeated(found: Sequence[RepeatedTest]) -> list[str]:
    """Tests whose board failed, run once more on another board, and whose fault that says it is."""
    if not found:
        return []
    text = "Failed, and run once more on another board:"
    rows = [_row(each.test, *map(_attempt, (each.first, each.second)), each.cause) for each in found]
    return ["", text, "", "| test | first | second | which says |", "|---|---|---|---|", *rows]


def _attempt(result: TestResult) -> str:
    return f"{result.result} on {place_of(result)}"


def _known_defects(results: Sequence[TestResult]) -> list[str]:
    defects = seen_defects(results)
    if not defects:
        return []
    head = ["| known defect | name | severity | what it is | reference | tests |", "|---|---|---|---|---|---:|"]
    rows = [_row(each.title, each.name, each.severity, each.text, each.reference, each.count) for each in defects]
    text = f"{counted_defects(defects)} seen again, as it should be:"
    return ["", text, "", *head, *rows]


def _told_aloud(results: Sequence[TestResult]) -> list[str]:
    """Outcomes that are another than expected, and no fault."""
    others = unexpected_results(results)
    if not others:
        return []
    rows = [_row(each.name, each.properties.get("became", ""), beside_expected(each)) for each in others]
    text = f"{len(others)} outcomes are not those that are expected of this firmware, and no fault:"
    return ["", text, "", "| test | became | which is |", "|---|---|---|", *rows]


def _killed(record: RunRecord) -> list[str]:
    """What is missing of a run that was killed."""
    of = f" of {record.chosen}" if record.chosen is not None else ""
    over = sum(not is_second(result) for result in record.results)
    text = f"**This run was killed**: this page is made from what it left. {over}{of} tests had ended"
    if not record.under_way:
        return [f"{text}, and none was under way."]
    rows = [f"* {markdown(name)}" for name in record.under_way]
    return [f"{text}, and {len(record.under_way)} were under way:", "", *rows]


def _unfinished(intents: Sequence[dict[str, Any]]) -> list[str]:
    """Cuts and swaps of which nobody knows what became of the board: the run was killed, or the lab broke meanwhile."""
    if not intents:
        return []
    rows = [f"* {code(line['trial'])} at {markdown(line['place'])}, {markdown(_meant(line))}" for line in intents]
    return ["", "## Without an end", "", f"{len(intents)} were begun, and what came of them is unknown:", "", *rows]


def _meant(line: dict[str, Any]) -> str:
    if line["kind"] == "swap-intent":
        return f"a swap of identities: {line['scenario']}"
    return f"a cut aimed at {line['phase']} over {line['path']}"


def _coverage(record: RunRecord) -> list[str]:
    """Which cases were run of all there are, each that was not, and what of it was required."""
    coverage, lost = record.coverage, record.lost
    page = ["", "## Coverage", "", f"{markdown(str(coverage))}."] if coverage is not None else []
    if lost and record.required is not None:
        heading = f"**Required is {markdown(record.required.text)}, and this is lost**:"
        page += ["", heading, "", *(f"* {markdown(text)}" for text in lost)]
    if coverage is not None and coverage.not_run:
        rows = [_row(each.case, each.missing, each.why) for each in coverage.not_run]
        page += ["", "| case that was not run | missing tags | why |", "|---|---|---|", *rows]
    return page


def _tests(results: Sequence[TestResult]) -> list[str]:
    rows = []
    for r in results:
        place, became = r.properties.get("place", ""), r.properties.get("became", "")
        rows.append(_row(r.name, place, became, r.result, f"{r.seconds:.1f}"))
    faults = [line for r in results if r.message for line in _fault(r)]
    table = ["", "## Tests", "", "| test | place | landed → became | result | s |", "|---|---|---|---|---:|", *rows]
    return [*table, "", *faults] if faults else table


def _time(record: RunRecord) -> list[str]:
    """What the time was spent on, of all tests together and of each, in seconds."""
    tests = longest_first(record.results)
    if not tests:
        return []
    told = f"The run took {record.seconds:.0f} s; its tests took {{:.0f}} s together, some of them at once:"
    words = [*WORDS, REST]
    meant = [f"* {word}: {text}" for word, text in WORDS.items()] + [f"* {REST}: the test's own steps"]
    rows = [_seconds("all", total(tests)), *(_seconds(test.name, spent_of(test)) for test in tests)]
    head = [_row("test", *words, "s"), f"|---|{'---:|' * (len(words) + 1)}"]
    together = sum(test.seconds for test in tests)
    return ["", "## Time", "", told.format(together), "", *head, *rows, "", *meant]


def _seconds(name: str, spent: Mapping[str, float]) -> str:
    cells = [f"{seconds:.1f}" if seconds else "" for seconds in spent.values()]
    return _row(name, *cells, f"{sum(spent.values()):.1f}")


def _fault(result: TestResult) -> list[str]:
    """What was wrong, and the report of it: lines of an item that are indented by six are text."""
    fault_report = [f"      {terminal(line)}" for line in result.fault_report.splitlines()]
    return [
        f"* **{markdown(result.name)}**: {markdown(result.message)}",
        *(["", *fault_report, ""] if fault_report else []),
    ]


def _landed(line: dict[str, Any]) -> str:
    """The phase a cut landed in; one that flash does not show is marked."""
    phase = str(line["landing"]["phase"])
    return phase if line["landing"]["known_by"] == "read-back" else f"{phase} (inferred)"


def _cuts(lines: list[dict[str, Any]], maps: Maps) -> list[str]:
    cuts = [line for line in lines if line["kind"] == "cut"]
    if not cuts:
        return []
    rows = [
        _row(
            *(line["trial"], line["place"], line["aim"]["phase"], f"{_landed(line)}: {line['landing']['detail']}"),
            *(outcome_name(line), line["outcome"]["rung"], f"{line['outcome']['seconds']:.1f}"),
        )
        for line in cuts
    ]
    pictures = [f"![{path.stem}]({path.name})" for path in maps.files]
    pictures += [line for reason in maps.left_out for line in ("", f"There is {markdown(reason)}.")]
    table = ["| trial | place | aimed at | landed | became | rung | s |", "|---|---|---|---|---|---|---:|", *rows]
    return ["", "## Cuts", "", *pictures, "", *table]


def _every_cut(swept: Sequence[EveryCut]) -> list[str]:
    """Every cut that there can be, on the model."""
    if not swept:
        return []
    maps = [line for each in swept for line in ("", f"{markdown(str(each))}.", "", f"![every cut]({each.picture})")]
    return ["", "## Every cut on the model", *maps]


def _swaps(lines: list[dict[str, Any]]) -> list[str]:
    """What firmware did when its servers changed their identity, and what the operator of its fleet could see."""
    swaps = [line for line in lines if line["kind"] == "swap"]
    if not swaps:
        return []
    rows = [
        _row(
            *(line["scenario"], line["firmware_name"], line["place"], f"{line['before']} → {line['after']}"),
            *(_log(line["check_ins"]), _brought_back(line)),
        )
        for line in swaps
    ]
    head = "| scenario | firmware | place | reaches its servers | check-ins before → after | afterwards |"
    remarks = {line["scenario"]: line["remark"] for line in swaps if line["remark"]}
    items = [f"* **{markdown(name)}**: {markdown(remark)}" for name, remark in remarks.items()]
    table = ["", "## Swaps of servers' identities", "", head, "|---|---|---|---|---|---|", *rows, "", *items]
    return [*table, *_again([line for line in swaps if line.get("capsule")])]


def _again(swaps: list[dict[str, Any]]) -> list[str]:
    """How each swap is played again on the model."""
    if not swaps:
        return []
    name = "{scenario} with {firmware_name} at {place}"
    items = [f"* {markdown(name.format_map(line))}: {code(line['capsule'])}" for line in swaps]
    return ["", "Each again on the model, by `rig replay CAPSULE`:", "", *items]


def _log(check_ins: dict[str, list[tuple[str, int]]]) -> str:
    texts = [", ".join(f"{version}: {status}" for version, status in check_ins[when]) for when in ("before", "after")]
    return " → ".join(text or "none" for text in texts) if any(texts) else ""


def _brought_back(line: dict[str, Any]) -> str:
    arrived = {True: "the image arrived; ", False: "the image did not arrive; ", None: ""}[line["arrived"]]
    runs = "runs on" if line["runs_on"] else "does NOT run on"
    route = {"swap-back": ", its server being swapped back", "cable": ", by cable", "": ""}[line["route"]]
    return f"{arrived}{runs}; {'updated' if line['updated'] else 'NOT updated'}{route}"

"""The report folder: cut maps drawn from the ledger and a summary in Markdown, beside what pytest wrote there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rig.escape import code, markdown
from rig.evidence.cut_map import draw_cut_map, outcome_name
from rig.evidence.ledger import read_ledger, unfinished
from rig.evidence.results import RunVerdict, TestResult, known_defects
from rig.evidence.run_manifest import FOLDER, NAME, head_of, segments_in, write_run_manifest
from rig.files import is_there, make_folder, writing


def write_report(folder: Path, run_id: str, results: Sequence[TestResult], verdict: RunVerdict) -> Path:
    """Draw the cut maps and write `summary.md`; returns its path. Raises Misuse, LabFault."""
    ledger = make_folder(folder / FOLDER)
    if not is_there(ledger / NAME):
        write_run_manifest(ledger, run_id)
    segments = segments_in(ledger)
    lines = [line for path in segments for line in read_ledger(path)]
    lost = [intent for path in segments for intent in unfinished(path)]
    maps = _draw_maps(folder, lines)
    path = folder / "summary.md"
    told = [*_head(run_id, results, verdict), *_unfinished(lost), *_tests(results), *_cuts(lines, maps), *_swaps(lines)]
    if head := head_of(ledger):
        told += [
            "",
            f"The ledger's head is `{head}`: `rig ledger verify --head` sees any change by it.",
        ]
    with writing(path):
        path.write_text("\n".join(told) + "\n", encoding="utf-8")
    return path


def _row(*cells: object) -> str:
    """A row of a table; what is in its cells is data."""
    return f"| {' | '.join(markdown(str(cell)) for cell in cells)} |"


def _draw_maps(folder: Path, lines: list[dict[str, Any]]) -> list[Path]:
    cuts = [line for line in lines if line["kind"] == "cut"]
    kinds = sorted({(line["board"], line["generation"], line["path"]) for line in cuts})
    maps = []
    for board, generation, path in kinds:
        kind = (board, generation, path)
        chosen = [line for line in cuts if (line["board"], line["generation"], line["path"]) == kind]
        which = (board,) if generation == "unknown" else (board, generation)
        target = folder / re.sub(r"[^\w.-]+", "-", f"cut-map-{'-'.join(which)}-{path}.svg")
        name = board if generation == "unknown" else f"{board} generation {generation.upper()}"
        with writing(target):
            target.write_text(draw_cut_map(chosen, f"{name}: cuts while updating over {path}"), encoding="utf-8")
        maps.append(target)
    return maps


def _head(run_id: str, results: Sequence[TestResult], verdict: RunVerdict) -> list[str]:
    counts = {word: sum(result.result == word for result in results) for word in {r.result for r in results}}
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "no test"
    defects = known_defects(results)
    head = [f"# Run {run_id}: {verdict.word}", "", f"{told}."]
    if defects:
        head += ["", f"{sum(defects.values())} known defects were seen again, as they should be:", ""]
        head += [f"* {code(name)} ({count})" for name, count in sorted(defects.items())]
    return head


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


def _tests(results: Sequence[TestResult]) -> list[str]:
    rows = []
    for r in results:
        place, became = r.properties.get("place", ""), r.properties.get("became", "")
        rows.append(_row(r.name, place, became, r.result, f"{r.seconds:.1f}"))
    faults = [f"* **{markdown(r.name)}**: {markdown(r.message)}" for r in results if r.message]
    table = ["", "## Tests", "", "| test | place | landed → became | result | s |", "|---|---|---|---|---:|", *rows]
    return [*table, "", *faults] if faults else table


def _landed(line: dict[str, Any]) -> str:
    """The phase a cut landed in; one that flash does not show is marked."""
    phase = str(line["landing"]["phase"])
    return phase if line["landing"]["known_by"] == "read-back" else f"{phase} (inferred)"


def _cuts(lines: list[dict[str, Any]], maps: list[Path]) -> list[str]:
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
    pictures = [f"![{path.stem}]({path.name})" for path in maps]
    table = ["| trial | place | aimed at | landed | became | rung | s |", "|---|---|---|---|---|---|---:|", *rows]
    return ["", "## Cuts", "", *pictures, "", *table]


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
    told = [f"* **{markdown(name)}**: {markdown(remark)}" for name, remark in remarks.items()]
    return ["", "## Swaps of servers' identities", "", head, "|---|---|---|---|---|---|", *rows, "", *told]


def _log(check_ins: dict[str, list[tuple[str, int]]]) -> str:
    told = [", ".join(f"{version}: {status}" for version, status in check_ins[when]) for when in ("before", "after")]
    return " → ".join(text or "none" for text in told) if any(told) else ""


def _brought_back(line: dict[str, Any]) -> str:
    arrived = {True: "the image arrived; ", False: "the image did not arrive; ", None: ""}[line["arrived"]]
    runs = "runs on" if line["runs_on"] else "does NOT run on"
    route = {"swap-back": ", its server being swapped back", "cable": ", by cable", "": ""}[line["route"]]
    return f"{arrived}{runs}; {'updated' if line['updated'] else 'NOT updated'}{route}"

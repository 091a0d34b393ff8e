"""The head of a report: what was tested, on what, by what, as names and values; and how the summary shows it."""

from __future__ import annotations

from collections import Counter

from rig.escape import code, markdown
from rig.evidence.results import short_identity
from rig.evidence.run_record import RunRecord
from rig.evidence.second_attempts import count_causes

#: What the tier means to somebody who reads a report and knows nothing of the rig.
_NATURES = {
    "virtual": "virtual: boards are processes, no real board was tested",
    "hardware": "hardware: every board's place says that it is real, and no twin was seen",
    "mixed": "mixed: some boards are real and some are not",
    "unknown": "unknown: a board's place does not say its tier, so nothing is proven of real boards",
    "none": "none: no test used a board",
}


def head(record: RunRecord) -> dict[str, str]:
    """The head's lines but for the firmware's, in their order."""
    tested, testbed = record.identity, record.identity.testbed
    tier = testbed.tier if testbed.nature != "none" else ""
    causes = count_causes(record.repeated)
    return {
        "run": tested.run,
        "result": record.verdict.word + (" (killed before its end)" if record.killed else ""),
        **({"repeated": causes} if causes else {}),
        **_coverage(record),
        "boards": _NATURES[testbed.nature],
        **({"tier": tier} if tier else {}),
        "rack": testbed.rack + (f" at {testbed.coordinator}" if testbed.coordinator else ""),
        "places": ", ".join(f"{place.name} ({place.board})" for place in testbed.places) or "none",
        "selection": tested.selection,
        "began": tested.began,
        "duration": f"{record.seconds:.0f} s",
        "rig": tested.rig,
        "manifest": f"{tested.manifest} (sha256 {tested.manifest_sha256})",
    }


def _coverage(record: RunRecord) -> dict[str, str]:
    values = {"coverage": str(record.coverage)} if record.coverage is not None else {}
    if record.required is not None:
        values["required"] = f"{record.required.text}: {'LOST' if record.lost else 'covered'}"
    return values


def firmware(record: RunRecord) -> dict[str, str]:
    """Version and sha256 of each image that was used, by its name; of two with one name each has its own."""
    used = record.identity.firmware
    counts = Counter(image.name for image in used)
    return {
        image.name if counts[image.name] == 1 else short_identity(image.name, image.sha256): (
            f"{image.version} sha256 {image.sha256}"
        )
        for image in used
    }


def as_markdown(record: RunRecord) -> list[str]:
    """The title of `summary.md` and what was tested."""
    rows = [f"| {name} | {markdown(value)} |" for name, value in head(record).items()]
    return [f"# {markdown(record.title)}", "", "| | |", "|---|---|", *rows]


def firmware_as_markdown(record: RunRecord) -> list[str]:
    """Each image that tests used; nothing where they used none."""
    rows = [
        f"| {code(image.name)} | {markdown(image.board)} | {markdown(image.version)} | {code(image.sha256)} |"
        for image in record.identity.firmware
    ]
    table = ["", "## Firmware", "", "| image | board | version | sha256 |", "|---|---|---|---|"]
    return [*table, *rows] if rows else []

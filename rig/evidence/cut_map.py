"""The cut map: every landed cut of one update path on one picture, where it fell and what the board became."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rig import escape
from rig.formats import spark_flash as layout

WIDTH, MARGIN, BAND_HEIGHT, ROW = 960, 40, 150, 22
TOP = 96
#: Marks near each other are stacked in so many rows, then begin again a little to the right.
ROWS, RADIUS = 12, 5
#: The phases of a path in order, and the share of the width each gets.
_COPY = (("mark", 0.14), ("backup", 0.16), ("erase", 0.24), ("program", 0.32), ("commit", 0.14))
BANDS = {
    "dfu": (("erase", 0.32), ("program", 0.46), ("commit", 0.22)),
    "dfu-external": (("erase", 0.4), ("program", 0.6)),
    "ota-copy": (_COPY[1], _COPY[0], *_COPY[2:]),
    "factory-reset": _COPY,
    "deep-update": (
        *(("table", 0.14), ("calibration", 0.14), ("address", 0.14), ("driver", 0.34), ("firmware", 0.24)),
    ),
    "serial": (("erase", 0.3), ("program", 0.7)),
    "https": (
        *(("forget", 0.07), ("download", 0.2), ("end", 0.06), ("choose", 0.09), ("chosen", 0.09)),
        *(("first-boot", 0.11), ("probation", 0.11), ("abort", 0.08), ("confirm", 0.08), ("confirmed", 0.11)),
    ),
    "cloud": (
        *(("hello", 0.09), ("begin", 0.09), ("download-erase", 0.15), ("download", 0.12), ("done", 0.09)),
        *(("backup", 0.1), ("mark", 0.09), ("erase", 0.08), ("program", 0.1), ("commit", 0.09)),
    ),
}
#: Phases that rewrite the flags page.
FLAGS_PHASES = ("commit", "mark", "hello", "begin", "done")
COLOURS = {
    "new": "#2e7d32",
    "old": "#1565c0",
    "previous": "#ef6c00",
    "factory": "#6a1b9a",
    "other": "#5d4037",
    "stranded": "#c62828",
    "dead": "#000000",
}
MEANING = {
    "new": "runs the new image",
    "old": "runs the old image",
    "previous": "runs the image before the old one",
    "factory": "runs the factory image",
    "other": "runs something unknown",
    "stranded": "stranded: needs a hand or a cable",
    "dead": "dead",
}


def outcome_name(line: Mapping[str, Any]) -> str:
    """The outcome of a ledger line in one word: an image's role, stranded or dead."""
    return str(line["outcome"]["became"])


def _position(line: Mapping[str, Any]) -> float | None:
    """Where a landing lies on the axis, 0 to 1; None when it fell outside of the path's phases."""
    phase = line["landing"]["phase"].removesuffix("-tail")
    begin = 0.0
    for name, share in BANDS[line["path"]]:
        if name == phase:
            return begin + share * _within(line, phase)
        begin += share
    return None


def _within(line: Mapping[str, Any], phase: str) -> float:
    address: int | None = line["landing"]["address"]
    if address is None or (line["path"] == "https" and phase != "download"):
        return 0.5
    if phase in FLAGS_PHASES:
        return 0.1 + 0.8 * (address - layout.FLAGS_ADDRESS) / 10
    if phase == "backup":
        return (address - layout.BACKUP_ADDRESS) / layout.APP_SIZE
    if phase == "download-erase":
        return (address - layout.OTA_ADDRESS) / layout.SLOT_SIZE
    into_a_cores_slot = line["path"] == "cloud" and phase == "download"
    base: int = layout.OTA_ADDRESS if into_a_cores_slot else line["to_address"]
    size: int = line["to_size"]
    return min((address - base) / max(size, 1), 1.0)


def draw_cut_map(lines: Iterable[Mapping[str, Any]], title: str) -> str:
    """An SVG of all `cut` lines given, which are of one path; those that did not land are counted below the picture."""
    cuts = [line for line in lines if line["kind"] == "cut"]
    placed = [(position, line) for line in cuts if (position := _position(line)) is not None]
    placed.sort(key=lambda entry: entry[0])
    present = [name for name in COLOURS if any(outcome_name(line) == name for _, line in placed)]
    height = TOP + BAND_HEIGHT + 64 + ROW * len(present)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="34" font-size="19" font-weight="600">{escape.xml(title)}</text>',
        f'<text x="{MARGIN}" y="56" fill="#555">{sum(_known(line) for _, line in placed)} landed cuts of {len(cuts)}; '
        "an update goes on to the right; circles erase all first, squares page by page; hollow: inferred</text>",
    ]
    parts += _bands(cuts[0]["path"] if cuts else "dfu")
    parts += [_marker(position, line, row) for (position, line), row in zip(placed, _rows(placed), strict=True)]
    parts += _legend(present, placed)
    return "\n".join([*parts, "</svg>\n"])


def _known(line: Mapping[str, Any]) -> bool:
    """Whether flash shows what the cut interrupted."""
    return bool(line["landing"]["known_by"] == "read-back")


def _x(position: float) -> float:
    return MARGIN + position * (WIDTH - 2 * MARGIN)


def _bands(path: str) -> list[str]:
    parts, begin = [], 0.0
    for number, (name, share) in enumerate(BANDS[path]):
        x, width = _x(begin), share * (WIDTH - 2 * MARGIN)
        fill = "#f1f3f4" if number % 2 == 0 else "#e4e8ea"
        parts.append(f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{BAND_HEIGHT}" fill="{fill}"/>')
        parts.append(f'<text x="{x + 8:.1f}" y="{TOP - 8}" fill="#333">{name}</text>')
        begin += share
    return parts


def _rows(placed: list[tuple[float, Mapping[str, Any]]]) -> list[int]:
    """A row for each marker, which come from left to right, so that near ones do not cover each other."""
    ends: list[float] = []
    rows = []
    for position, _ in placed:
        x = _x(position)
        row = next((number for number, end in enumerate(ends) if abs(end - x) > 2 * RADIUS + 1), len(ends))
        ends[row:] = [x, *ends[row + 1 :]]
        rows.append(row)
    return rows


def _marker(position: float, line: Mapping[str, Any], row: int) -> str:
    wrap, level = divmod(row, ROWS)
    x, y = _x(position) + wrap * RADIUS, TOP + 14 + level * (BAND_HEIGHT - 20) // ROWS
    colour = COLOURS[outcome_name(line)]
    paint = f'fill="{colour}" stroke="#fff"' if _known(line) else f'fill="#fff" stroke="{colour}" stroke-width="2"'
    told = f"{line['trial']}: {line['landing']['phase']}, {line['landing']['detail']} → {outcome_name(line)}"
    shape = (
        f'<rect x="{x - RADIUS:.1f}" y="{y - RADIUS}" width="{2 * RADIUS}" height="{2 * RADIUS}" {paint}'
        if line["order"] in ("interleaved", "sequential")
        else f'<circle cx="{x:.1f}" cy="{y}" r="{RADIUS}" {paint}'
    )
    tag = shape.split(" ", 1)[0][1:]
    return f"{shape}><title>{escape.xml(told)}</title></{tag}>"


def _legend(present: list[str], placed: list[tuple[float, Mapping[str, Any]]]) -> list[str]:
    parts = []
    for number, name in enumerate(present):
        y = TOP + BAND_HEIGHT + 40 + ROW * number
        count = sum(outcome_name(line) == name for _, line in placed)
        parts.append(f'<circle cx="{MARGIN + 7}" cy="{y - 4}" r="7" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{MARGIN + 24}" y="{y}">{escape.xml(MEANING[name])}: {count}</text>')
    return parts

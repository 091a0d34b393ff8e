"""The cut map: every landed cut of one update path on one picture, where it fell and what the board became."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rig import escape
from rig.evidence.update_path import UpdatePath, position

WIDTH, MARGIN, BAND_HEIGHT, ROW = 960, 40, 150, 22
TOP = 112
#: Marks near each other are stacked in so many rows, then begin again a little to the right.
ROWS, RADIUS = 12, 5
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


def draw_cut_map(lines: Iterable[Mapping[str, Any]], path: UpdatePath, title: str, firmware: str = "") -> str:
    """An SVG of all `cut` lines given, which are of one path and one firmware; how many did not land is counted."""
    cuts = [line for line in lines if line["kind"] == "cut"]
    placed = [(place, line) for line in cuts if (place := position(path, line)) is not None]
    placed.sort(key=lambda entry: entry[0])
    present = [name for name in COLOURS if any(outcome_name(line) == name for _, line in placed)]
    height = TOP + BAND_HEIGHT + 64 + ROW * len(present)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="34" font-size="19" font-weight="600">{escape.xml(title)}</text>',
        f'<text x="{MARGIN}" y="56" fill="#555">{_count(len(cuts), [line for _, line in placed])}</text>',
        f'<text x="{MARGIN}" y="76" fill="#555">{escape.xml(firmware)}</text>',
    ]
    parts += _bands(path)
    parts += [_marker(place, line, row) for (place, line), row in zip(placed, _rows(placed), strict=True)]
    parts += _legend(present, placed)
    return "\n".join([*parts, "</svg>\n"])


def _count(cuts: int, drawn: list[Mapping[str, Any]]) -> str:
    """How many landed of all, and what the marks mean that are there."""
    parts = [f"{sum(map(_known, drawn))} landed cuts of {cuts}", "an update goes on to the right"]
    parts += ["circles erase all first"] if not all(map(_is_square, drawn)) else []
    parts += ["squares erase as they write"] if any(map(_is_square, drawn)) else []
    parts += ["hollow: inferred"] if not all(map(_known, drawn)) else []
    return "; ".join(parts)


def _is_square(line: Mapping[str, Any]) -> bool:
    """Whether a mark is of an update that erases as it writes."""
    return line["order"] in ("interleaved", "sequential")


def _known(line: Mapping[str, Any]) -> bool:
    """Whether flash shows what the cut interrupted."""
    return bool(line["landing"]["known_by"] == "read-back")


def _x(place: float) -> float:
    return MARGIN + place * (WIDTH - 2 * MARGIN)


def _bands(path: UpdatePath) -> list[str]:
    parts, begin = [], 0.0
    for number, phase in enumerate(path):
        x, width = _x(begin), phase.width * (WIDTH - 2 * MARGIN)
        fill = "#f1f3f4" if number % 2 == 0 else "#e4e8ea"
        parts.append(f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{BAND_HEIGHT}" fill="{fill}"/>')
        parts.append(f'<text x="{x + 8:.1f}" y="{TOP - 8}" fill="#333">{escape.xml(phase.name)}</text>')
        begin += phase.width
    return parts


def _rows(placed: list[tuple[float, Mapping[str, Any]]]) -> list[int]:
    """A row for each marker, which come from left to right, so that near ones do not cover each other."""
    ends: list[float] = []
    rows = []
    for place, _ in placed:
        x = _x(place)
        row = next((number for number, end in enumerate(ends) if abs(end - x) > 2 * RADIUS + 1), len(ends))
        ends[row:] = [x, *ends[row + 1 :]]
        rows.append(row)
    return rows


def _marker(place: float, line: Mapping[str, Any], row: int) -> str:
    wrap, level = divmod(row, ROWS)
    x, y = _x(place) + wrap * RADIUS, TOP + 14 + level * (BAND_HEIGHT - 20) // ROWS
    colour = COLOURS[outcome_name(line)]
    paint = f'fill="{colour}" stroke="#fff"' if _known(line) else f'fill="#fff" stroke="{colour}" stroke-width="2"'
    text = f"{line['trial']}: {line['landing']['phase']}, {line['landing']['detail']} → {outcome_name(line)}"
    shape = (
        f'<rect x="{x - RADIUS:.1f}" y="{y - RADIUS}" width="{2 * RADIUS}" height="{2 * RADIUS}" {paint}'
        if _is_square(line)
        else f'<circle cx="{x:.1f}" cy="{y}" r="{RADIUS}" {paint}'
    )
    tag = shape.split(" ", 1)[0][1:]
    return f"{shape}><title>{escape.xml(text)}</title></{tag}>"


def _legend(present: list[str], placed: list[tuple[float, Mapping[str, Any]]]) -> list[str]:
    parts = []
    for number, name in enumerate(present):
        y = TOP + BAND_HEIGHT + 40 + ROW * number
        count = sum(outcome_name(line) == name for _, line in placed)
        parts.append(f'<circle cx="{MARGIN + 7}" cy="{y - 4}" r="7" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{MARGIN + 24}" y="{y}">{escape.xml(MEANING[name])}: {count}</text>')
    return parts

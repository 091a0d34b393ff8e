"""The map of a sweep: every cut of an update, a row for each way to leave the operation, coloured by how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rig import escape
from rig.evidence.cut_map import COLOURS, MARGIN, MEANING, WIDTH
from rig.sweep.cut_points import BEFORE, TEARS
from rig.sweep.scenario import Settled, Update
from rig.sweep.spans import Span

TOP, ROW, LABELS, LEGEND_ROW = 108, 30, 110, 22
#: A phase has at least this share of the width, however few operations it has: the shortest are the riskiest.
LEAST_SHARE = 0.07
#: Pixels that the thinnest span is drawn with.
_THINNEST = 1.5


@dataclass(frozen=True, slots=True)
class _Band:
    """A phase on the picture: its operations, and where it is drawn."""

    name: str
    first: int
    last: int
    x: float
    width: float

    def at(self, k: float) -> float:
        """Where an operation's left edge is drawn."""
        share = (k - self.first) / (self.last + 1 - self.first)
        return self.x + min(max(share, 0.0), 1.0) * self.width


def colour_name(settled: Settled) -> str:
    """How a cut counts on a map: the role of the image that runs by itself, stranded, or dead."""
    if settled.rung == "none":
        return "dead"
    if settled.rung != "self":
        return "stranded"
    return settled.became if settled.became in COLOURS else "other"


def draw_sweep(update: Update, spans: Sequence[Span], title: str, below: Sequence[str]) -> str:
    """An SVG of everything that is known; `below` are lines under the title."""
    rows = [tear for tear in (BEFORE, *TEARS) if any(span.tear == tear for span in spans)]
    present = [name for name in COLOURS if any(colour_name(span.settled) == name for span in spans)]
    bands = _bands(update)
    height = TOP + 24 + ROW * len(rows) + 24 + LEGEND_ROW * len(present) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="34" font-size="19" font-weight="600">{escape.xml(title)}</text>',
        *(
            f'<text x="{MARGIN}" y="{56 + 18 * number}" fill="#555">{escape.xml(line)}</text>'
            for number, line in enumerate(below)
        ),
    ]
    for number, band in enumerate(bands):
        parts += _band(band, number, len(rows))
    for number, tear in enumerate(rows):
        y = TOP + 24 + ROW * number
        parts.append(f'<text x="{MARGIN}" y="{y + 18}" fill="#333">{tear}</text>')
        for span in spans:
            if span.tear == tear:
                parts += _span(span, bands, y, update.operations)
    top = TOP + 24 + ROW * len(rows) + 28
    return "\n".join([*parts, *_legend(present, spans, top), "</svg>\n"])


def _bands(update: Update) -> list[_Band]:
    phases = [
        (name, list(runs))
        for name, runs in groupby(zip(update.phases, update.runs, strict=True), key=lambda pair: pair[0])
    ]
    stretches = [(name, pairs[0][1].first, pairs[-1][1].first + pairs[-1][1].count - 1) for name, pairs in phases]
    if not stretches or len(stretches) > int(1 / LEAST_SHARE):
        stretches = [("the update", 0, max(update.operations - 1, 0))]
    left = WIDTH - 2 * MARGIN - LABELS
    free, whole = 1 - LEAST_SHARE * len(stretches), max(update.operations, 1)
    bands, x = [], float(MARGIN + LABELS)
    for name, first, last in stretches:
        width = left * (LEAST_SHARE + free * (last - first + 1) / whole)
        bands.append(_Band(name, first, last, x, width))
        x += width
    return bands


def _band(band: _Band, number: int, rows: int) -> list[str]:
    fill, height = ("#f1f3f4", "#e4e8ea")[number % 2], 24 + ROW * rows
    return [
        f'<rect x="{band.x:.1f}" y="{TOP}" width="{band.width:.1f}" height="{height}" fill="{fill}"/>',
        f'<text x="{band.x + 3:.1f}" y="{TOP + 16}" fill="#333" font-size="11">{escape.xml(band.name)}</text>',
    ]


def _span(span: Span, bands: Sequence[_Band], y: int, operations: int) -> list[str]:
    """A span's rectangles, one in each phase that it reaches into; an update that was not cut has none."""
    name = colour_name(span.settled)
    text = f"{span.tear} {span.first:,} to {span.last:,}: {span.settled.became}, {span.settled.rung}"
    parts = []
    for band in bands:
        if span.first <= band.last and span.last >= band.first and span.first < operations:
            x, end = band.at(span.first), band.at(span.last + 1)
            parts.append(
                f'<rect x="{x:.2f}" y="{y}" width="{max(end - x, _THINNEST):.2f}" height="{ROW - 6}" '
                f'fill="{COLOURS[name]}"><title>{escape.xml(text)}</title></rect>'
            )
    return parts


def _legend(present: Sequence[str], spans: Sequence[Span], top: int) -> list[str]:
    parts = []
    for number, name in enumerate(present):
        y = top + LEGEND_ROW * number
        count = sum(span.count for span in spans if colour_name(span.settled) == name)
        parts.append(f'<circle cx="{MARGIN + 7}" cy="{y - 4}" r="7" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{MARGIN + 24}" y="{y}">{escape.xml(MEANING[name])}: {count:,} cuts</text>')
    return parts

"""A picture of dark dates: a row for each firmware and server, a bar for as long as the one trusts the other."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.errors import Misuse
from rig.files import write_user_file
from rig.trust.timeline.course import Course, Span, State
from rig.trust.timeline.dark_dates import DarkDates
from rig.trust.timeline.timeline import FirmwareTimeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours; states differ in height and hatch too.
_LOOKS: dict[State, dict[str, Any]] = {
    State.TRUSTED: {"height": 0.62, "color": "#0072B2"},
    State.AT_RISK: {"height": 0.62, "facecolor": "#F0C260", "edgecolor": "#7A5200", "hatch": "////", "linewidth": 0},
    State.REFUSED: {"height": 0.12, "color": "#D55E00"},
    State.UNPLANNED: {"height": 0.03, "color": "#9A9A9A"},
}
_MEANING = {
    State.TRUSTED: "trusted",
    State.AT_RISK: "trusted, lost if a renewal changes the intermediate",
    State.REFUSED: "refused",
    State.UNPLANNED: "no plan for the server",
}
#: Inches.
WIDTH, ROW, AROUND = 13.0, 0.36, 2.0
#: From this share of the width on, a label stands left of its date.
LABEL_TURNS = 0.8
KINDS = (".svg", ".png")


def draw_timeline(found: DarkDates, path: Path) -> None:
    """Write an SVG (the same bytes for the same dates) or a PNG, by the file's name. Raises Misuse."""
    if path.suffix.lower() not in KINDS:
        raise Misuse(f"{path.name}: no such kind of picture", hint=f"a name that ends in {' or '.join(KINDS)}")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = sum(len(one.servers) for one in found.firmware)
    with matplotlib.rc_context({"svg.hashsalt": "rig", "font.family": "DejaVu Sans", "hatch.linewidth": 1.2}):
        figure = Figure(
            figsize=(WIDTH, AROUND + ROW * max(rows, 1)), layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12)
        )
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _draw_axes(axes, found, rows)
        row = 0
        for one in found.firmware:
            _draw_firmware(axes, found, one, row)
            row += len(one.servers)
        _legend(figure)
        kind = path.suffix.lower().removeprefix(".")
        drawn = io.BytesIO()
        figure.savefig(drawn, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None)
    write_user_file(path, drawn.getvalue())


def _draw_axes(axes: Axes, found: DarkDates, rows: int) -> None:
    import matplotlib.dates as dates

    horizon = found.horizon
    axes.set_xlim(_x(horizon.since), _x(horizon.until))
    axes.set_ylim(rows - 0.4, -1.1)
    years = (horizon.until - horizon.since) / timedelta(days=365)
    locator: Any = dates.YearLocator if years > 3 else dates.AutoDateLocator
    axes.xaxis.set_major_locator(locator())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%Y" if years > 3 else "%Y-%m-%d"))  # type: ignore[no-untyped-call]
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="x", color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.set_yticks(range(rows), [_row_label(one, n) for one in found.firmware for n in range(len(one.servers))])
    axes.set_title("Until when firmware in the field trusts its update servers", loc="left", fontsize=13, pad=12)
    axes.axvline(_x(horizon.today), color="black", linewidth=1.2, linestyle=(0, (4, 2)))
    axes.text(_x(horizon.today), -0.75, f" today, {horizon.today:%Y-%m-%d}", fontsize=9, va="center")


def _row_label(one: FirmwareTimeline, number: int) -> str:
    host = one.servers[number].name
    if number > 0:
        return host
    more = f" (+{len(one.firmware.images) - 1})" if len(one.firmware.images) > 1 else ""
    return f"{one.firmware.name}{more}   {host}"


def _draw_firmware(axes: Axes, found: DarkDates, one: FirmwareTimeline, first: int) -> None:
    for number, server in enumerate(one.servers):
        y = first + number
        for span in server.course.spans:
            _draw_span(axes, span, y)
        dark = server.course.dark
        if dark is not None and server.course.ever_works:
            _draw_dark(axes, found, dark, y, is_last=dark == one.course.dark)
        elif dark is not None:
            _draw_never(axes, server.course, y)
    if first > 0:
        axes.axhline(first - 0.5, color="#C8C8C8", linewidth=0.8)


def _draw_span(axes: Axes, span: Span, y: int) -> None:
    axes.barh(y, _x(span.ends) - _x(span.begins), left=_x(span.begins), **_LOOKS[span.state])


def _draw_dark(axes: Axes, found: DarkDates, dark: datetime, y: int, *, is_last: bool) -> None:
    """The last server's loss is what matters: bold, with a mark; another server is left otherwise."""
    turns = (dark - found.horizon.since) / (found.horizon.until - found.horizon.since) > LABEL_TURNS
    text = f"dark from {dark:%Y-%m-%d}" if is_last else f"lost {dark:%Y-%m-%d}, others are left"
    _label(axes, text, dark, y, left=turns, weight="bold" if is_last else "normal")
    if is_last:
        axes.plot(_x(dark), y, marker="D", markersize=6, color="black", clip_on=False)


def _draw_never(axes: Axes, course: Course, y: int) -> None:
    refused = [span for span in course.spans if span.state is State.REFUSED]
    text, begins = ("never trusted", refused[0].begins) if refused else ("not in the plan", course.spans[0].begins)
    _label(axes, text, begins, y)


def _label(axes: Axes, text: str, at: datetime, y: int, *, left: bool = False, weight: str = "normal") -> None:
    """Words on white, beside a time in a row."""
    axes.annotate(
        text,
        (_x(at), y),
        xytext=(-7 if left else 7, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=8.5,
        fontweight=weight,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for state in (State.TRUSTED, State.AT_RISK):
        handles.append(Patch(label=_MEANING[state], **{k: v for k, v in _LOOKS[state].items() if k != "height"}))
    for state, width in ((State.REFUSED, 4.0), (State.UNPLANNED, 1.2)):
        handles.append(Line2D([], [], color=_LOOKS[state]["color"], linewidth=width, label=_MEANING[state]))
    dark = "dark: the last server is lost"
    handles.append(Line2D([], [], color="black", marker="D", markersize=6, linestyle="none", label=dark))
    figure.legend(handles=handles, loc="outside lower left", ncols=5, frameon=False, fontsize=9)


def _x(time: datetime) -> float:
    """Days, as matplotlib counts them."""
    from matplotlib.dates import date2num

    return float(date2num(time))  # type: ignore[no-untyped-call]

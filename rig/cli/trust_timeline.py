"""`rig trust timeline`: when firmware in the field loses its update servers, as a table, JSON and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rig.terminal.output import print_error, print_json

DAY = "YYYY-MM-DD"
#: Of all that have a date.
LAST_YEAR = 9999


def timeline(
    plan: Annotated[
        Path | None,
        typer.Argument(metavar="[PLAN]", help="Plan of the endpoints, TOML; the rig's example if not given."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Manifest of firmware; the plan's if not given, the rig's for a plan without any."),
    ] = None,
    pins: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="NAME.pem for each pin; the plan's own if not given.")
    ] = None,
    today: Annotated[str | None, typer.Option(metavar=DAY, help="The day it is asked for; today if not given.")] = None,
    until: Annotated[str | None, typer.Option(metavar=DAY, help="How far to look; ten years if not given.")] = None,
    warn: Annotated[int, typer.Option(min=0, metavar="DAYS", help="How soon a loss is a failure already.")] = 90,
    live: Annotated[
        bool, typer.Option("--live", help="Look at what the plan's endpoints serve now, and plan from there.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it too: a file that ends in .svg or .png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell for all firmware the dark date: the day it loses each server, and the last; and until when it can be helped.

    The exit status is 1 if firmware that the plan has not written off is dark today or will be within --warn days,
    2 for misuse, 3 if an endpoint could not be seen with --live, else 0.
    """
    from rig.firmware.checkout import manifest_path, part
    from rig.trust.timeline.dark_dates import dark_dates
    from rig.trust.timeline.live import look
    from rig.trust.timeline.plan import read_plan

    path = plan if plan is not None else part("firmware-fixtures", "trust-plan.toml")
    read = read_plan(path)
    if manifest is None and read.manifest is None and not read.firmware:
        manifest = manifest_path()
    now = _day(today, "--today")
    found = dark_dates(
        read,
        today=now,
        until=_day(until, "--until") if until is not None else _ten_years_after(now),
        manifest=manifest,
        pins=pins,
        seen=look(read.endpoint, now) if live else None,
    )
    status = found.status(warn)
    if picture is not None:
        from rig.trust.timeline.picture import draw_timeline

        draw_timeline(found, picture)
    for reason in found.unseen.values():
        print_error(f"not seen: {reason}")
    result = {"plan": str(path), **found.to_dict(), "exit_status": status}
    if as_json:
        print_json(result)
    else:
        _show(result)
    raise typer.Exit(status)


def _day(text: str | None, option: str) -> Any:
    """Midnight UTC of a day; of today where none is told. Raises Misuse."""
    from datetime import UTC, date, datetime, time

    from rig.errors import Misuse

    try:
        day = date.fromisoformat(text) if text is not None else datetime.now(UTC).date()
    except ValueError as error:
        raise Misuse(f"{option} {text}: {error}", hint=f"such as {option} 2027-03-15") from error
    return datetime.combine(day, time(), UTC)


def _ten_years_after(now: Any) -> Any:
    year = min(now.year + 10, LAST_YEAR)
    try:
        return now.replace(year=year)
    except ValueError:  # the 29th of February
        return now.replace(year=year, day=28)


def _show(result: dict[str, Any]) -> None:
    from rig.terminal.tables import show

    show(_dates(result), *(f"* {line}" for line in _reasons(result)))
    if result["renewals"]:
        show(_renewals(result))
        for one in result["renewals"]:
            if one["at_risk"]:
                show(f"* at risk at each renewal of {one['host']}: {', '.join(one['at_risk'])}")
    if result["left_out"]:
        show(f"The plan has none of the servers of {', '.join(result['left_out'])}.")


def _dates(result: dict[str, Any]) -> Any:
    """Dates are never cut short, however narrow the terminal is: reasons stand below."""
    from rich import box

    from rig.terminal.tables import grid, styled

    table = grid(title=f"Dark dates, {result['today']}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("firmware, its servers", overflow="fold")
    for name in ("today", "dark from", "last day"):
        table.add_column(name, no_wrap=True)
    table.add_column("days left", justify="right")
    for one in result["firmware"]:
        images = len(one["images"])
        name = one["name"] + (f" (+{images - 1})" if images > 1 else "") + (" (written off)" * one["written_off"])
        table.add_row(styled(name, "bold"))
        for server in one["servers"]:
            table.add_row(f"  {server['host']}", *_row(server))
        if len(one["servers"]) > 1:
            table.add_row(styled("  the last one", "bold"), *_row(one))
    return table


def _row(course: dict[str, Any]) -> list[Any]:
    from rig.terminal.tables import styled

    colours = {"trusted": "green", "at risk": "yellow", "refused": "red", "unplanned": "dim"}
    dark = "-" if course["dark"] is None else course["dark"][:10] if course["ever_works"] else "never worked"
    left = "" if course["days_left"] is None else str(course["days_left"])
    return [styled(course["now"], colours[course["now"]]), dark, course["last_day"] or "-", left]


def _reasons(result: dict[str, Any]) -> list[str]:
    """Why each firmware loses each server, and where it is at risk or has gaps."""
    lines = []
    for one in result["firmware"]:
        for server in one["servers"]:
            risks, gaps = server["at_risk"], server["gaps"]
            said = [server["why"]] if server["why"] else []
            said += [f"at risk from {risks[0][:10]} on (renewals: {len(risks)})"] if risks else []
            said += [f"not from {begins[:10]} to {ends[:10]}" for begins, ends in gaps]
            if said:
                lines.append(f"{one['name']} at {server['host']}: {'; '.join(said)}")
    return lines


def _renewals(result: dict[str, Any]) -> Any:
    """Each renewal is a chance to lose firmware that pins less than a root."""
    from rich import box

    from rig.terminal.tables import grid

    title = f"Renewals until {result['until']}, as planned and with lifetimes to come"
    table = grid(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("endpoint", overflow="fold")
    table.add_column("next", no_wrap=True)
    for name in ("as planned", "200 days", "100 days", "47 days"):
        table.add_column(name, justify="right")
    for one in result["renewals"]:
        counts = [f"{one[key]:,}" for key in ("planned", "200", "100", "47")]
        table.add_row(one["host"], one["next"][:10], *counts)
    return table

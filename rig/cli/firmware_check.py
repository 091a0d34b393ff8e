"""`rig firmware check`: what a manifest's images are, whether they fit, and which suites run with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rig.terminal.output import print_json, print_lines

if TYPE_CHECKING:
    from rig.firmware.image_info import ImageInfo
    from rig.suites.with_firmware import Fit, Suite


def check(
    manifest: Annotated[Path, typer.Argument(help="The manifest to look at.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a manifest's images are, whether they fit, and which suites run with them. No board is touched.

    The exit status is 0 where all is well, 2 where something is wrong.
    """
    from rig.firmware.image_info import image_infos
    from rig.firmware.run_firmware import all_faults, load_firmware
    from rig.suites.expectations import wrong_expectations
    from rig.suites.with_firmware import suites_with

    known = load_firmware(manifest)
    faults, images = all_faults(known) or wrong_expectations(known), image_infos(known)
    suites = suites_with(known) if len(images) == len(known.entries) else []
    if as_json:
        result = {"images": [one.to_dict() for one in images], "suites": [one.to_dict() for one in suites]}
        print_json(
            {"manifest": str(known.path), "ok": not faults, "faults": [one.to_dict() for one in faults], **result}
        )
        raise typer.Exit(2 if faults else 0)
    _show_images(str(known.path), images)
    if suites:
        _show_suites(suites)
    print_lines(*(f"wrong: {fault}" for fault in faults), *([] if faults else ["nothing is wrong"]))
    raise typer.Exit(2 if faults else 0)


def _show_images(title: str, images: list[ImageInfo]) -> None:
    from rig.terminal.tables import grid, show_whole

    table = grid("image", "what it is", "version", "bytes", "room", "parts", "sha256", title=title)
    for one in images:
        room = f"{one.room:,}" if one.room is not None else ""
        table.add_row(one.name, one.what, one.version, f"{one.size:,}", room, ", ".join(one.roles), one.sha256[:12])
    show_whole(table)


def _show_suites(suites: list[Suite]) -> None:
    from rig.terminal.tables import grid, show_whole

    table = grid("suite", "cases", "with your images", "on twins", "on real boards")
    for suite in suites:
        table.add_row(
            suite.name, str(suite.cases), str(suite.own), str(suite.on_twins.cases), str(suite.on_boards.cases)
        )
    show_whole(table)
    _say_why_not("on twins", [suite.on_twins for suite in suites])
    _say_why_not("on real boards", [suite.on_boards for suite in suites])


def _say_why_not(where: str, fits: list[Fit]) -> None:
    """Each reason once, with the cases that it keeps from running."""
    lacks = sum((fit.lacks for fit in fits), start=type(fits[0].lacks)())
    if lacks:
        print_lines(f"cases that do not run {where}:", *(f"{count:5}  {why}" for why, count in lacks.most_common()))

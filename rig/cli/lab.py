"""`rig lab`: what one does to the boards of a lab rather than with them."""

from __future__ import annotations

import signal
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rig.errors import LabFault, Misuse, RigError
from rig.terminal.lab_options import COORDINATOR, RACK
from rig.terminal.output import print_error, print_json, print_lines, print_result, print_status

if TYPE_CHECKING:
    from rig.firmware.manifest import Manifest
    from rig.lab.acquisition import Boards

app = typer.Typer(no_args_is_help=True, help="Make blank boards known, see to their health.")

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON line for each place.")]


@app.command("bring-up")
def bring_up(
    places: Annotated[list[str] | None, typer.Argument(metavar="PLACE…", help="Places; all with --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every place whose kind of board has a bring-up.")] = False,
    release: Annotated[str | None, typer.Option(help="Image to install; the manifest's new one if not given.")] = None,
    server: Annotated[str | None, typer.Option(help="Name or IPv4 address of the server they talk to.")] = None,
    server_key: Annotated[Path | None, typer.Option(help="Its public key, PEM or DER.")] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Give another key to boards that have one.")] = False,
    keys: Annotated[Path | None, typer.Option(help="Folder for the public keys of the boards.")] = None,
    at_once: Annotated[int, typer.Option("-n", min=1, max=32, help="How many boards at once.")] = 4,
    manifest: Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")] = None,
    coordinator: COORDINATOR = None,
    rack: RACK = None,
    as_json: JSON = False,
) -> None:
    """Make blank boards known ones: bootloader read, keys and server, factory and application images, a first start.

    Everything written is read back. A board that fails is named, goes into quarantine, and the others go on.
    """
    from rig.family.bring_up import BringUpOptions
    from rig.files import make_folder
    from rig.firmware.checkout import manifest_path
    from rig.firmware.run_firmware import checked_firmware
    from rig.lab.bring_up import bring_up_places, columns_of, kinds_of, recipes_for
    from rig.lab.lab import Lab

    lab = Lab.named(coordinator, rack)
    if bool(places) == everything:
        raise Misuse("name places, or say --all", hint="rig lab bring-up core-01 core-02")
    path = manifest_path(manifest)
    known = checked_firmware(path)
    kinds = kinds_of(lab, places or ())
    chosen = sorted(set(places or kinds))
    if not chosen:
        raise Misuse("no place has a board of a kind that has a bring-up")
    options = BringUpOptions(release=release, server=server, server_key=server_key, new_key=new_key)
    recipes = recipes_for(kinds.values(), known, options)
    if keys is not None:
        make_folder(keys)
    results: list[Any] = []
    interrupted = False
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs begin with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    with closing(bring_up_places(lab, chosen, recipes, path, at_once)) as brought:
        try:
            for result in brought:
                results.append(result)
                _keep_and_report(result, keys, as_json=as_json)
        except KeyboardInterrupt:
            interrupted = True
    if not as_json:
        _print_brought(results, columns_of(recipes))
    if interrupted:
        left = sorted(set(chosen) - {result.place for result in results})
        print_error(f"ended by a signal, and given back as they are: {', '.join(left) or 'none'}")
    statuses = {result.exit_status for result in results} | ({LabFault.exit_status} if interrupted else set())
    raise typer.Exit(next((status for status in (2, 1, 3) if status in statuses), 0))


def _keep_and_report(result: Any, keys: Path | None, *, as_json: bool) -> None:
    """Keep the public key of a board that was brought up, and say what came of it."""
    from rig.files import write_user_file

    if keys is not None and result.board is not None and result.board.public_key:
        write_user_file(keys / f"{result.board.serial}.pub.pem", result.board.public_key.encode())
    if as_json:
        print_json(asdict(result))
    else:
        print_status(f"{result.place}: {'brought up' if result.board else result.fault}")


@app.command()
def health(
    places: Annotated[list[str] | None, typer.Argument(metavar="PLACE…", help="Places; all if none is named.")] = None,
    control_cut: Annotated[
        bool,
        typer.Option("--control-cut", help="Cut boards in an update of the golden image; clears those in quarantine."),
    ] = False,
    reap: Annotated[
        bool,
        typer.Option("--reap", help="Power boards that stand still, give back places that killed runs left acquired."),
    ] = False,
    manifest: Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")] = None,
    coordinator: COORDINATOR = None,
    rack: RACK = None,
    as_json: JSON = False,
) -> None:
    """Show which boards are healthy, which are in quarantine and why, who holds what, and what their cuts go through.

    A place whose exporter or relay does not answer, or whose tags are missing or malformed, is named, with status 3.
    Nothing is acquired or switched for that.
    """
    from rig.firmware.run_firmware import checked_firmware
    from rig.lab.acquisition import Boards
    from rig.lab.checkup import check_up
    from rig.lab.lab import Lab

    lab = Lab.named(coordinator, rack)
    known = checked_firmware(manifest)
    faults: list[RigError] = []
    with Boards(lab.coordinator, lab.environment, reaps=False) as boards:
        rows = boards.health()
        if unknown := set(places or []) - {row.place for row in rows}:
            raise Misuse(f"no place with a board is called {sorted(unknown)[0]}")
        if reap:
            faults += _reap(boards)
            rows = boards.health()
        if control_cut:
            sick = [row.place for row in rows if row.health != "ok" and not row.holder]
            faults += _clear(boards, places or sick, known)
    seen = check_up(lab, places or (), {fault.board for fault in faults})
    for fault in seen.faults:
        print_error(str(fault))
    if seen.foreign_places:
        print_status(f"left alone, as their boards are of no kind that the rig knows: {', '.join(seen.foreign_places)}")
    if as_json:
        for row in seen.rows:
            print_json(asdict(row))
    else:
        _print_health(seen.rows)
    statuses = {fault.exit_status for fault in [*faults, *seen.faults]}
    raise typer.Exit(next((number for number in (2, 1, 3) if number in statuses), 0))


def _reap(boards: Boards) -> list[RigError]:
    """Bring back what killed runs left, and tell of it; returns the faults of what could not be brought back."""
    done = boards.bring_back()
    faults = [*done.faults, *done.unreachable]
    print_status(str(done))
    for text in (*done.unjudged, *map(str, faults)):
        print_error(text)
    return faults


def _clear(boards: Boards, places: list[str], known: Manifest) -> list[RigError]:
    """Make a control cut on the board of each place; returns the faults of those that did not pass."""
    from rig.lab.control_cut import clear_after_control_cut

    faults: list[RigError] = []
    for place in places:
        try:
            clear_after_control_cut(boards, place, known, print_status)
        except RigError as error:
            faults.append(error)
            print_error(str(error))
    return faults


@app.command()
def example(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into; made where it is not there.")],
    board: Annotated[
        list[str] | None, typer.Option("--board", metavar="KIND", help="Only places of this kind; may be repeated.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An address or id of your lab's own; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a lab's files to start from: exporter, places, and an environment for each kind of board.

    Nothing that is there is written over.
    """
    from rig.family.contract import families, family_of
    from rig.lab.example import write_example

    chosen = [family_of(kind) for kind in dict.fromkeys(board)] if board else families()
    written = write_example(folder, [family.place for family in chosen], setting or [])
    print_result(as_json, {"written": [str(path) for path in written]}, *map(str, written), f"Next: {written[0]}")


def _print_health(rows: list[Any]) -> None:
    from rig.terminal.tables import grid, show, styled

    table = grid("place", "board", "health", "held by", "cut by", title="Health")
    for row in rows:
        colour = "green" if row.health == "ok" else "red"
        table.add_row(row.place, row.board, styled(row.health, colour), row.holder, row.cut)
    show(table)
    for row in rows:
        if row.reason:
            print_lines(f"{row.place}, {row.health}: {row.reason}")


def _print_brought(results: list[Any], columns: tuple[str, ...]) -> None:
    """What came of each place; `columns` are what families tell of boards that were brought up."""
    from rig.terminal.tables import grid, show, styled

    table = grid("place", "result", *columns, title="Bring-up")
    for result in sorted(results, key=lambda result: str(result.place)):
        if result.board is None:
            table.add_row(result.place, styled("failed", "red"))
        else:
            table.add_row(result.place, "brought up", *(result.board.cells.get(column, "") for column in columns))
    show(table)

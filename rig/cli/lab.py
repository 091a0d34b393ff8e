"""`rig lab`: what one does to the boards of a lab rather than with them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from rig.cli.show import complain, note, say_json
from rig.errors import Misuse

app = typer.Typer(no_args_is_help=True, help="Make blank boards known, see to their health.")

COORDINATOR = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="labgrid's coordinator; LG_COORDINATOR if not given.")
]
RACK = Annotated[Path | None, typer.Option(metavar="FILE", help="labgrid environment of the places.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON line for each place.")]


def lab_of(coordinator: str | None, rack: Path | None) -> Any:
    """The lab that was named: its coordinator, and the environment of its places."""
    from rig.lab.bring_up import Lab
    from rig.lab.checkout import part
    from rig.lab.coordinator import coordinator_address
    from rig.lab.environment import rack_environment

    return Lab(
        coordinator_address(coordinator), rack_environment(rack) if rack is not None else part("places", "virtual.yaml")
    )


@app.command("bring-up")
def bring_up(
    places: Annotated[list[str] | None, typer.Argument(metavar="PLACE…", help="Places; all Cores with --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every place with a Spark Core.")] = False,
    release: Annotated[str | None, typer.Option(help="Image to install; the manifest's new one if not given.")] = None,
    server: Annotated[str | None, typer.Option(help="Name or IPv4 address of the server they talk to.")] = None,
    server_key: Annotated[Path | None, typer.Option(help="Its public key, PEM or DER.")] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Give another key to Cores that have one.")] = False,
    keys: Annotated[Path | None, typer.Option(help="Folder for the public keys of the Cores.")] = None,
    at_once: Annotated[int, typer.Option("-n", min=1, max=32, help="How many boards at once.")] = 4,
    manifest: Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")] = None,
    coordinator: COORDINATOR = None,
    rack: RACK = None,
    as_json: JSON = False,
) -> None:
    """Make blank Cores known ones: bootloader read, keys and server, factory and application images, a first start.

    Everything written is read back. A board that fails is named, goes into quarantine, and the others go on.
    """
    from rig.boards.bring_up import recipe_from
    from rig.files import make_folder, write_given
    from rig.firmware.manifest import Manifest
    from rig.lab.acquisition import places_with
    from rig.lab.bring_up import bring_up_places
    from rig.lab.checkout import manifest_path
    from rig.trust.core_key import read_server_key

    lab = lab_of(coordinator, rack)
    if bool(places) == everything:
        raise Misuse("name places, or say --all", hint="rig lab bring-up core-01 core-02")
    chosen = places or places_with(lab.coordinator, "spark-core")
    if not chosen:
        raise Misuse("no place has a Spark Core")
    path = manifest_path(manifest)
    key = read_server_key(server_key) if server_key is not None else None
    recipe = recipe_from(Manifest.load(path), release=release, server_key=key, server=server, new_key=new_key)
    if keys is not None:
        make_folder(keys)
    results = []
    for result in bring_up_places(lab, sorted(set(chosen)), recipe, path, at_once):
        results.append(result)
        if result.board is not None and keys is not None:
            write_given(keys / f"{result.board.serial}.pub.pem", result.board.public_key.encode())
        if as_json:
            say_json(asdict(result))
        else:
            note(f"{result.place}: {'brought up' if result.board else result.fault}")
    if not as_json:
        _print_table(results)
    raise typer.Exit(next((status for status in (2, 1, 3) if status in {r.exit_status for r in results}), 0))


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
    """Show which boards are healthy, which are in quarantine and why, and who holds what."""
    from rig.errors import RigError
    from rig.firmware.manifest import Manifest
    from rig.lab.acquisition import Boards
    from rig.lab.checkout import manifest_path
    from rig.lab.control_cut import clear

    lab = lab_of(coordinator, rack)
    known = Manifest.load(manifest_path(manifest))
    faults: list[RigError] = []
    with Boards(lab.coordinator, lab.environment, reaps=reap) as boards:
        rows = boards.health()
        if unknown := set(places or []) - {row.place for row in rows}:
            raise Misuse(f"no place with a board is called {sorted(unknown)[0]}")
        if reap:
            done = boards.brought_back
            faults += [*done.faults, *done.unreachable]
            given_back, powered = ", ".join(done.given_back) or "none", ", ".join(done.powered) or "none"
            note(f"given back: {given_back}; powered: {powered}")
            for text in done.unjudged:
                complain(text)
        sick = [row.place for row in rows if row.health != "ok" and not row.holder]
        for place in (places or sick) if control_cut else []:
            try:
                clear(boards, place, known, lambda _step: None)
            except RigError as error:
                faults.append(error)
    with Boards(lab.coordinator, lab.environment, reaps=False) as boards:
        rows = [row for row in boards.health() if not places or row.place in places]
    for fault in faults:
        complain(str(fault))
    status = next((number for number in (2, 1, 3) if number in {fault.exit_status for fault in faults}), 0)
    if as_json:
        for row in rows:
            say_json(asdict(row))
    else:
        _print_health(rows)
    raise typer.Exit(status)


def _print_health(rows: list[Any]) -> None:
    from rig.cli.tables import grid, show, styled

    table = grid("place", "board", "health", "reason", "held by", title="Health")
    for row in rows:
        colour = "green" if row.health == "ok" else "red"
        table.add_row(row.place, row.board, styled(row.health, colour), row.reason, row.holder)
    show(table)


def _print_table(results: list[Any]) -> None:
    from rig.cli.tables import grid, show, styled

    table = grid("place", "result", "serial", "bootloader", "application", "factory", "server", "key", title="Bring-up")
    for result in sorted(results, key=lambda result: str(result.place)):
        board = result.board
        if board is None:
            table.add_row(result.place, styled("failed", "red"))
        else:
            key = "new" if board.new_key else "kept"
            table.add_row(
                result.place,
                "brought up",
                board.serial,
                board.generation,
                board.application,
                board.factory,
                board.server,
                key,
            )
    show(table)

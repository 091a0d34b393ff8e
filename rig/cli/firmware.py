"""`rig firmware`: what images there are, making the synthetic ones, genuine releases, a manifest of one's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rig.cli import firmware_check
from rig.terminal.output import print_json, print_result, update_progress

app = typer.Typer(no_args_is_help=True, help="Your firmware: a manifest for it, what is in one, genuine releases.")
app.command()(firmware_check.check)

MANIFEST = Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write the manifest.")] = Path("firmware.toml"),
    board: Annotated[str | None, typer.Option(help="Kind of board; what the files are for if not given.")] = None,
    old: Annotated[Path | None, typer.Option(help="The application that boards start from.")] = None,
    new: Annotated[Path | None, typer.Option(help="The application that updates bring.")] = None,
    as_json: JSON = False,
) -> None:
    """Write a small commented manifest for your own firmware."""
    from rig import registry
    from rig.errors import Misuse
    from rig.files import is_there, write_user_file
    from rig.firmware.template import first_manifest

    if is_there(path):
        raise Misuse(f"{path} is there already", hint="name another file")
    text = first_manifest(path, registry.checked_kind(board) if board is not None else None, old, new)
    write_user_file(path, text.encode())
    print_result(
        as_json, {"manifest": str(path)}, f"{path} is written; `rig firmware check {path}` says what is missing"
    )


@app.command("list")
def list_images(manifest: MANIFEST = None, as_json: JSON = False) -> None:
    """Show every image of a manifest: name, board, version, how it behaves, size and sha256."""
    from rig.firmware.run_firmware import load_firmware

    known = load_firmware(manifest)
    rows: list[dict[str, Any]] = []
    for entry in known.entries.values():
        image = known.image(entry.name)
        rows.append(
            {
                "name": entry.name,
                "board": entry.board,
                "version": image.version,
                "runs": entry.runs,
                "roles": known.roles_of(entry.name),
                "size": len(image),
                "sha256": image.sha256,
                "source": "recipe" if entry.recipe is not None else str(entry.file),
            }
        )
    if as_json:
        print_json({"manifest": str(known.path), "images": rows})
        return
    from rig.terminal.tables import grid, show_whole

    table = grid("name", "board", "version", "runs", "roles", "bytes", "sha256", title=str(known.path))
    for row in rows:
        table.add_row(
            row["name"], row["board"], row["version"], row["runs"], ", ".join(row["roles"]), f"{row['size']:,}",
            row["sha256"][:12],
        )  # fmt: skip
    show_whole(table)


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Folder to write NAME.bin files to.")],
    name: Annotated[list[str] | None, typer.Option(help="Only this image; may be given more than once.")] = None,
    manifest: MANIFEST = None,
    as_json: JSON = False,
) -> None:
    """Write images as files, for example to flash them with other tools."""
    from rig.files import make_folder, write_user_file
    from rig.firmware.run_firmware import load_firmware

    known = load_firmware(manifest)
    images = [known.image(entry) for entry in name or known.entries]
    make_folder(folder)
    files = [str(folder / f"{image.name}.bin") for image in images]
    for image, file in zip(images, files, strict=True):
        write_user_file(Path(file), image.data)
    print_result(as_json, {"files": files}, *files)


@app.command()
def add(
    source: Annotated[str, typer.Argument(metavar="URL|FILE", help="Where the release is.")],
    sha256: Annotated[str, typer.Option(help="Its sha256, from somebody you trust.")],
    name: Annotated[str, typer.Option(help="What to call it, for example core-0.2.1.")],
    version: Annotated[str, typer.Option(help="Its version.")],
    board: Annotated[
        str | None, typer.Option(metavar="KIND", help="Kind of board; the one that `rig up` starts if not given.")
    ] = None,
    runs: Annotated[str, typer.Option(help="How it behaves: ok, crashes, hangs or never-confirms.")] = "ok",
    manifest: MANIFEST = None,
    as_json: JSON = False,
) -> None:
    """Add a genuine release: fetched, checked, kept outside git. From then on every suite runs with it too."""
    from rig.firmware.checkout import manifest_path
    from rig.firmware.releases import Release, add_release, fetch
    from rig.rack.plan import usual_first

    kind = board if board is not None else usual_first(whole=False)[0].kind
    content = fetch(source, sha256, _show if sys.stderr.isatty() and not as_json else lambda _come, _total: None)
    path = manifest_path(manifest)
    file = add_release(path, Release(name, kind, version, runs), content)
    result = {"added": name, "file": str(file), "bytes": file.stat().st_size}
    print_result(as_json, result, f"{name} is in {file}; every suite runs with it now")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The release, as it was added.")],
    manifest: MANIFEST = None,
    as_json: JSON = False,
) -> None:
    """Take a release out again that was added, and delete its file."""
    from rig.firmware.checkout import manifest_path
    from rig.firmware.releases import remove_release

    file = remove_release(manifest_path(manifest), name)
    print_result(as_json, {"removed": name, "file": str(file)}, f"{name} is removed, and {file} deleted")


def _show(come: int, total: int | None) -> None:
    share = f" of {total:,}" if total else ""
    update_progress(f"{come:,}{share} bytes", last=come == total)

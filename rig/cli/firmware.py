"""`rig firmware`: what images there are, making the synthetic ones, adding genuine releases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rig.cli.show import note_again, say_json, tell

app = typer.Typer(no_args_is_help=True, help="List images, build the synthetic ones, add genuine releases.")

MANIFEST = Annotated[Path | None, typer.Option(help="Manifest of firmware; the rig's own if not given.")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_images(manifest: MANIFEST = None, as_json: JSON = False) -> None:
    """Show every image: name, board, version, how it behaves, size and sha256."""
    from rig.firmware.manifest import Manifest
    from rig.lab.checkout import manifest_path

    known = Manifest.load(manifest_path(manifest))
    told: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "board": entry.board,
            "version": entry.version,
            "runs": entry.runs,
            "roles": known.roles_of(entry.name),
            "size": len(known.image(entry.name)),
            "sha256": entry.sha256,
            "source": "recipe" if entry.recipe is not None else str(entry.file),
        }
        for entry in known.entries.values()
    ]
    if as_json:
        say_json({"manifest": str(known.path), "images": told})
        return
    from rig.cli.tables import grid, show

    table = grid("name", "board", "version", "runs", "roles", "bytes", "sha256", title=str(known.path))
    for row in told:
        table.add_row(
            row["name"], row["board"], row["version"], row["runs"], ", ".join(row["roles"]), f"{row['size']:,}",
            row["sha256"][:12],
        )  # fmt: skip
    show(table)


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Folder to write NAME.bin files to.")],
    name: Annotated[list[str] | None, typer.Option(help="Only this image; may be given more than once.")] = None,
    manifest: MANIFEST = None,
    as_json: JSON = False,
) -> None:
    """Write images as files, for example to flash them with other tools."""
    from rig.files import make_folder, write_given
    from rig.firmware.manifest import Manifest
    from rig.lab.checkout import manifest_path

    known = Manifest.load(manifest_path(manifest))
    images = [known.image(entry) for entry in name or known.entries]
    make_folder(folder)
    files = [str(folder / f"{image.name}.bin") for image in images]
    for image, file in zip(images, files, strict=True):
        write_given(Path(file), image.data)
    tell(as_json, {"files": files}, *files)


@app.command()
def add(
    source: Annotated[str, typer.Argument(metavar="URL|FILE", help="Where the release is.")],
    sha256: Annotated[str, typer.Option(help="Its sha256, from somebody you trust.")],
    name: Annotated[str, typer.Option(help="What to call it, for example core-0.2.1.")],
    version: Annotated[str, typer.Option(help="Its version.")],
    board: Annotated[str, typer.Option(help="Kind of board.")] = "spark-core",
    runs: Annotated[str, typer.Option(help="How it behaves: ok, crashes, hangs or never-confirms.")] = "ok",
    manifest: MANIFEST = None,
    as_json: JSON = False,
) -> None:
    """Add a genuine release: fetched, checked, kept outside git. From then on every suite runs with it too."""
    from rig.firmware.releases import Release, add_release, fetch
    from rig.lab.checkout import manifest_path

    content = fetch(source, sha256, _show if sys.stderr.isatty() and not as_json else lambda _come, _total: None)
    path = manifest_path(manifest)
    file = add_release(path, Release(name, board, version, runs), content)
    told = {"added": name, "file": str(file), "bytes": file.stat().st_size}
    tell(as_json, told, f"{name} is in {file}; every suite runs with it now")


def _show(come: int, total: int | None) -> None:
    share = f" of {total:,}" if total else ""
    note_again(f"{come:,}{share} bytes", last=come == total)

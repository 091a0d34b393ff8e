"""`rig cloud https`, what a server that runs is to serve: files, releases, groups."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from rig.cli.cloud_https import CONTROL, DEFAULT_CONTROL, client_at, https
from rig.terminal.output import print_json, print_lines, print_result
from rig.terminal.server_options import JSON

PRODUCT = Annotated[str, typer.Argument(help="What devices ask for.")]


@https.command()
def publish(
    file: Annotated[Path, typer.Argument(help="What to publish.")],
    path: Annotated[str | None, typer.Option(help="Where, as in a URL; /NAME of the file otherwise.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Let everybody download a file."""
    published = client_at(control).publish(_content(file), path or f"/{quote(os.fsencode(file.name))}")["file"]
    print_result(as_json, published, f"{published['path']}: {published['size']} bytes, sha256 {published['sha256']}")


@https.command()
def withdraw(
    path: Annotated[str, typer.Argument(help="Where it is, as `rig cloud https list` tells it.")],
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Have a file no more."""
    client_at(control).ask("withdraw", path=path)
    print_result(as_json, {"path": path}, f"nothing is at {path} any more")


@https.command()
def release(
    product: PRODUCT,
    version: Annotated[str, typer.Argument(help="As devices report it.")],
    file: Annotated[Path, typer.Argument(help="The image.")],
    percentage: Annotated[float, typer.Option(help="Share of devices that get it.")] = 100,
    group: Annotated[list[str] | None, typer.Option(help="Only this group; may be repeated.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only this device; may be repeated.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Make an image the newest release of a product."""
    whom = {"percentage": percentage, "groups": group or [], "devices": device or []}
    answer = client_at(control).release(product, version, _content(file), **whom)
    released = {**answer["release"], "unknown_groups": answer.get("unknown_groups", [])}
    unknown = f"; nobody is in {', '.join(released['unknown_groups'])} yet" if released["unknown_groups"] else ""
    print_result(as_json, released, f"{product} {version}: {released['image']['size']} bytes{unknown}")


@https.command("withdraw-release")
def withdraw_release(
    product: PRODUCT,
    version: Annotated[str | None, typer.Argument(help="Only this one; all if not given.")] = None,
    device: Annotated[str | None, typer.Option(help="Only for this device.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Take releases of a product back."""
    withdrawn = client_at(control).withdraw_release(product=product, version=version, device=device)
    print_result(as_json, withdrawn, f"{len(withdrawn)} taken back")


@https.command()
def group(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    devices: Annotated[list[str] | None, typer.Argument(help="MAC addresses; nobody if none is given.")] = None,
    control: CONTROL = DEFAULT_CONTROL,
    as_json: JSON = False,
) -> None:
    """Say who belongs to a group of devices, in place of who did before."""
    client_at(control).ask("group", name=name, devices=devices or [])
    print_result(as_json, {"group": name, "devices": devices or []}, f"{name}: {len(devices or [])} devices")


@https.command()
def policy(control: CONTROL = DEFAULT_CONTROL, as_json: JSON = False) -> None:
    """Show the releases of each product, newest first, whom they are for, and the groups."""
    answer = client_at(control).ask("policy")
    if as_json:
        print_json({key: answer[key] for key in ("products", "groups")})
        return
    for product, releases in answer["products"].items():
        for one in releases:
            print_lines(f"{product:24} {one['version']:12} {_whom(one)}")
    for name, members in answer["groups"].items():
        print_lines(f"group {name}: {', '.join(members) or 'nobody'}")


def _whom(release: dict[str, Any]) -> str:
    some = [*(f"group {name}" for name in release["groups"]), *release["devices"]]
    share = "" if release["percentage"] == 100 else f"{release['percentage']:g} % of "
    return f"for {share}{', '.join(some) or 'all'}"


def _content(file: Path) -> bytes:
    from rig.drivers.https_cloud import MOST_SENT
    from rig.files import read_user_file

    return read_user_file(file, MOST_SENT)

"""Bring-up: a blank Core becomes a known one, as on the manufacturing line; each step is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rig.errors import DeviceFault, Misuse
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.bootloader import look_at_bootloader
from rig.families.spark_core.boards.keys import read_core_key, read_server_record, write_core_key, write_server_record
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import plausible_first_word
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.trust.core_key import core_public_key, make_core_key
from rig.firmware.manifest import Image, Manifest

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a Core is to become: images, the server it talks to (None: as it is), and whether it gets another key."""

    application: Image
    factory: Image
    server: ServerRecord | None = None
    new_key: bool = False

    @property
    def images(self) -> tuple[Image, ...]:
        """What is written to it."""
        return self.application, self.factory


@dataclass(frozen=True, slots=True)
class BroughtUp:
    """What a Core is now; `public_key` is the PEM of the key it holds, `new_key` whether it was given it now."""

    serial: str
    generation: str
    bootloader_sha256: str
    application: str
    factory: str
    server: str
    public_key: str
    new_key: bool

    @property
    def tags(self) -> dict[str, str]:
        """What its place may say of it from now on: nothing where nobody lists its bootloader."""
        return {"generation": self.generation} if self.generation != UNKNOWN else {}

    @property
    def cells(self) -> dict[str, str]:
        """What a table says of it, by column."""
        return {
            "serial": self.serial,
            "bootloader": self.generation,
            "application": self.application,
            "factory": self.factory,
            "server": self.server,
            "key": "new" if self.new_key else "kept",
        }


def bring_up(board: SparkCore, recipe: Recipe, known: Manifest, note: Callable[[str], None]) -> BroughtUp:
    """Make the Core known, telling `note` each step. It ends running. Raises DeviceFault, LabFault, Misuse."""
    note("entering DFU")
    board.enter_dfu()
    with board.dfu() as host:
        serial = host.serial_number()
        note("reading the bootloader")
        bootloader = look_at_bootloader(host, known)
    note("writing keys")
    public_key, is_new = _give_key(board, recipe)
    if recipe.server is not None:
        write_server_record(board, recipe.server)
    note("writing the factory image")
    write_factory_image(board, recipe.factory)
    note("writing the application")
    server = read_server_record(board).address or "default"
    board.update(recipe.application)
    note("starting it")
    _see_it_run(board, recipe.application)
    board.enter_dfu()
    with board.dfu() as host:
        if host.read(layout.APP_ADDRESS, len(recipe.application)) != recipe.application.data:
            raise DeviceFault(f"{recipe.application.name} was replaced by another image", board=board.name)
    board.start()
    _see_it_run(board, recipe.application)
    return BroughtUp(
        serial=serial,
        generation=bootloader.generation or UNKNOWN,
        bootloader_sha256=bootloader.sha256,
        application=recipe.application.version,
        factory=recipe.factory.version,
        server=server,
        public_key=public_key,
        new_key=is_new,
    )


def recipe_from(
    known: Manifest, *, release: str | None, server_key: bytes | None, server: str | None, new_key: bool
) -> Recipe:
    """What a release of the manifest makes of a Core: the application, and the factory image of the roles.

    Raises Misuse.
    """
    roles = known.roles("spark-core")
    application = known.image(release) if release is not None else roles["new"]
    if application.board != "spark-core":
        raise Misuse(f"{application.name} is for a {application.board}")
    if (server_key is None) != (server is None):
        raise Misuse("a server has a key and an address", hint="give both --server-key and --server")
    record = ServerRecord(server_key, server) if server_key is not None else None
    if record is not None:
        record.pack()
    factory = known.roles("spark-core", filled_in=False).get("factory", application)
    for image in (application, factory):
        if len(image) > layout.APP_SIZE or not plausible_first_word(image.data):
            raise Misuse(f"{image.name} is nothing a Core could run", hint="is it a firmware file?")
    return Recipe(application, factory, record, new_key)


def write_factory_image(board: SparkCore, image: Image) -> None:
    """Write what a factory reset brings back. The board must be in DFU. Raises DeviceFault when it reads back wrong."""
    with board.dfu() as host:
        host.write(layout.FACTORY_ADDRESS, image.data)
        if host.read(layout.FACTORY_ADDRESS, len(image)) != image.data:
            raise DeviceFault("the factory image reads back different", board=board.name, phase="program")


def _give_key(board: SparkCore, recipe: Recipe) -> tuple[str, bool]:
    """Make a key where there is none that works, or where another is wanted; the public half of what is there now."""
    held = core_public_key(read_core_key(board))
    if held is not None and not recipe.new_key:
        return held, False
    write_core_key(board, make_core_key().private_der)
    given = core_public_key(read_core_key(board))
    if given is None:
        raise DeviceFault("the new key reads back different", board=board.name)
    return given, True


def _see_it_run(board: SparkCore, image: Image) -> None:
    board.must.be_alive(board.timing.start)

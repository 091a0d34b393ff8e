"""One twin alone: serve it until a signal, or start it once and tell what it did."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rig.control.serving import serve, warn_of_open_port
from rig.control.socket_options import control_socket_of_twin
from rig.errors import Misuse
from rig.families.spark_core.firmware.identity import ERASED, MIXED, CoreCatalogue, Identity
from rig.families.spark_core.firmware.image import read_core_image
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.core_key_der import LONGEST
from rig.families.spark_core.formats.flash import plausible_first_word
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.lab.factory import FactoryContents, ship_core
from rig.families.spark_core.trust.core_key import core_public_key, make_core_key, read_server_key
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.boot_code import IdentifyBootloader
from rig.families.spark_core.twin.boot_once import CAUSES, result, settle, start
from rig.families.spark_core.twin.core import Core, Identify
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.process import CoreProcess
from rig.family.twin_settings import TwinSettings
from rig.files import MOST_IMAGE, is_there, read_user_file
from rig.firmware.manifest import Image, Manifest
from rig.firmware.run_firmware import checked_firmware, load_firmware, prepare_firmware
from rig.state_folder import keep, state_folder
from rig.twin.network import Routes

#: How an image speaks that is named by its file only.
UNTOLD_VERSION = "0.2.1"


def core_catalogue(manifest: Manifest, good: Iterable[Path] = ()) -> CoreCatalogue:
    """Images of the manifest that a Core would start at all, and files that run well. Raises Misuse."""
    images = [image for image in manifest.images("spark-core") if plausible_first_word(image.data)]
    for path in good:
        data = read_core_image(read_user_file(path, MOST_IMAGE), str(path), force=True)
        images.append(Image(path.stem, "spark-core", UNTOLD_VERSION, data, "ok"))
    return CoreCatalogue(images)


def bootloader_identifier(manifest: Manifest) -> IdentifyBootloader:
    """Tells the generation of the bootloader in a 16 KiB area, by what the manifest lists."""

    def identify(area: bytes) -> str | None:
        known = manifest.bootloader_in(area)
        return known.generation if known is not None else None

    return identify


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreTwinPlan:
    """One board and its ports, as people name them; port 0 takes a free one, `cloud` are `[NAME=]HOST:PORT`.

    With a `cloud`, a Core that is new is one from a shelf: it has an application, a key of its own, a network, and,
    where `server_key` names one, the key of its server.
    """

    settings: TwinSettings
    core_id: str
    usbip_port: int
    console_port: int
    generation: str
    locked: bool
    cloud: Sequence[str]
    firmware_version: str | None
    server_key: Path | None
    good: Sequence[Path]

    def process(self, known: Manifest) -> CoreProcess:
        """The board itself, with its flash in its folder. Raises Misuse."""
        return CoreProcess(
            state=self.settings.state,
            identify=core_catalogue(known, self.good).identify,
            identify_bootloader=bootloader_identifier(known),
            boot_code=known.bootloader_code(self.generation),
            generation=self.generation,
            locked=self.locked,
            routes=Routes.parse(self.cloud),
            dialect=Dialect.of(self.firmware_version) if self.firmware_version is not None else None,
            uid=parse_core_id(self.core_id),
            time_scale=self.settings.time_scale,
            seed=self.settings.seed,
        )


def prepare(manifest: Path | None) -> None:
    """Load what every twin asks for, before some are forked from this process. Raises Misuse."""
    prepare_firmware(manifest, "spark-core")


def serve_core(plan: CoreTwinPlan) -> None:
    """Serve one Spark Core until a signal. Raises Misuse or LabFault before it is ready.

    The public half of its key is kept in `state/ID.pub.pem`, as a cloud's folder of keys has it.
    """
    settings = plan.settings
    known = checked_firmware(settings.manifest)
    if plan.cloud and not is_there(settings.state / "internal.bin"):
        server = ServerRecord(read_server_key(plan.server_key), None).pack() if plan.server_key is not None else b""
        ship_core(
            settings.state, known, plan.generation, FactoryContents(make_core_key().private_der, server, ("rig",))
        )
    process = plan.process(known)
    control_socket = control_socket_of_twin(settings.state, settings.control, settings.token_file)
    warn_of_open_port("--host", settings.host, "whoever does drives this board's USB and console")

    async def start() -> Mapping[str, Any]:
        ready = await process.start(
            host=settings.host,
            usbip_port=plan.usbip_port,
            control=control_socket,
            console_port=plan.console_port,
            powered=settings.powered,
        )
        key = core_public_key(process.core.memory.external.read(layout.CORE_KEY_ADDRESS, LONGEST))
        if key is not None:
            keep(settings.state / f"{plan.core_id.lower()}.pub.pem", key.encode())
        return {**ready, "public_key": key}

    serve(start, process.close, fatal=Exception)


def parse_core_id(text: str) -> bytes:
    """The 12 bytes of a Core's id from 24 hex digits. Raises Misuse."""
    try:
        uid = bytes.fromhex(text)
    except ValueError:
        uid = b""
    if len(uid) != 12:
        raise Misuse(f"core id {text!r} is not 24 hex digits", hint="for example 48ff6c065067555026311387")
    return uid


def boot_core(
    *,
    internal: Path,
    external: Path,
    registers: Iterable[str],
    cause: str,
    hold_ms: int,
    good: Iterable[str],
    images: Iterable[str],
    out: Path | None,
    generation: str = "b",
) -> dict[str, Any]:
    """Start a Core once from two files until it settles; returns what the boot vectors would say.

    `registers` are texts like `1=0xFFFF`, `good` and `images` SHA-256 of whole application areas, each as `SHA256` or
    `NAME=SHA256`. With `out`, both memories are written there. Raises Misuse.
    """
    if cause not in CAUSES:
        raise Misuse(f"cause {cause!r} is unknown", hint=f"one of {', '.join(CAUSES)}")
    memory = CoreMemory()
    for path, nor in ((internal, memory.internal), (external, memory.external)):
        content = read_user_file(path, MOST_IMAGE)
        try:
            nor.load(content)
        except Misuse as error:
            raise Misuse(f"{path}: {error.message}") from error
    core = Core(memory, _identify_area(good, images), generation=generation, time_scale=0)
    start(core, cause=cause, dr=dict(map(_register, registers)), hold_ms=hold_ms)
    found = result(core, settle(core, hold_ms=hold_ms)).as_dict()
    if out is not None:
        state_folder(out)
        keep(out / "internal.bin", memory.internal.dump())
        keep(out / "external.bin", memory.external.dump())
    return found


def _register(text: str) -> tuple[int, int]:
    number, _, value = text.partition("=")
    try:
        register, content = int(number, 0), int(value, 0)
    except ValueError:
        raise Misuse(f"--dr {text!r} is not NUMBER=VALUE", hint="for example --dr 1=0xFFFF") from None
    if not 1 <= register <= 10 or not 0 <= content <= 0xFFFF:
        raise Misuse(f"--dr {text!r}: registers are 1 to 10, values 0 to 0xFFFF")
    return register, content


def _identify_area(good: Iterable[str], images: Iterable[str]) -> Identify:
    """Identify by the hash of the whole area, then by the manifest; without `good` the manifest says what runs."""
    named = {}
    well = set()
    for texts, is_good in ((images, False), (good, True)):
        for text in texts:
            name, _, digest = text.rpartition("=")
            digest = digest.lower()
            if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
                raise Misuse(f"{text!r} is not SHA256 or NAME=SHA256", hint="64 hex digits over the 110,592-byte area")
            named[digest] = name or digest
            if is_good:
                well.add(digest)
    catalogue = core_catalogue(load_firmware())

    def identify(area: bytes) -> Identity:
        digest = hashlib.sha256(area).hexdigest()
        known = catalogue.identify(area)
        if digest in named or known.name in (ERASED, MIXED):
            return Identity(named.get(digest, known.name), "ok" if digest in well else None)
        return replace(known, runs=None if well else known.runs)

    return identify

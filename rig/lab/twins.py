"""One twin alone: serve it until a signal, or start it once and tell what it did."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.files import MOST_IMAGE, is_there, make_folder, read_given, write_given
from rig.firmware.identify import ERASED, MIXED, Catalogue, Identity
from rig.firmware.manifest import Image, Manifest
from rig.formats import spark_flash as layout
from rig.formats.core_key_der import LONGEST
from rig.formats.spark_flash import plausible_first_word
from rig.formats.spark_keys import ServerRecord
from rig.lab.checkout import manifest_path
from rig.lab.factory import Belongings, ship_core
from rig.lab.serving import serve
from rig.trust.core_key import core_public_key, make_core_key, read_server_key
from rig.twin.network import Routes
from rig.twin.spark_core.app.dialect import Dialect
from rig.twin.spark_core.boot_code import IdentifyBootloader
from rig.twin.spark_core.boot_once import CAUSES, result, settle, start
from rig.twin.spark_core.core import Core, Identify
from rig.twin.spark_core.memory import CoreMemory
from rig.twin.spark_core.process import CoreProcess
from rig.twin.state_folder import keep

#: How an image speaks that is named by its file only.
UNTOLD_VERSION = "0.2.1"


def core_catalogue(manifest: Manifest, good: Iterable[Path] = ()) -> Catalogue:
    """Images of the manifest that a Core would start at all, and files that run well. Raises Misuse."""
    images = [image for image in manifest.images("spark-core") if plausible_first_word(image.data)]
    for path in good:
        images.append(Image(path.stem, "spark-core", UNTOLD_VERSION, read_given(path, MOST_IMAGE), "ok"))
    return Catalogue(images)


def bootloader_identifier(manifest: Manifest) -> IdentifyBootloader:
    """Tells the generation of the bootloader in a 16 KiB area, by what the manifest lists."""

    def identify(area: bytes) -> str | None:
        known = manifest.bootloader_in(area)
        return known.generation if known is not None else None

    return identify


def serve_core(
    *,
    state: Path,
    core_id: str,
    host: str,
    usbip_port: int,
    control_port: int,
    console_port: int,
    time_scale: float,
    powered: bool,
    seed: int,
    manifest: Path | None,
    generation: str,
    locked: bool,
    cloud: list[str],
    firmware_version: str | None,
    server_key: Path | None,
    good: list[Path],
) -> None:
    """Serve one Spark Core until a signal. Raises Misuse or LabFault before it is ready.

    With a `cloud`, a Core that is new is one from a shelf: it has an application, a key of its own, a network, and,
    where `server_key` names one, the key of its server. The public half of its key is kept in `state/ID.pub.pem`,
    as a cloud's folder of keys has it.
    """
    known = Manifest.load(manifest_path(manifest))
    if cloud and not is_there(state / "internal.bin"):
        server = ServerRecord(read_server_key(server_key), None).pack() if server_key is not None else b""
        ship_core(state, known, generation, Belongings(make_core_key().private_der, server, ("rig",)))
    process = CoreProcess(
        state=state,
        identify=core_catalogue(known, good).identify,
        identify_bootloader=bootloader_identifier(known),
        boot_code=known.bootloader_code(generation),
        generation=generation,
        locked=locked,
        routes=Routes.parse(cloud),
        dialect=Dialect.of(firmware_version) if firmware_version is not None else None,
        uid=parse_core_id(core_id),
        time_scale=time_scale,
        seed=seed,
    )

    async def start() -> Mapping[str, Any]:
        ready = await process.start(
            host=host, usbip_port=usbip_port, control_port=control_port, console_port=console_port, powered=powered
        )
        key = core_public_key(process.core.memory.external.peek(layout.CORE_KEY_ADDRESS, LONGEST))
        if key is not None:
            keep(state / f"{core_id.lower()}.pub.pem", key.encode())
        return {**ready, "public_key": key}

    serve(start, process.close, fatal=Exception)


def serve_relay(*, wires: list[str], host: str, modbus_port: int, http_port: int) -> None:
    """Serve one relay board until a signal. Raises Misuse or LabFault before it is ready."""
    from rig.twin.relay import Relay, RelayServers, Wire

    servers = RelayServers(Relay([Wire.parse(text) for text in wires]))
    serve(lambda: servers.start(host, modbus_port, http_port), servers.close)


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
        content = read_given(path, MOST_IMAGE)
        try:
            nor.load(content)
        except Misuse as error:
            raise Misuse(f"{path}: {error.message}") from error
    core = Core(memory, _identify_area(good, images), generation=generation, time_scale=0)
    start(core, cause=cause, dr=dict(map(_register, registers)), hold_ms=hold_ms)
    told = result(core, settle(core, hold_ms=hold_ms)).as_dict()
    if out is not None:
        make_folder(out)
        for name, nor in (("internal.bin", memory.internal), ("external.bin", memory.external)):
            write_given(out / name, nor.dump())
    return told


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
    catalogue = core_catalogue(Manifest.load(manifest_path()))

    def identify(area: bytes) -> Identity:
        digest = hashlib.sha256(area).hexdigest()
        known = catalogue.identify(area)
        if digest in named or known.name in (ERASED, MIXED):
            return Identity(named.get(digest, known.name), "ok" if digest in well else None)
        return replace(known, runs=None if well else known.runs)

    return identify

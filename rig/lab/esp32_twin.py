"""One twin of an ESP32: what it knows of images and of the certificates they pin, served until a signal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.firmware.identify import Catalogue
from rig.firmware.manifest import Image, Manifest
from rig.formats.esp_boot_config import BootConfig, SecureVersion
from rig.lab.checkout import manifest_path
from rig.lab.esp32_factory import ship_esp32
from rig.lab.serving import serve
from rig.twin.esp32.boot import Bootloaders
from rig.twin.esp32.chip import Chip
from rig.twin.esp32.process import Esp32Process
from rig.twin.network import Routes


def serve_esp32(
    *,
    state: Path,
    mac: str,
    revision: int,
    host: str,
    serial_port: int,
    raw_port: int,
    control_port: int,
    time_scale: float,
    powered: bool,
    seed: int,
    manifest: Path | None,
    servers: list[str],
    trust: Path | None,
    address: str | None,
    fed_by_board: bool,
    blank: bool,
) -> None:
    """Serve one ESP32 until a signal. Raises Misuse or LabFault before it is ready."""
    known = Manifest.load(manifest_path(manifest))
    if not blank:
        ship_esp32(state, known.roles("esp32"))
    process: list[Esp32Process] = []

    async def start() -> Mapping[str, Any]:
        twin = Esp32Process(
            state=state,
            mac=parse_mac(mac),
            revision=revision,
            fed_by_board=fed_by_board,
            routes=Routes.parse(servers, "--server"),
            address=address,
            find=Catalogue(applications(known)).find,
            bootloaders=bootloaders(known),
            trust=trusted(trust),
            time_scale=time_scale,
            seed=seed,
        )
        process.append(twin)
        return await twin.start(
            host=host, serial_port=serial_port, raw_port=raw_port, control_port=control_port, powered=powered
        )

    def close() -> None:
        for twin in process:
            twin.close()

    serve(start, close)


def applications(known: Manifest) -> Iterable[Image]:
    """The manifest's applications for ESP32s. Raises Misuse."""
    return [image for image in known.images("esp32") if image.boots is None]


def bootloaders(known: Manifest) -> Bootloaders:
    """Tells how the second stage was built that an area begins with, by what the manifest lists."""
    stages = Catalogue(image for image in known.images("esp32") if image.boots is not None)

    def find(area: bytes, chip: Chip) -> BootConfig | None:
        image = stages.find(area)
        if image is None or image.boots is None:
            return None
        major, minor = image.boots.idf.split(".")
        fuse = SecureVersion(lambda: chip.secure_version, chip.raise_secure_version)
        return BootConfig(
            chip=chip.model,
            rollback=image.boots.rollback,
            secure_version=fuse if image.boots.anti_rollback else None,
            release=(int(major), int(minor)),
            version=f"v{image.boots.idf}",
        )

    return find


def trusted(folder: Path | None) -> Callable[[str], str | None]:
    """Finds NAME.pem in a folder, whenever firmware asks: a rack makes its certificates when it starts."""

    def find(name: str) -> str | None:
        if folder is None:
            return None
        try:
            return (folder / f"{name}.pem").read_text()
        except OSError:
            return None

    return find


def parse_mac(text: str) -> bytes:
    """Six bytes from 12 hex digits, with or without colons. Raises Misuse."""
    plain = text.replace(":", "").replace("-", "")
    if not re.fullmatch("[0-9a-fA-F]{12}", plain):
        raise Misuse(f"--mac {text!r} is not 12 hex digits", hint="for example 24:0a:c4:00:00:01")
    return bytes.fromhex(plain)

"""One twin of an ESP32: what it knows of images and of the certificates they pin, served until a signal."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.files import MOST_PEM, is_folder, read_given
from rig.firmware.esp_second_stages import SecondStages
from rig.firmware.identify import Catalogue
from rig.firmware.manifest import Image, Manifest
from rig.formats.esp_boot_config import BootConfig, SecureVersion
from rig.formats.esp_flash_parameters import FlashParameters
from rig.formats.esp_header import Header
from rig.lab.checkout import manifest_path
from rig.lab.control_doors import door_of_twin
from rig.lab.esp32_factory import ship_esp32
from rig.lab.serving import serve, warn_of_an_open_door
from rig.twin.esp32.boot import Bootloaders
from rig.twin.esp32.chip import Chip
from rig.twin.esp32.process import Esp32Process
from rig.twin.network import Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Esp32TwinPlan:
    """One board and its ports, as people name them; port 0 takes a free one, `flash_size` is in bytes.

    None for `mac`, `revision` and `flash_size` is what the `state` folder says, or a new board has. `servers` are
    `[NAME=]HOST:PORT`, `trust` a folder of NAME.pem; the rest is as `Esp32Process` has it.
    """

    state: Path
    mac: str | None
    revision: int | None
    host: str
    serial_port: int
    raw_port: int
    control: str | None
    token_file: Path | None
    time_scale: float
    powered: bool
    seed: int
    manifest: Path | None
    servers: Sequence[str]
    trust: Path | None
    address: str | None
    fed_by_board: bool
    line_rate: int
    blank: bool
    flash_size: int | None

    def process(self, known: Manifest) -> Esp32Process:
        """The board itself, with its flash in its folder. Raises Misuse."""
        return Esp32Process(
            state=self.state,
            mac=parse_mac(self.mac) if self.mac is not None else None,
            revision=self.revision,
            fed_by_board=self.fed_by_board,
            line_rate=self.line_rate,
            routes=Routes.parse(self.servers, "--server"),
            address=self.address,
            flash_size=self.flash_size,
            find=Catalogue(applications(known)).find,
            bootloaders=bootloaders(known),
            trust=trusted(self.trust),
            time_scale=self.time_scale,
            seed=self.seed,
        )


def serve_esp32(plan: Esp32TwinPlan) -> None:
    """Serve one ESP32 until a signal. Raises Misuse or LabFault before it is ready."""
    known = Manifest.load(manifest_path(plan.manifest))
    _check_place(plan.trust, plan.address)
    if not plan.blank:
        ship_esp32(plan.state, known.roles("esp32"), plan.flash_size)
    door = door_of_twin(plan.state, plan.control, plan.token_file)
    warn_of_an_open_door("--host", plan.host, "whoever does drives this board's serial port")
    process: list[Esp32Process] = []

    async def start() -> Mapping[str, Any]:
        twin = plan.process(known)
        process.append(twin)
        return await twin.start(
            host=plan.host,
            serial_port=plan.serial_port,
            raw_port=plan.raw_port,
            control=door,
            powered=plan.powered,
        )

    def close() -> None:
        for twin in process:
            twin.close()

    serve(start, close, fatal=Exception)


def _check_place(trust: Path | None, address: str | None) -> None:
    """Refuse what would only show as updates that fail. Raises Misuse."""
    if trust is not None and not is_folder(trust):
        raise Misuse(f"--trust {trust} is no folder", hint="of NAME.pem, one for each certificate that firmware pins")
    try:
        ipaddress.IPv4Address(address or "0.0.0.0")
    except ValueError:
        raise Misuse(f"--address {address} is no IPv4 address", hint="for example 127.0.1.7") from None


def applications(known: Manifest) -> Iterable[Image]:
    """The manifest's applications for ESP32s. Raises Misuse."""
    return [image for image in known.images("esp32") if image.boots is None]


def bootloaders(known: Manifest) -> Bootloaders:
    """Tells how the second stage was built that an area begins with, by what the manifest lists."""
    stages = SecondStages(image for image in known.images("esp32") if image.boots is not None)

    def find(area: bytes, chip: Chip) -> BootConfig | None:
        image = stages.find(area)
        if image is None or image.boots is None:
            return None
        fuse = SecureVersion(lambda: chip.secure_version, chip.raise_secure_version)
        header = Header.unpack(area)
        flash = FlashParameters.of(header)
        return BootConfig(
            chip=chip.model,
            header=header,
            rollback=image.boots.rollback,
            flash_size=flash.size,
            spi_mode=flash.mode,
            spi_speed=flash.speed,
            secure_version=fuse if image.boots.anti_rollback else None,
            release=image.boots.release,
            log_level=image.boots.log_level,
            version=f"v{image.boots.idf}",
        )

    return find


def trusted(folder: Path | None) -> Callable[[str], str | None]:
    """Finds NAME.pem in a folder, whenever firmware asks: a rack makes its certificates when it starts."""

    def find(name: str) -> str | None:
        if folder is None:
            return None
        try:
            # What is no text is no PEM either: firmware trusts nobody then, and says so.
            return read_given(folder / f"{name}.pem", MOST_PEM).decode(errors="replace")
        except Misuse:
            return None

    return find


def parse_mac(text: str) -> bytes:
    """Six bytes from 12 hex digits, with or without colons. Raises Misuse."""
    plain = text.replace(":", "").replace("-", "")
    if not re.fullmatch("[0-9a-fA-F]{12}", plain):
        raise Misuse(f"--mac {text!r} is not 12 hex digits", hint="for example 24:0a:c4:00:00:01")
    return bytes.fromhex(plain)

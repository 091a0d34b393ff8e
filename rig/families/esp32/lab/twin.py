"""One twin of an ESP32: what it knows of images and of the certificates they pin, served until a signal."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.control.serving import serve, warn_of_open_port
from rig.control.socket_options import control_socket_of_twin
from rig.errors import Misuse
from rig.families.esp32.firmware.details import boots_of
from rig.families.esp32.lab.factory import ship_esp32
from rig.families.esp32.twin.bootloaders import bootloaders_of
from rig.families.esp32.twin.process import Esp32Process
from rig.family.twin_settings import TwinSettings
from rig.files import MOST_PEM, is_folder, read_user_file
from rig.firmware.catalogue import Catalogue
from rig.firmware.manifest import Image, Manifest
from rig.firmware.run_firmware import checked_firmware, prepare_firmware
from rig.twin.network import Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Esp32TwinPlan:
    """One board and its ports, as people name them; port 0 takes a free one, `flash_size` is in bytes.

    None for `mac`, `revision` and `flash_size` is what the `state` folder says, or a new board has. `servers` are
    `[NAME=]HOST:PORT`, `trust` a folder of NAME.pem; the rest is as `Esp32Process` has it.
    """

    settings: TwinSettings
    mac: str | None
    revision: int | None
    serial_port: int
    raw_port: int
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
            state=self.settings.state,
            mac=parse_mac(self.mac) if self.mac is not None else None,
            revision=self.revision,
            fed_by_board=self.fed_by_board,
            line_rate=self.line_rate,
            routes=Routes.parse(self.servers, "--server"),
            address=self.address,
            flash_size=self.flash_size,
            find=Catalogue(applications(known)).find,
            bootloaders=bootloaders_of(known.images("esp32")),
            trust=trusted(self.trust),
            time_scale=self.settings.time_scale,
            seed=self.settings.seed,
        )


def prepare(manifest: Path | None) -> None:
    """Load what every twin asks for, before some are forked from this process. Raises Misuse."""
    prepare_firmware(manifest, "esp32")


def serve_esp32(plan: Esp32TwinPlan) -> None:
    """Serve one ESP32 until a signal. Raises Misuse or LabFault before it is ready."""
    settings = plan.settings
    known = checked_firmware(settings.manifest)
    _check_place(plan.trust, plan.address)
    if not plan.blank:
        ship_esp32(settings.state, known.roles("esp32"), plan.flash_size)
    control_socket = control_socket_of_twin(settings.state, settings.control, settings.token_file)
    warn_of_open_port("--host", settings.host, "whoever does drives this board's serial port")
    process: list[Esp32Process] = []

    async def start() -> Mapping[str, Any]:
        twin = plan.process(known)
        process.append(twin)
        return await twin.start(
            host=settings.host,
            serial_port=plan.serial_port,
            raw_port=plan.raw_port,
            control=control_socket,
            powered=settings.powered,
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
    return [image for image in known.images("esp32") if boots_of(image) is None]


def trusted(folder: Path | None) -> Callable[[str], str | None]:
    """Finds NAME.pem in a folder, whenever firmware asks: a rack makes its certificates when it starts."""

    def find(name: str) -> str | None:
        if folder is None:
            return None
        try:
            # What is no text is no PEM either: firmware trusts nobody then, and says so.
            return read_user_file(folder / f"{name}.pem", MOST_PEM).decode(errors="replace")
        except Misuse:
            return None

    return find


def parse_mac(text: str) -> bytes:
    """Six bytes from 12 hex digits, with or without colons. Raises Misuse."""
    plain = text.replace(":", "").replace("-", "")
    if not re.fullmatch("[0-9a-fA-F]{12}", plain):
        raise Misuse(f"--mac {text!r} is not 12 hex digits", hint="for example 24:0a:c4:00:00:01")
    return bytes.fromhex(plain)

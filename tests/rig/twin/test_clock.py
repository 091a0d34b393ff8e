"""A twin's clock at every scale: whatever its board waits for comes by itself, while nobody looks.

Boards are served on a loop whose time jumps to what is due next; what is seen of them is read off without a question.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from unittest import mock

import pytest

from rig.families.esp32.lab.factory import ship_esp32
from rig.families.esp32.lab.twin import applications
from rig.families.esp32.twin.bootloaders import bootloaders_of
from rig.families.esp32.twin.process import Esp32Process
from rig.families.spark_core.drivers.usb_port import DFU, LISTENING
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.twin.process import CoreProcess
from rig.firmware.catalogue import Catalogue
from rig.formats import dfuse
from rig.formats.slip import frame
from rig.formats.usb import Setup
from rig.twin import real_time
from rig.twin.network import Routes
from tests.rig.control.control_ports import door_in
from tests.rig.families.spark_core.twin.models import CATALOGUE, DEFAULT_UID, MANIFEST, ROLES, shipped_memory
from tests.rig.families.spark_core.twin.virtual_cloud import VirtualLoop

BOOTLOADERS = bootloaders_of(MANIFEST.images("esp32"))
SCALES = (0, 0.1, 1)
#: Longer than any board takes for anything, in the loop's seconds.
MOST_SECONDS = 90.0


async def seen(look) -> bool:
    """Whether it comes to be, without asking the board for anything."""
    for _ in range(int(MOST_SECONDS / 0.01)):
        if look():
            return True
        await asyncio.sleep(0.01)
    return False


class ServedCore:
    """A Core whose requests come straight from the host, as its USB/IP server passes them on."""

    def __init__(self, folder, scale: float):
        memory = shipped_memory()
        (folder / "internal.bin").write_bytes(memory.internal.dump())
        (folder / "external.bin").write_bytes(memory.external.dump())
        self.scale = scale or 1.0
        self.process = CoreProcess(state=folder, identify=CATALOGUE.identify, uid=DEFAULT_UID, time_scale=scale, seed=0)
        self.core = self.process.core
        self.radio = self.core.radio
        self.ports = {"usbip_port": 0, "console_port": 0}

    def do(self, what: str, **how) -> None:
        self.process.control_port._handlers[what]({"do": what, **how})

    def shows(self, identity):
        return lambda: self.core.usb is not None and self.core.usb.identity == identity

    def runs(self, role: str):
        return lambda: self.core.running == ROLES[role].name and self.shows(LISTENING)()

    async def start_with_mode(self, seconds: float) -> None:
        self.do("power", on=False)
        self.do("mode", pressed=True)
        self.do("power", on=True)
        await asyncio.sleep(seconds * self.scale)
        self.do("mode", pressed=False)

    async def ask(self, request: int, value: int = 0, data: bytes | int = b"") -> None:
        """One request of DFU, when the board can take it."""
        assert await seen(lambda: not self.core.busy)
        to_host = isinstance(data, int)
        length = data if to_host else len(data)
        self.process.control(Setup(0xA1 if to_host else 0x21, request, value, 0, length), b"" if to_host else data)
        self.process.acknowledged()

    async def into_dfu(self) -> None:
        await self.start_with_mode(4)
        assert await seen(self.shows(DFU))
        await self.ask(dfuse.CLRSTATUS)

    async def download(self, block: int, data: bytes) -> None:
        await self.ask(dfuse.DNLOAD, block, data)
        for _ in range(2):
            await self.ask(dfuse.GETSTATUS, data=6)

    async def leave(self) -> None:
        await self.download(0, dfuse.pointer_command(layout.APP_ADDRESS))
        await self.ask(dfuse.DNLOAD, dfuse.FIRST_DATA_BLOCK)
        await self.ask(dfuse.GETSTATUS, data=6)


async def core_is_powered(core):
    core.do("power", on=False)
    core.do("power", on=True)
    return core.runs("old")


async def core_is_reset(core):
    core.do("reset")
    return core.runs("old")


async def core_is_held_in_reset(core):
    core.do("reset", pressed=True)
    await asyncio.sleep(1)
    core.do("reset", pressed=False)
    return core.runs("old")


async def core_enters_dfu(core):
    await core.start_with_mode(4)
    return core.shows(DFU)


async def core_leaves_dfu(core):
    await core.into_dfu()
    await core.leave()
    return core.runs("old")


async def core_is_updated(core):
    await core.into_dfu()
    data = ROLES["new"].data
    for page in range(0, len(data), 1024):
        await core.download(0, dfuse.erase_command(layout.APP_ADDRESS + page))
        await core.download(0, dfuse.pointer_command(layout.APP_ADDRESS + page))
        await core.download(dfuse.FIRST_DATA_BLOCK, data[page : page + 1024])
    await core.leave()
    return core.runs("new")


async def core_is_damaged_and_left(core):
    """Its application crashes: three watchdog resets, and the bootloader brings the backup back."""
    await core.into_dfu()
    await core.download(0, dfuse.erase_command(layout.APP_ADDRESS + 1024))
    await core.leave()
    return core.runs("previous")


async def core_copies_an_update(core):
    core.do("power", on=False)
    memory = core.core.memory
    external, internal = bytearray(memory.external.dump()), bytearray(memory.internal.dump())
    external[layout.OTA_ADDRESS : layout.OTA_ADDRESS + len(ROLES["new"])] = ROLES["new"].data
    flags = SystemFlags(nvmem=0, ota=layout.OTA_READY, flashed=0).pack()
    at = layout.FLAGS_ADDRESS - layout.INTERNAL_BASE
    internal[at : at + len(flags)] = flags
    memory.external.load(bytes(external))
    memory.internal.load(bytes(internal))
    core.do("power", on=True)
    return core.runs("new")


async def core_is_reset_to_the_factory(core):
    await core.start_with_mode(11)
    return core.runs("factory")


async def core_is_provisioned_and_joins(core):
    """It gets a network over its console, and looks for its server again and again."""
    assert await seen(core.runs("old"))
    for line in (b"w", b"rig\n", b"0\n"):
        core.process._typed(line)
        await asyncio.sleep(0.2)
    return lambda: core.orders.count("connect") > 1


async def core_listens_when_mode_is_held(core):
    await core_is_provisioned_and_joins(core)
    assert await seen(lambda: core.orders.count("connect") > 1)
    core.do("mode", pressed=True)
    await asyncio.sleep(3.5)
    core.do("mode", pressed=False)
    return core.runs("old")


class ServedEsp32:
    """An ESP32 with its golden set; `said` is its console."""

    def __init__(self, folder, scale: float):
        ship_esp32(folder, MANIFEST.roles("esp32"))
        self.process = Esp32Process(
            state=folder, mac=None, revision=300, fed_by_board=False, routes=Routes(), address=None,
            find=Catalogue(applications(MANIFEST)).find, bootloaders=BOOTLOADERS, time_scale=scale, seed=0,
        )  # fmt: skip
        self.board = self.process.board
        self.said = bytearray()
        self.process.line._say = lambda data, _rate: self.said.extend(data)
        self.radio = self.board.tcp
        self.ports = {"serial_port": 0, "raw_port": 0}

    def do(self, what: str, **how) -> None:
        self.process.controls._handlers[what]({"do": what, **how})

    def says(self, text: bytes, times: int = 1):
        return lambda: self.said.count(text) >= times

    async def into_download(self) -> None:
        self.do("boot", pressed=True)
        self.do("reset")
        self.do("boot", pressed=False)
        assert await seen(self.says(b"waiting for download"))


async def esp32_is_powered(esp32):
    esp32.do("power", on=False)
    esp32.said.clear()
    esp32.do("power", on=True)
    return esp32.says(b"app_init: App version")


async def esp32_is_reset(esp32):
    assert await seen(esp32.says(b"app_init: App version"))
    esp32.said.clear()
    esp32.do("reset")
    return esp32.says(b"app_init: App version")


async def esp32_is_reset_by_its_bridge(esp32):
    await esp32.into_download()
    for dtr, rts in ((False, True), (False, False)):
        esp32.process._lines(dtr, rts)
        await asyncio.sleep(0.05)
    return esp32.says(b"app_init: App version")


async def esp32_enters_download(esp32):
    esp32.do("power", on=False)
    esp32.do("boot", pressed=True)
    esp32.do("power", on=True)
    return esp32.says(b"waiting for download")


async def esp32_answers_its_loader(esp32):
    await esp32.into_download()
    esp32.said.clear()
    sync = b"\x07\x07\x12\x20" + b"\x55" * 32
    esp32.process._typed(frame(b"\x00\x08" + len(sync).to_bytes(2, "little") + bytes(4) + sync))
    return esp32.says(b"\xc0\x01\x08")


async def esp32_joins(esp32):
    return esp32.says(b"connected to the network")


KINDS = {"core": ServedCore, "esp32": ServedEsp32}
PATHS = {
    name: path
    for name, path in sorted(globals().items())
    if name.partition("_")[0] in KINDS and asyncio.iscoroutinefunction(path)
}


def comes_by_itself(path: str, scale: float, folder) -> bool:
    """Whether a path comes to its end on a loop that jumps."""
    loop = VirtualLoop()
    with mock.patch.object(real_time, "time", SimpleNamespace(monotonic=loop.time)):
        served = KINDS[path.partition("_")[0]](folder, scale)
        served.orders, carry_out = [], served.radio.on_order
        served.radio.on_order = lambda order, what: (served.orders.append(order), carry_out(order, what))

        async def play() -> bool:
            await served.process.start(host="127.0.0.1", control=door_in(folder), powered=True, **served.ports)
            try:
                return await seen(await PATHS[path](served))
            finally:
                served.process.close()

        try:
            return loop.run_until_complete(play())
        finally:
            loop.close()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("path", PATHS)
def test_it_comes_by_itself_at_every_scale(path, scale, tmp_path):
    assert comes_by_itself(path, scale, tmp_path)

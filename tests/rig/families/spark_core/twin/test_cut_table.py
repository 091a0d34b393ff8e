"""Table 3.4 of the Core's reference, as its Appendix E has it: what a power cut makes of each generation, on the model.

Each case starts something that works on flash, loses power before one of its operations, starts cold, and settles.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from rig.drivers.dfu_host import DfuHost
from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.families.spark_core.twin.boot_once import CAUSES
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.flags import save
from rig.twin.flash import Run
from rig.twin.steps import Work
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, settle, shipped_memory

OFFSET_4 = 2  # the half-word of the flags that says what to run


def shipped(generation: str, *, flags: SystemFlags | None = None, ota: bytes = b"") -> Core:
    """A Core without power; `ota` is what waits in the slot for over-the-air images."""
    memory = shipped_memory()
    if flags is not None:
        memory.internal.perform(memory.internal.erasing(layout.FLAGS_ADDRESS), 0, 1)
        run = memory.internal.programming(layout.FLAGS_ADDRESS, flags.pack())
        memory.internal.perform(run, 0, run.count)
    if ota:
        run = memory.external.programming(layout.OTA_ADDRESS, ota)
        memory.external.perform(run, 0, run.count)
    return core_in_memory(memory, generation=generation)


# -- what works on flash -----------------------------------------------------------------------------------------------


def application_work(*work: str) -> Callable[[Core], None]:
    """What the running application does to flash: `download` into the slot, `save` the flags."""

    def program(core: Core):
        if "download" in work:
            yield Work(core.memory.external.erasing(layout.OTA_ADDRESS, 32))
            yield Work(core.memory.external.programming(layout.OTA_ADDRESS, ROLES["new"].data))
        if "save" in work:
            yield from save(core, SystemFlags.unpack(core.memory.flags16()))

    def run(core: Core) -> None:
        core.power_on(0)
        core.advance(2)
        core._stepper.run(program(core), 2)
        core.advance(60)

    return run


def cold_start(core: Core) -> None:
    core.power_on(0)
    core.advance(60)


def watchdog_start(core: Core) -> None:
    core.power_on(0, causes=CAUSES["watchdog"])
    core.dr[1] = 1
    core.advance(60)


def button_held(core: Core) -> None:
    core.mode_held = True
    core.power_on(0)
    core.advance(11)
    core.press_mode(False, 11)
    core.advance(60)


def over_dfu(address: int, data: bytes, leave: bool) -> Callable[[Core], None]:
    def write(core: Core) -> None:
        device = UsbInMemory(into_dfu(core))
        with contextlib.suppress(LabFault), DfuHost(device, sleep=device.sleep) as host:
            host.write(address, data)
            if leave:
                host.leave(address)
        core.advance(core.time + 60)

    return write


OTA_READY = SystemFlags(nvmem=0, ota=layout.OTA_READY, flashed=0)
SCENARIOS: dict[str, tuple[Callable[[str], Core], Callable[[Core], None]]] = {
    "download": (shipped, application_work("download")),
    "hello": (shipped, application_work("save")),
    "copy": (lambda g: shipped(g, flags=OTA_READY, ota=ROLES["new"].data), cold_start),
    "button": (shipped, button_held),
    "request": (lambda g: shipped(g, flags=SystemFlags(ota=layout.OTA_RUN, factory=0xAAAA)), cold_start),
    "rollback": (shipped, watchdog_start),
    "dfu": (shipped, over_dfu(layout.APP_ADDRESS, ROLES["new"].data, leave=True)),
    "keys": (shipped, over_dfu(0x1000, random.Random(0).randbytes(512), leave=False)),
}


# -- stages: the operations of an uncut run by what they do ------------------------------------------------------------


def stages(generation: str, scenario: str) -> dict[str, list[int]]:
    """Operation numbers by stage; the n-th save of the flags is `save n` up to offset 4 and `saved n` after it."""
    make, work = SCENARIOS[scenario]
    core = make(generation)
    work(core)
    found: dict[str, list[int]] = {}
    saves = 0
    for run in core.memory.journal.runs:
        numbers = list(range(run.first, run.first + run.count))
        if run.address == layout.FLAGS_ADDRESS:
            saves += run.kind == "erase"
            window = numbers[: OFFSET_4 + 1] if run.kind == "prog" else []
            found.setdefault(f"save {saves}", []).extend(window)
            found.setdefault(f"saved {saves}", []).extend(numbers[OFFSET_4 + 1 :] if run.kind == "prog" else [])
        else:
            _add(found, run, numbers)
    return found


def _add(found: dict[str, list[int]], run: Run, numbers: list[int]) -> None:
    """Enter a run: before its first erase nothing has happened yet, and programming FFFF brings nothing."""
    if run.kind == "prog":
        numbers = [k for k in numbers if run.operation(k).data != b"\xff\xff"]
        if "program" not in found:
            found["first word"], numbers = numbers[:2], numbers[2:]
    if run.kind == "erase" and "erase" not in found:
        numbers = numbers[1:]
    names = {"erase": "erase", "prog": "program", "xerase": "external", "xprog": "external", "xbyte": "external"}
    found.setdefault(names[run.kind], []).extend(numbers)


def ending(core: Core) -> str:
    """`dfu`, `hang`, or the role of the image that runs."""
    if core.usb is not None and core.usb.identity == "1d50:607f":
        return "dfu"
    roles = {image.name: role for role, image in ROLES.items()}
    return roles.get(core.running or "", "hang")


def cut_before(generation: str, scenario: str, k: int) -> Core:
    """The board after a cut before operation `k` and a cold start, settled."""
    make, work = SCENARIOS[scenario]
    core = make(generation)
    fuse_at_power_on(core, k)
    work(core)
    assert not core.powered, "the cut did not happen"
    core.mode_held = False
    core.power_on(core.time + 1)
    settle(core)
    return core


def fuse_at_power_on(core: Core, k: int, tear=None) -> None:
    """Let the first power-on of `core` arm its journal to fail before operation `k`, or in it as `tear` says."""
    power_on = core.power_on

    def armed(now: float, **how: object) -> None:
        power_on(now, **how)
        core.power_on = power_on
        core.memory.journal.fuse = (k, tear)

    core.power_on = armed


# -- the table ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    scenario: str
    stage: str | dict[str, str]
    ends: dict[str, str]


def each(ending: str, **others: str) -> dict[str, str]:
    """The same for every generation but those named."""
    return dict.fromkeys(("a2013", "a", "b", "c"), ending) | others


def nth(save: int) -> dict[str, str]:
    """The stage of the `save`-th save of the flags: C notes cause, version and start-up mode before all others."""
    return each(f"save {save}", c=f"save {save + 3}")


#: A board of 2013 saves its flags once for a copy, at the end.
LAST = nth(2) | {"a2013": "save 1"}

TABLE = {
    "download into external flash": Row("download", "external", each("old")),
    "flags window of a Hello": Row("hello", nth(1), each("dfu", c="old")),
    "flags window of a DFU leave": Row("dfu", nth(1) | {"c": "save 5"}, each("dfu", c="new")),
    "flags after offset 4": Row("hello", {g: s.replace("save", "saved") for g, s in nth(1).items()}, each("old")),
    "copy: the reset's cause is noted": Row("copy", "save 1", {"c": "old"}),
    "copy: the version is noted": Row("copy", "save 2", {"c": "old"}),
    "copy: during the backup": Row("copy", "external", each("new")),
    "copy: flags to 0x5555": Row("copy", nth(1), {"a": "dfu", "b": "dfu", "c": "old"}),
    "copy: during the erase": Row("copy", "erase", each("old", a2013="new")),
    "copy: during the restore": Row("copy", "program", each("old", a2013="new")),
    "copy: final flags": Row("copy", LAST, each("dfu", c="new")),
    "button: during the erase": Row("button", "erase", each("dfu", c="factory")),
    "button: before the first word": Row("button", "first word", each("dfu", c="factory")),
    "button: during programming": Row("button", "program", each("hang", b="previous", c="previous")),
    "request: during the restore": Row("request", "program", {"b": "factory", "c": "factory"}),
    "request: during the erase": Row("request", "erase", {"b": "factory", "c": "factory"}),
    "dfu: during the erase": Row("dfu", "erase", each("dfu", c="factory")),
    "dfu: during programming": Row("dfu", "program", each("hang", b="previous", c="previous")),
    "rollback: during the erase": Row("rollback", "erase", {"b": "dfu", "c": "factory"}),
    "rollback: during programming": Row("rollback", "program", {"b": "previous", "c": "previous"}),
    "key sector": Row("keys", "external", each("old")),
}


@pytest.mark.parametrize(("row", "generation"), [(name, g) for name, row in TABLE.items() for g in row.ends])
def test_a_cut_ends_as_the_table_says(row, generation):
    case = TABLE[row]
    stage = case.stage if isinstance(case.stage, str) else case.stage[generation]
    numbers = stages(generation, case.scenario)[stage]
    picked = {numbers[0], numbers[len(numbers) // 2], numbers[-1], *random.Random(row).choices(numbers, k=3)}
    endings = {k: ending(cut_before(generation, case.scenario, k)) for k in sorted(picked)}
    assert set(endings.values()) == {case.ends[generation]}, endings


UNCUT = {"copy": each("new"), "button": each("factory"), "request": each("old", b="factory", c="factory")}


@pytest.mark.parametrize(("scenario", "generation"), [(name, g) for name, ends in UNCUT.items() for g in ends])
def test_nothing_is_wrong_without_a_cut(scenario, generation):
    make, work = SCENARIOS[scenario]
    core = make(generation)
    work(core)
    settle(core)
    assert ending(core) == UNCUT[scenario][generation]


def test_a_copy_of_2013_that_was_cut_in_its_restore_has_lost_its_backup():
    middle = stages("a2013", "copy")["program"][200]
    core = cut_before("a2013", "copy", middle)
    backup = core.memory.external.read(layout.BACKUP_ADDRESS, len(ROLES["old"]))
    assert (ending(core), backup[:8], backup == ROLES["old"].data) == ("new", ROLES["new"].data[:8], False)


def test_a_c_whose_factory_slot_is_bad_restores_it_for_ever_and_never_offers_dfu():
    core = shipped("c")
    for memory, address in ((core.memory.internal, layout.APP_ADDRESS), (core.memory.external, layout.FACTORY_ADDRESS)):
        memory.perform(memory.erasing(address), 0, 1)
    core.power_on(0)
    core.advance(100)
    names = [event.name for event in core.events]
    assert names.count("red") > 5
    assert names.count("yellow") == 0

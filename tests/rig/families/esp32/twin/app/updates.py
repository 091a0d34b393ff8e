"""A board in memory that updates itself from slot 0 to slot 1, cut at any operation; what starts then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.twin.app.esp_error import EspError
from rig.families.esp32.twin.app.ota import SEQUENTIAL, Erase, Ota, Update
from rig.twin.flash import Tear
from tests.rig.families.esp32.twin.app.app_board import World, carry_out, https

SECTOR, BLOCK, OTADATA = 0x1000, 0x10000, 0xF000
R, T = 0, 1
T_OFFSET = 0x1D0000
#: Sectors of otadata: that of the running slot's record, and the other.
RUNNING, OTHER = OTADATA, OTADATA + SECTOR

SETTINGS: dict[str, dict[str, object]] = {
    "rollback, 5.5": {},
    "rollback, 5.4": {"idf": "5.4"},
    "no rollback, 5.5": {"rollback": False},
    "no rollback, 5.4": {"rollback": False, "idf": "5.4"},
    "rollback, 5.5, bulk": {"bulk_erase": True},
    "no rollback, 5.4, bulk": {"rollback": False, "idf": "5.4", "bulk_erase": True},
    "rollback, 5.10": {"idf": "5.10"},
}


def invalidates(setting: dict[str, object]) -> bool:
    """Whether beginning an update erases the other record."""
    return setting.get("rollback", True) is True and setting.get("idf", "5.5") in ("5.5", "5.10")


def updating(*, rollback: bool = True, idf: str = "5.5", new: str = "at-start", **fields: object) -> World:
    """A board about to update: slot 0 runs by record 3 in sector 0, record 2 in sector 1 is for slot 1."""
    world = World(
        https(rollback=rollback, idf=idf, **fields),
        new=https(rollback=rollback, idf=idf, confirms=new, checks_at_boot=False),
    )
    state = State.VALID if rollback else State.UNDEFINED
    world.record(0, Record.of(3, state))
    world.record(1, Record.of(2, state))
    return world


def update_until(world: World, k: int | None, tear: Tear | None = None) -> World:
    """Update with the supply failing at operation `k`; then power returns, and whatever starts runs for a while."""
    world.power_on()
    world.memory.journal.fuse = None if k is None else (k, tear)
    world.run(60, until="restart:" if k is None else "power-off")
    return world


@dataclass(frozen=True)
class Operation:
    """One flash operation of an update: its number, kind and address."""

    k: int
    kind: str
    address: int

    @property
    def where(self) -> str:
        return "slot" if self.address >= T_OFFSET else "running record" if self.address < OTHER else "other record"


def operations(world: World) -> list[Operation]:
    """Every operation of an update that nothing disturbs, up to the restart."""
    return operations_of(update_until(world, None))


def operations_of(world: World) -> list[Operation]:
    """Every operation since power-on."""
    journal = world.memory.journal
    return [Operation(k, run.kind, run.address) for k in range(journal.next) for run in [journal.operation(k)]]


def started(world: World) -> int:
    """Which slot's application starts."""
    running = world.boot()
    assert running in ("ota_0", "ota_1")
    return int(running[-1])


def confirming() -> World:
    """A new image in its first start; it confirms itself after 5 seconds."""
    world = update_until(updating(new=5), None)  # type: ignore[arg-type]
    world.run(3, until="start:ota_1")
    return world


def first_bytes(count: int) -> Tear:
    """Of what is programmed, so many bytes arrive."""
    return lambda _kind, old, new: new[:count] + old[count:]


# -- the API without an application around it --------------------------------------------------------------------------


def ota_of(world: World, running: int = R) -> Ota:
    return Ota(world.board, world.slot(running), world.behaviour)


def begun(world: World, erase: Erase | None = SEQUENTIAL) -> Update:
    ota = ota_of(world)
    return carry_out(ota.begin(world.slot(T), erase), world.memory)


def refused(call: Callable[[], object]) -> int | None:
    """The error that a call ends in; None when it does not."""
    try:
        call()
    except EspError as error:
        return error.code
    return None

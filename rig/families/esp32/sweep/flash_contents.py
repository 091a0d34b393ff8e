"""Flash of an ESP32 as updates find it."""

from __future__ import annotations

from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.sweep.built import Built
from rig.families.esp32.twin.memory import Esp32Memory


def shipped(built: Built) -> Esp32Memory:
    """As it leaves the factory, and started once: the first start of all writes into otadata what runs."""
    return _started(built, built.flash({}, {}))


def with_other_slot(built: Built) -> Esp32Memory:
    """The same, with an older application in the other slot, or nothing."""
    other = built.images["previous"].data if built.choices["other"] == "previous" else b""
    return _started(built, built.flash({}, {1: other}))


def new_is_chosen(built: Built) -> Esp32Memory:
    """An update has come, is chosen, and waits for its first start."""
    return _second_slot(built, "new", State.NEW)


def previous_is_chosen(built: Built) -> Esp32Memory:
    """The same of an older one."""
    return _second_slot(built, "previous", State.NEW)


def new_is_on_probation(built: Built) -> Esp32Memory:
    """The update was started once, and has not confirmed itself."""
    return _second_slot(built, "new", State.PENDING_VERIFY)


def rolled_back(built: Built) -> Esp32Memory:
    """An earlier update did not confirm itself, and the old application is back: the record of that is kept."""
    return _started(built, _second_slot(built, "previous", State.PENDING_VERIFY))


def twice_updated(built: Built) -> Esp32Memory:
    """The old application runs from the first slot by a newer record than the one for the second."""
    return built.flash({0: Record.of(3, State.VALID), 1: Record.of(2, State.VALID)}, {1: built.images["new"].data})


def nothing_recorded(built: Built) -> Esp32Memory:
    """The factory application runs, because no record says anything else; the slots are blank."""
    return _started(built, built.flash({}, {0: b""}))


def both_slots_damaged(built: Built) -> Esp32Memory:
    """The factory application runs, because no slot can be started; a record is for the first one all the same."""
    half = built.images["old"].data[: len(built.images["old"].data) // 2]
    memory = built.flash({0: Record.of(1, State.VALID)}, {0: half})
    return _started(built, memory)


def _second_slot(built: Built, role: str, state: State) -> Esp32Memory:
    return built.flash({0: Record.of(1, State.VALID), 1: Record.of(2, state)}, {1: built.images[role].data})


def _started(built: Built, memory: Esp32Memory) -> Esp32Memory:
    built.start(memory)
    return memory

"""States of otadata and the second slot that updates are cut in, beyond the known state: laid there beforehand."""

from __future__ import annotations

from rig.families.esp32.campaign.preset_flash import PresetFlash
from rig.families.esp32.formats.otadata import Record, State


def with_a_rollback_record(previous, state=State.VALID):
    """Slot 0 runs by record 3; record 2 is for slot 1, which holds the image before it."""
    records = {0: Record.of(3, state).pack(), 1: Record.of(2, state).pack()}
    return PresetFlash(records, {1: previous.data})


def with_a_used_record(state=State.VALID):
    """Slot 0 runs by record 3; record 1 is for slot 0 too, so that no update forgets it before it chooses."""
    return PresetFlash({0: Record.of(3, state).pack(), 1: Record.of(1, state).pack()})


def with_a_stale_record(broken, state=State.VALID):
    """Record 4 is for slot 1, which holds half an image: slot 0 runs because that does not start.

    An image that the update does not bring: else what it writes would not show.
    """
    records = {0: Record.of(3, state).pack(), 1: Record.of(4, state).pack()}
    return PresetFlash(records, {1: broken.data[: len(broken) // 2]})

"""Two families on one rack, eight boards at once: each is updated by its own way while the others are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.clock import Clock, poll
from rig.families.esp32.lab.rack_slot import Esp32Slot
from rig.families.spark_core.lab.rack_slot import CoreSlot
from rig.firmware.checkout import part
from rig.lab.acquisition import Boards
from rig.rack.plan import RackPlan
from rig.rack.rack import VirtualRack
from tests.rig.families.spark_core.twin.models import MANIFEST

CORE, ESP32 = MANIFEST.roles("spark-core"), MANIFEST.roles("esp32")
EACH = 4


@pytest.fixture(scope="module")
def eight():
    slots = [CoreSlot(0.1, joined=True)] * EACH + [Esp32Slot(0.1)] * EACH
    with VirtualRack(RackPlan(slots)) as rack, Boards(rack.coordinator, part("places", "virtual.yaml")) as boards:
        cores = boards.get_several("spark-core", {"wifi": "joined"}, EACH)
        yield cores, boards.get_several("esp32", {"boot": "wired"}, EACH)


def update_core(core):
    core.start()
    core.go_online()
    return core.online.update(CORE["new"])["ok"]


def update_esp32(esp32):
    with esp32.updates.offered(ESP32["new"]):
        esp32.start()
        return poll(
            lambda: esp32.log.version() == ESP32["new"].version, seconds=esp32.timing.update + 20, clock=Clock()
        )


def test_eight_boards_of_two_kinds_are_updated_at_once(eight):
    cores, esp32s = eight
    with ThreadPoolExecutor(2 * EACH) as at_once:
        updated = at_once.map(update_core, cores), at_once.map(update_esp32, esp32s)
    assert [list(each) for each in updated] == [[True] * EACH] * 2
    assert all(core.online.info() is not None for core in cores)

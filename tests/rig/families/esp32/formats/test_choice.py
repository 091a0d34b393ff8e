"""The boot choice of an ESP32: where power is cut, and what starts then. How each check can fail is in test_mutants."""

from __future__ import annotations

import pytest

from rig.families.esp32.formats.boot import boot_once
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.otadata import Record, State
from tests.rig.families.esp32.formats import checks_choice as checks_esp_choice
from tests.rig.families.esp32.lab.flash_contents import RUNNING, chosen, flash, start

CHECKS = [
    check
    for check in vars(checks_esp_choice).values()
    if getattr(check, "__module__", "") == checks_esp_choice.__name__
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_of_the_choice(check, tmp_path):
    check(tmp_path)


def test_without_rollback_a_chosen_slot_stays_chosen():
    contents = flash((RUNNING, chosen(State.UNDEFINED).record))
    assert [start(contents, BootConfig()) for _ in range(2)] == ["app1", "app1"]
    pending = flash((RUNNING, Record.of(2, State.PENDING_VERIFY)))
    assert boot_once(pending, BootConfig()).ops == []

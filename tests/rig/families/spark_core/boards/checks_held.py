"""Named checks of test_mutants about a hand at MODE that is late. Each takes a place that has one."""

from __future__ import annotations

import math

from rig.errors import DeviceFault, RigInterference
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.drivers.usb_port import DFU, LISTENING
from rig.families.spark_core.twin.button import LISTENS_AFTER_SECONDS
from tests.rig.families.spark_core.boards.core_place import CorePlace
from tests.rig.families.spark_core.twin.models import CATALOGUE, ROLES
from tests.rig.stand_ins import Ticking


def comes_into_dfu(place: CorePlace) -> None:
    try:
        place.board.enter_dfu()
        said = ""
    except RigInterference as error:
        said = error.message
    assert place.application(CATALOGUE) == ROLES["old"].name, "a late hand has changed what runs"
    assert (said, place.identity()) == ("", DFU)


def hold_is_refused(place: CorePlace) -> None:
    said = None
    try:
        place.board.enter_dfu()
    except (RigInterference, DeviceFault) as error:
        said = error
    assert isinstance(said, RigInterference), "a factory reset passed for DFU, or for a fault of the device"
    assert "may have been a factory reset" in said.message


class LateToNotice(Ticking):
    """A running Core that feels MODE a second after it was pressed, as one on a busy machine does, and its button."""

    serves_twin = False

    def __init__(self):
        super().__init__()
        self._felt, self._let_go = math.inf, math.inf
        self.board = SparkCore("core-01", relay=self, mode=self, usb=self, clock=self)

    def set(self, pressed):
        if pressed:
            self._felt = self.now() + 1.0
        else:
            self._let_go = self.now()

    def identity(self):
        listens = self._felt + LISTENS_AFTER_SECONDS
        return LISTENING if listens <= min(self.now(), self._let_go) else None


def mode_is_held_until_the_core_listens(_folder) -> None:
    said = ""
    try:
        LateToNotice().board.make_listen()
    except DeviceFault as error:
        said = error.message
    assert not said, "a Core that felt MODE late is told not to run"


def held(check, *place):
    return lambda _folder: check(CorePlace(*place))

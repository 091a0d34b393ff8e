"""Named checks of test_mutants about bring-up: whose boards are brought up, and what is told of one."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from rig.errors import Misuse
from rig.families.spark_core.boards.bring_up import UNKNOWN, BroughtUp
from rig.families.spark_core.lab.bring_up import CoreBringUp
from rig.lab import bring_up
from rig.lab.lab import Lab

PLACES = {
    "cam-01": {"board": "camera"},
    "core-01": {"board": "spark-core"},
    "esp32-01": {"board": "esp32"},
    "shelf-01": {},
}


def _kinds(*places):
    """Which boards would be brought up in a lab of these places."""
    with patch.object(bring_up, "tags_of_places", lambda _coordinator: PLACES):
        return bring_up.kinds_of(Lab("", Path()), places)


def a_kind_without_a_bring_up_is_refused_in_one_line(_folder):
    with pytest.raises(Misuse) as refused:
        _kinds("core-01", "esp32-01")
    assert str(refused.value) == "esp32-01: boards of kind esp32 have no bring-up (hint: leave out what needs none)"


def all_places_are_those_whose_kind_has_a_bring_up(_folder):
    assert _kinds() == {"core-01": "spark-core"}


def a_place_that_nobody_can_bring_up_does_not_stop_the_others(_folder):
    try:
        found = _kinds("core-01", "core-09", "cam-01", "shelf-01")
    except Misuse as error:
        raise AssertionError(f"refused: {error}") from error
    assert found == {"core-01": "spark-core"}


def a_board_is_told_by_the_columns_of_its_kind(_folder):
    core = BroughtUp("7", UNKNOWN, "00", "0.2.1", "0.2.0", "10.0.0.1", "PEM", new_key=True)
    columns = bring_up.columns_of(["spark-core"])
    told = [core.cells[column] for column in columns]
    assert columns == ("serial", "bootloader", "application", "factory", "server", "key")
    assert told == ["7", "unknown", "0.2.1", "0.2.0", "10.0.0.1", "new"]
    assert tuple(core.cells) == CoreBringUp.columns, "a column is empty"
    assert core.tags == {}, "a bootloader that nobody lists has no generation to be told by a tag"

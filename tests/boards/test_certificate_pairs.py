"""Swaps, moments, failovers and clocks, so that every pair of them meets on a board: it is always brought back."""

from __future__ import annotations

import pytest
from swap_pairs import rows, scenario

pytestmark = pytest.mark.long


def cases() -> list[object]:
    """Each row, started from its firmware's cast."""
    marks = {row: [pytest.mark.firmware(row[0])] if row[0] != "default" else [] for row in rows()}
    return [pytest.param(row, marks=marks[row], id="-".join(row)) for row in rows()]


@pytest.mark.parametrize("row", cases())
@pytest.mark.board("esp32", boot="wired", bridge="always", timing="scaled")
def test_a_board_does_what_is_expected_of_it_and_is_brought_back(swap, row):
    played, expected = swap(scenario(row)), scenario(row).change(row[0])
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    assert played.runs_on
    assert played.updated

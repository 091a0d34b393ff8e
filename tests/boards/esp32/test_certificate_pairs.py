"""Swaps, moments, failovers and clocks, so that every pair of them meets on a board: it is always brought back."""

from __future__ import annotations

import pytest

from tests.boards.esp32.swap_pairs import VARIANT, rows, scenario

pytestmark = [pytest.mark.long, pytest.mark.firmware(VARIANT)]


@pytest.mark.parametrize("row", rows(), ids="-".join)
@pytest.mark.board("esp32", boot="wired", bridge="always", timing="scaled")
def test_a_board_does_what_is_expected_of_it_and_is_brought_back(swap, row):
    played, expected = swap(scenario(row)), scenario(row).change(VARIANT)
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    assert played.runs_on, "what ran before runs on"
    assert played.updated, "an update reaches it in the end"

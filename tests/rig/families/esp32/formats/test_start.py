"""From the end of a reset to the second stage: what the ROM says, what it leaves behind, and what nobody listens to."""

from __future__ import annotations

import pytest

from tests.rig.families.esp32.formats import checks_start as of_start

CHECKS = [
    of_start.each_mask_says_in_its_own_words_that_nothing_is_there,
    of_start.no_window_makes_the_stub_send_without_end,
    of_start.the_second_stage_sets_its_own_rate,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_so_a_board_starts(tmp_path, check):
    check(tmp_path)

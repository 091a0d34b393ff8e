"""How far a download is written, remembered over cuts by an application that resumes it."""

from __future__ import annotations

import pytest

from rig.twin.tears import named_tear
from tests.rig.families.esp32.twin.app import checks_ota as checks_esp_ota


@pytest.mark.parametrize("tear", ["none", "prefix", "random-subset", "half-erased", "all-zero"])
@pytest.mark.parametrize("k", [1, 2, 3, 127, 128, 129, 130, 131, 200, 257, 258, 259, 260, 300])
def test_what_is_written_is_remembered_over_a_cut_but_for_the_last_step(k, tear):
    """Also where one of the two sectors is full, and the other is erased."""
    checks_esp_ota.the_counter_over_a_cut(k, named_tear(tear, k))

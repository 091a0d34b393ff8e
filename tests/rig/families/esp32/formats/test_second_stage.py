"""Second stages of every release of ESP-IDF: each change on both sides of it, as its sources at the tags say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats.idf import Change, Idf
from tests.rig.families.esp32.formats import checks_second_stage as checks
from tests.rig.families.esp32.formats.raw import flash_of, started, with_segment


@pytest.mark.parametrize("name", checks.CASES)
def test_a_change_holds_in_its_releases_and_in_no_other(name):
    checks.a_case_holds_in_its_releases(name)


def test_otadata_at_a_word_is_written_after_its_sector_is_erased():
    checks.otadata_at_a_word_is_written_after_its_sector_is_erased(None)


def test_a_start_that_hangs_is_no_application():
    checks.a_start_that_hangs_is_no_application(None)


def test_a_board_that_hangs_is_reset_by_its_watchdog():
    checks.a_board_that_hangs_is_reset_by_its_watchdog(None)


def test_reads_go_on_at_the_beginning_of_flash():
    checks.reads_go_on_at_the_beginning_of_flash(None)


ORDER = [
    "3.3-beta3",
    "3.3",
    "4.4.4",
    "4.4.5",
    "5.5-dev",
    "5.5-beta1",
    "5.5-rc1",
    "5.5",
    "5.5.1",
    "5.10",
    "6.1-beta1",
    "6.1",
]


def test_releases_come_in_the_order_they_were_made():
    assert sorted(map(Idf.parse, reversed(ORDER))) == [Idf.parse(text) for text in ORDER]


@pytest.mark.parametrize("text", ["", "5", "five", "5.5.1.2", "5.5-alpha1", "5.5-rc1-dirty-x", "v", "5.5\n"])
def test_what_is_no_release_is_named(text):
    with pytest.raises(Misuse, match="is no release of ESP-IDF"):
        Idf.parse(text)


def test_a_build_between_releases_counts_as_the_one_before():
    assert Idf.parse("v5.5.1-838-gd66ebb86d2e") == Idf(5, 5, 1)
    assert Idf.parse("v5.3.1-538-gef08840ee1-dirty") == Idf(5, 3, 1)
    assert Idf(5, 1) < Idf.parse("v5.2-dev-254-g1950b15") < Idf(5, 2)


def test_every_change_has_a_source_and_ranges_in_order():
    changes = [value for value in vars(esp_idf).values() if isinstance(value, Change)]
    assert changes
    for change in changes:
        bounds = [bound for first, end in change.ranges for bound in (first, end) if bound is not None]
        assert change.source, change.about
        assert bounds == sorted(bounds), change.about


@settings(max_examples=60)
@given(
    st.integers(0, 0xFFFF_FFFF),
    st.integers(0, 64).map(lambda words: words * 4),
    st.sampled_from(["3.3", "4.4", "5.5.1", "6.1"]),
)
def test_no_load_address_breaks_a_start(address, length, release):
    found = started(release, flash_of(with_segment(address, length)))
    assert found.end in ("app", "SW_SYS_RST", "RTCWDT_RTC_RESET")

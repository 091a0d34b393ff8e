"""Firmware of a Core by version: each difference that a server can meet, on both sides of it (T1 to T11, and others)."""

from __future__ import annotations

import checks_core_versions as of_versions
import pytest

#: The differences that genuine device code was seen to make beside our twin, by their number.
FOUND = {
    "T1": of_versions.a_fast_update_with_loss_ends_in_a_reset_and_no_word,
    "T2": of_versions.fifty_chunks_are_asked_for_at_once,
    "T3": of_versions.refused_events_count_for_the_rate,
    "T4": of_versions.events_of_the_system_are_outside_the_burst_of_0_4,
    "T5": of_versions.a_long_argument_of_0_4_runs_the_function_with_the_one_before,
    "T6": of_versions.an_update_of_any_size_and_place_is_accepted,
    "T7": of_versions.a_subscription_of_0_3_is_lost_with_its_connection,
    "T8": of_versions.spark_is_always_subscribed_to_from_0_4,
    "T9": of_versions.after_a_failed_handshake_older_cores_go_on_with_the_keys_they_have,
    "T10": of_versions.the_length_of_a_result_is_what_an_event_left,
    "T11, order": of_versions.what_follows_a_hello_has_an_order,
    "T11, presence": of_versions.presence_is_announced_by_version,
    "T11, pauses": of_versions.failures_are_followed_by_longer_and_longer_pauses,
}
#: And those that its source shows.
READ = [
    of_versions.erases_what_the_update_needs,
    of_versions.subscriptions_say_whose_events_they_want,
    of_versions.a_byte_that_comes_alone_is_lost_by_every_version,
    of_versions.padding_is_never_looked_at,
    of_versions.a_long_name_is_read_as_an_argument,
    of_versions.a_call_without_an_argument_gets_its_padding,
    of_versions.a_connection_begins_where_the_last_one_ended,
    of_versions.an_update_of_0_4_outlasts_its_connection,
    of_versions.only_good_chunks_keep_systick_from_resetting,
    of_versions.a_chunk_is_stored_without_an_update_before_0_4,
    of_versions.slow_and_fast_chunks_of_0_4_lie_at_their_index,
    of_versions.what_flash_cannot_take_holds_0_4_until_it_is_reset,
    of_versions.a_worn_cell_is_written_twice_by_0_4,
    of_versions.a_slow_chunk_is_asked_for_until_0_4_4,
    of_versions.any_content_is_taken_for_the_time,
    of_versions.data_of_events_is_cut_by_version,
    of_versions.four_functions_and_ten_variables_are_kept_before_0_4,
    of_versions.modules_are_described_from_0_4_on,
    of_versions.the_whole_image_fits,
]


@pytest.mark.parametrize("number", FOUND)
def test_what_genuine_device_code_was_found_to_do(number, tmp_path):
    FOUND[number](tmp_path)


@pytest.mark.parametrize("check", READ, ids=lambda check: check.__name__)
def test_what_its_source_says(check, tmp_path):
    check(tmp_path)

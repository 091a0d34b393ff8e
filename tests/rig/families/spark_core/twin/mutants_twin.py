"""Planted faults of a Core's firmware for test_mutants: a version that does what another one does."""

from __future__ import annotations

from dataclasses import replace

from rig.families.spark_core.twin.app import (
    channel,
    dialect,
    events,
    indexed_update,
    protocol,
    requests,
    running_update,
    update,
)
from tests.rig.families.spark_core.twin import test_connections as of_connections
from tests.rig.families.spark_core.twin import test_events as of_events
from tests.rig.families.spark_core.twin import test_requests as of_requests
from tests.rig.families.spark_core.twin import test_updates as of_updates


def feature(name, value):
    """Every version has a feature, or none."""
    return lambda m: m.setattr(dialect.Dialect, name, value)


REAL_RATE = events.Publisher._rate
REAL_RECEIVE = channel.Channel.receive
REAL_START = protocol.Conversation.start
REAL_ACCEPT = indexed_update.IndexedUpdate._read_begin
REAL_PASS = protocol.Conversation.pass_once
REAL_CHUNK = running_update.RunningUpdate.chunk


def _rate_of_those_that_went_out(self):
    before = list(self._asked)
    went = REAL_RATE(self)
    if not went:
        self._asked.clear()
        self._asked.extend(before)
    return went


def _receive_and_check(self, sealed):
    """Like an honest implementation: what is padded wrongly ends the connection."""
    REAL_RECEIVE(self, sealed)
    if not 1 <= self.buffer[len(sealed) - 1] <= 16:
        raise protocol.HangUp


def _start_afresh(self, credentials):
    self._last_message, self._waits_for_answer = self._board.time, False
    REAL_START(self, credentials)


def _read_begin_with_care(self, length):
    begin = REAL_ACCEPT(self, length)
    return replace(begin, size=2**31) if begin.size > 110_592 or begin.store else begin


def _pass_that_keeps_bytes(self):
    if len(self._board.radio.received) == 1:
        yield from self.wait(1)
        return True
    return (yield from REAL_PASS(self))


def _ends_with_its_connection(self):
    self.under_way = False
    self.slot.awaits_nothing()


def _any_chunk_goes_on(self, length):
    self.slot.goes_on()
    yield from REAL_CHUNK(self, length)


def _only_what_was_begun(self, length):
    if self.under_way:
        yield from REAL_CHUNK(self, length)


def _write_once(self, address, data):
    yield from self.slot.write(address, data)


def _long_names(channel_):
    length = channel_.buffer[7] & 0x0F
    at = 8 + length + (1 + channel_.buffer[8] if length == 13 else 0)
    return at + 1, channel_.buffer[at] & 0x0F


def _no_argument(channel_):
    return requests._NAME_AT, 0


def _silent(self):
    return None


def _whole_device(self):
    for known in (events.SYSTEM, *self._known):
        self._ask(known)


def _erase_all(self, address, size):
    yield from REAL_ERASE(self, address, 0x20000)


REAL_ERASE = update.Slot.erase

_FAULTS = {
    "0.4: says that a fast update is whole": (
        feature("announces_done", True),
        of_updates.test_a_fast_update_with_loss_ends_in_a_reset_and_no_word,
    ),
    "0.4: asks for forty chunks": (
        lambda m: m.setattr(indexed_update, "MOST_MISSED", 40),
        of_updates.test_fifty_chunks_are_asked_for_at_once,
    ),
    "core: refused events cost nothing": (
        lambda m: m.setattr(events.Publisher, "_rate", _rate_of_those_that_went_out),
        of_events.test_refused_events_count_for_the_rate,
    ),
    "0.4: counts events of its system": (
        feature("spares_system_events", False),
        of_events.test_events_of_the_system_are_outside_the_burst_of_0_4,
    ),
    "0.4: hangs up on a long argument": (
        feature("calls_anyway", False),
        of_requests.test_a_long_argument_of_0_4_runs_the_function_with_the_one_before,
    ),
    "0.2: calls a function with the argument before": (
        feature("calls_anyway", True),
        of_requests.test_a_long_argument_of_0_4_runs_the_function_with_the_one_before,
    ),
    "0.4: refuses what is too large": (
        lambda m: m.setattr(indexed_update.IndexedUpdate, "_read_begin", _read_begin_with_care),
        of_updates.test_an_update_of_any_size_and_place_is_accepted,
    ),
    "0.3: subscribes again": (
        feature("remembers_subscriptions", True),
        of_events.test_a_subscription_of_0_3_is_lost_with_its_connection,
    ),
    "0.4: subscribes to nothing of its own": (
        lambda m: m.setattr(events.Subscriptions, "repeat", _silent),
        of_events.test_spark_is_always_subscribed_to_from_0_4,
    ),
    "0.2, 0.3: leave after a failed handshake": (
        feature("hangs_up", True),
        of_connections.test_after_a_failed_handshake_older_cores_go_on_with_the_keys_they_have,
    ),
    "0.4: stays after a failed handshake": (
        feature("hangs_up", False),
        of_connections.test_after_a_failed_handshake_older_cores_go_on_with_the_keys_they_have,
    ),
    "0.2.0: writes a result's length": (
        feature("mends_length", True),
        of_requests.test_the_length_of_a_result_is_what_an_event_left,
    ),
    "0.4: tells its radio last": (
        feature("remembers_subscriptions", False),
        of_connections.test_what_follows_a_hello_has_an_order,
    ),
    "core: always announces itself three times": (
        feature("presences", 3),
        of_connections.test_presence_is_announced_by_version,
    ),
    "0.4: knows no pause": (
        lambda m: m.setattr(dialect.Dialect, "backs_off", lambda _self, _failures: 0.0),
        of_connections.test_failures_are_followed_by_longer_and_longer_pauses,
    ),
    "0.4: erases the whole slot": (
        lambda m: m.setattr(update.Slot, "erase", _erase_all),
        of_updates.test_erases_what_the_update_needs,
    ),
    "0.4: keeps the whole id of a device": (
        lambda m: m.setattr(events.Subscriptions, "repeat", _whole_device),
        of_events.test_subscriptions_say_whose_events_they_want,
    ),
    "core: waits for a frame's second byte": (
        lambda m: m.setattr(protocol.Conversation, "pass_once", _pass_that_keeps_bytes),
        of_connections.test_a_byte_that_comes_alone_is_lost_by_every_version,
    ),
    "core: looks at padding": (
        lambda m: m.setattr(channel.Channel, "receive", _receive_and_check),
        of_connections.test_padding_is_never_looked_at,
    ),
    "core: reads long names": (
        lambda m: m.setattr(requests, "argument_place", _long_names),
        of_requests.test_a_long_name_is_read_as_an_argument,
    ),
    "core: knows when there is no argument": (
        lambda m: m.setattr(requests, "argument_place", _no_argument),
        of_requests.test_a_call_without_an_argument_gets_its_padding,
    ),
    "core: counts silence from its Hello": (
        lambda m: m.setattr(protocol.Conversation, "start", _start_afresh),
        of_connections.test_a_connection_begins_where_the_last_one_ended,
    ),
    "0.4: an update ends with its connection": (
        lambda m: m.setattr(indexed_update.IndexedUpdate, "connection_is_over", _ends_with_its_connection),
        of_updates.test_an_update_of_0_4_outlasts_its_connection,
    ),
    "0.2: any chunk is as good as a good one": (
        lambda m: m.setattr(running_update.RunningUpdate, "chunk", _any_chunk_goes_on),
        of_updates.test_only_good_chunks_keep_systick_from_resetting,
    ),
    "0.2: stores no chunk before UpdateBegin": (
        lambda m: m.setattr(running_update.RunningUpdate, "chunk", _only_what_was_begun),
        of_updates.test_a_chunk_is_stored_without_an_update_before_0_4,
    ),
    "0.4: writes once": (
        lambda m: m.setattr(indexed_update.IndexedUpdate, "_write_until_right", _write_once),
        of_updates.test_what_flash_cannot_take_holds_0_4_until_it_is_reset,
    ),
    "0.4: writes once into a worn cell": (
        lambda m: m.setattr(indexed_update.IndexedUpdate, "_write_until_right", _write_once),
        of_updates.test_a_worn_cell_is_written_twice_by_0_4,
    ),
    "0.3: does not ask for a slow chunk": (
        lambda m: m.setattr(running_update.RunningUpdate, "tick", lambda self: iter(())),
        of_updates.test_a_slow_chunk_is_asked_for_until_0_4_4,
    ),
    "core: no version asks for the time": (
        feature("asks_time", False),
        of_events.test_any_content_is_taken_for_the_time,
    ),
    "0.4: cuts data of events early": (
        feature("longest_data", 63),
        of_events.test_data_of_events_is_cut_by_version,
    ),
    "0.2: keeps any number of functions": (
        lambda m: m.setattr(requests, "MOST_FUNCTIONS", 9),
        of_requests.test_four_functions_and_ten_variables_are_kept_before_0_4,
    ),
    "0.3: describes its modules": (
        feature("describes_system", True),
        of_requests.test_modules_are_described_from_0_4_on,
    ),
    "0.4: fast chunks follow each other": (
        lambda m: m.setattr(indexed_update.IndexedUpdate, "_place", property(lambda self: 0x6_0000 + 256)),
        of_updates.test_slow_and_fast_chunks_of_0_4_lie_at_their_index,
    ),
}

MUTANTS = {name: (plant, lambda _folder, check=check: check()) for name, (plant, check) in _FAULTS.items()}

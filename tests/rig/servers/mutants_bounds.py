"""Planted faults in what servers and recorders allow, for test_mutants."""

from __future__ import annotations

import contextlib

from rig import lines, listener
from rig.bounded_log import BoundedLog
from rig.drivers import recording
from rig.families.spark_core.servers.connection import Connection
from rig.families.spark_core.twin import core
from rig.families.spark_core.twin.console import Console
from rig.formats import json_object
from rig.servers import fault_list
from rig.servers.https import journal, published_files
from rig.servers.https import server as update_server
from rig.trust.tls.handshake import Handshake
from rig.twin import control, modbus, shelly, usbip_server
from tests.rig.servers import checks_bounded_log
from tests.rig.servers import checks_bounds as checks
from tests.rig.servers import test_bounded_log as of_the_past
from tests.rig.twin import checks_lines


class _AnyValue(dict):
    """Takes every value for a coil's."""

    def __contains__(self, _value):
        return True

    def __missing__(self, value):
        return bool(value)


def _everybody(self, peer, _address):
    self._let_in(peer)


def _by_letters(event):
    return 600 + sum(60 + len(value) for value in event["headers"].values())


def _without_a_word(self):
    with contextlib.suppress(RuntimeError):
        while (request := self._next()) is not None:
            modbus.answer(request[2], self._server.coils)


def _only_at_tcp(m):
    real = listener.Listener.__init__

    def made(self, make, limits, **how):
        real(self, make, limits, **how)
        self.limits = limits

    m.setattr(listener.Listener, "__init__", made)


MUTANTS = {
    "listener: only some take their share of files": (_only_at_tcp, checks.room_for_peers_is_made_at_every_door),
    "Modbus: who cannot be answered waits for ever": (
        lambda m: m.setattr(modbus._Connection, "_answer_all", _without_a_word),
        checks.who_cannot_be_answered_is_hung_up_on,
    ),
    "Modbus: whoever does not read is answered on": (
        lambda m: m.setattr(modbus._Connection, "pause_writing", lambda self: None),
        checks.a_modbus_client_that_does_not_read_is_not_answered,
    ),
    "listener: everybody is let in": (
        lambda m: m.setattr(listener.Listener, "_refuse", _everybody),
        checks.one_connection_too_many_is_refused,
    ),
    "listener: without a file it never listens again": (
        lambda m: m.setattr(listener.Listener, "_resume", lambda self, sock: None),
        checks.whoever_waited_for_a_file_is_let_in,
    ),
    "listener: strangers may be silent for ever": (
        lambda m: m.setattr(listener.IdlePeerTimeout, "_hang_up", lambda self, _transport, _seconds: None),
        checks.a_stranger_is_hung_up_on,
    ),
    "listener: whoever is known is a stranger": (
        lambda m: m.setattr(listener.IdlePeerTimeout, "is_known", lambda self: None),
        checks.a_stranger_is_hung_up_on,
    ),
    "lines: all peers together have no bound": (
        lambda m: m.setattr(lines.ByteBudget, "take", lambda self, _count: True),
        checks_lines.long_lines_of_all_peers_have_a_bound,
    ),
    "lines: one is as long as it likes": (
        lambda m: m.setattr(lines.Lines, "next", _without_end),
        checks_lines.a_line_without_end_is_refused,
    ),
    "JSON: large structures are built": (
        lambda m: m.setattr(json_object, "_check_structure", lambda _skeleton: None),
        checks_lines.a_large_structure_is_not_built,
    ),
    "JSON: it may be nested as deep as it likes": (
        lambda m: m.setattr(json_object, "MOST_DEPTH", 10**6),
        checks_lines.deep_json_is_refused,
    ),
    "JSON: 1e999 is a number": (
        lambda m: m.setattr(json_object, "_finite", float),
        checks_lines.what_no_number_holds_is_none,
    ),
    "JSON: NaN is a number": (
        lambda m: m.setattr(json_object, "_no_number", float),
        checks_lines.nan_is_no_number,
    ),
    "JSON: a number has as many digits as it likes": (
        lambda m: m.setattr(json_object, "_LONG_NUMBER", json_object.re.compile("(?!)")),
        checks_lines.endless_digits_are_refused,
    ),
    "JSON: half of a pair is text": (
        lambda m: m.setattr(json_object, "_HALF_OF_A_PAIR", json_object.re.compile("(?!)")),
        checks_lines.half_a_pair_is_no_text,
    ),
    "twin: true is a number": (
        lambda m: m.setattr(control, "is_whole", lambda value: isinstance(value, int)),
        checks_lines.true_is_no_address,
    ),
    "USB/IP: whoever does not read is answered on": (
        lambda m: m.setattr(usbip_server._Connection, "pause_writing", lambda self: None),
        checks.an_importer_that_does_not_read_is_not_answered_without_end,
    ),
    "Spark cloud: whoever does not read is listened to": (
        lambda m: m.setattr(Connection, "pause_writing", lambda self: None),
        checks.a_core_that_does_not_read_is_not_listened_to,
    ),
    "twin: lights are remembered for ever": (
        lambda m: m.setattr(core, "forget_oldest", lambda _past: None),
        lambda _folder: of_the_past.test_a_board_that_restarts_all_night_forgets_its_lights(),
    ),
    "endpoint: records of handshakes have no size": (
        lambda m: m.setattr(Handshake, "size", lambda _self: 0),
        lambda _folder: of_the_past.test_records_of_handshakes_count_what_clients_offer(),
    ),
    "update server: readers of events have no bound together": (
        lambda m: m.setattr(lines.ByteBudget, "take", lambda _self, _count: True),
        lambda _folder: of_the_past.test_readers_of_events_wait_together_for_so_much(),
    ),
    "console: what is typed is never too much": (
        lambda m: m.setattr(Console, "full", False),
        checks.what_is_typed_waits_outside,
    ),
    "Modbus: every value is a coil's": (
        lambda m: m.setattr(modbus, "COIL_VALUES", _AnyValue(modbus.COIL_VALUES)),
        checks.only_two_values_are_a_coils,
    ),
    "Modbus: addresses have no end": (
        lambda m: m.setattr(modbus, "_check_there", lambda _address, _count, _states: None),
        checks.a_coil_behind_the_last_is_refused,
    ),
    "Shelly: any text is true": (
        lambda m: m.setattr(shelly, "_is_switch", lambda _value: True),
        checks.text_switches_nothing,
    ),
    "Shelly: numbers are cut to channels": (
        lambda m: m.setattr(shelly, "_channel_told", lambda told: int(told)),
        checks.part_of_a_channel_is_none,
    ),
    "update server: a log has no bound in bytes": (
        lambda m: m.setattr(BoundedLog, "append", lambda self, entry: self._entries.append((entry, 0))),
        checks_bounded_log.a_journal_has_a_bound_in_bytes,
    ),
    "update server: what is no text counts as its letters": (
        lambda m: m.setattr(journal, "size_of", _by_letters),
        checks_bounded_log.a_journal_has_a_bound_in_bytes,
    ),
    "update server: headers are kept whole": (
        lambda m: m.setattr(update_server, "clipped", lambda text: text),
        checks_bounded_log.long_headers_are_told_of_in_short,
    ),
    "servers: faults are planned without end": (
        lambda m: m.setattr(fault_list, "refuse_more", lambda _kept, _what: None),
        checks_bounded_log.faults_are_not_planned_without_end,
    ),
    "update server: files have no bound in all": (
        lambda m: m.setattr(published_files, "MOST_BYTES_IN_ALL", 1 << 40),
        checks_bounded_log.files_have_a_bound_in_all,
    ),
    "recorder: everything is kept in memory": (
        lambda m: m.setattr(recording.Recording, "_is_too_much", lambda self: False),
        checks_bounded_log.a_recording_keeps_the_newest_behind_a_mark,
    ),
    "recorder: what is dropped leaves no mark": (
        lambda m: m.setattr(recording.Recording, "_marked", lambda self: list(self._entries)),
        checks_bounded_log.a_recording_keeps_the_newest_behind_a_mark,
    ),
    "recorder: a file grows without end": (
        lambda m: m.setattr(recording.RecordingFile, "_turn", lambda self, _at_ns: None),
        checks_bounded_log.a_recording_on_disk_has_a_bound_and_a_mark,
    ),
}


async def _without_end(self):
    """A line is waited for, however long it is."""
    while b"\n" not in self._came:
        piece = await self._reader.read(lines.PIECE)
        if not piece:
            break
        self._came += piece
    return self._take(len(self._came))

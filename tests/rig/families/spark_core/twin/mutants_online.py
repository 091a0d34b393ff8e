"""Planted faults of the Spark cloud for test_mutants: in the twin's side, in ours, in what reads landings."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from rig.errors import Misuse
from rig.families.spark_core.boards import online
from rig.families.spark_core.formats import cipher as spark_cipher
from rig.families.spark_core.formats import handshake as spark_handshake
from rig.families.spark_core.formats.coap import Code, Message, Type
from rig.families.spark_core.power import ota_landing
from rig.families.spark_core.servers import core_keys, delay_line, inbox, session
from rig.families.spark_core.servers.chunks import Chunks
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.session import Session
from rig.families.spark_core.servers.slow_transfer import SlowTransfer
from rig.families.spark_core.twin import console
from rig.families.spark_core.twin.app import (
    cloud,
    dialect,
    events,
    handshake,
    protocol,
    running_update,
    update,
)
from rig.families.spark_core.twin.radio import Eeprom, Radio
from rig.power.landing import Landing
from tests.rig.families.spark_core.servers import checks_cloud as of_cloud
from tests.rig.families.spark_core.twin import checks_online as of_core

REAL_STORE = running_update.RunningUpdate._store
REAL_BEGIN = running_update.RunningUpdate.begin
REAL_DONE = running_update.RunningUpdate.done


def feature(name, value):
    """A firmware version with, or without, one of its features."""
    return lambda m: m.setattr(dialect.Dialect, name, value)


def _once(self, data):
    if getattr(self, "last", None) == data:
        return True
    self.last = data
    return (yield from REAL_STORE(self, data))


def _begin_once(self, length):
    if not self.under_way:
        yield from REAL_BEGIN(self, length)


def _done_when_whole(self, length):
    if self._index >= len(of_core.CHUNKS):
        yield from REAL_DONE(self, length)


def _quiet_hello(self):
    self._flags.flashed = 0
    yield from ()


def _say_goodbye(self):
    self.close()


def _signed_with_digest_info(server_key, core_key, credentials):
    sealed = core_key.encrypt(credentials.raw, padding.PKCS1v15())
    return sealed + server_key.sign(sealed, padding.PKCS1v15(), hashes.SHA256())


def _chained_to_the_last_block(self, plain):
    pad = 16 - len(plain) % 16
    sealed = self._encryptor.update(plain + bytes([pad]) * pad)
    return len(sealed).to_bytes(2, "big") + sealed


REAL_SHAKE = handshake.shake_hands


def _shake_with_fresh_keys(board, spoken, _keys, conversation):
    return (yield from REAL_SHAKE(board, spoken, handshake.Keys.read(board), conversation))


def _unpadded(self, session, image, bus, faults, *, chunk_size, fast):
    REAL_CHUNKS(self, session, image, bus, faults, chunk_size=chunk_size, fast=fast)
    self._data[-1] = self._data[-1].rstrip(b"\0") + b"\xff" * 2


def _sends_again(self, index):
    self._taken = True
    REAL_ASKED(self, index)


def _overlooked(self, how):
    """A damage that nobody notes."""


async def _all_well(self, core_id, sent, back):
    return ""


async def _must_not_end(self, taker, quiet_seconds, *, may_end=False):
    return await REAL_EACH(self, taker, quiet_seconds)


def _undisturbed(self, data, now, disturbance=None):
    REAL_PUT(self, data, now)


REAL_CHUNKS = Chunks.__init__
REAL_ASKED = SlowTransfer._asked
REAL_EACH = inbox.Inbox.each
REAL_PUT = delay_line.DelayLine.put
REAL_GREET = Session.greet
REAL_FLASH = SparkCloud.flash


def _believe(self):
    self.hello = replace(self.hello, updated=True)
    REAL_GREET(self)


async def _undecided_no_more(self, core_id, image, **how):
    self._undecided.clear()
    return await REAL_FLASH(self, core_id, image, **how)


def _always_hello(self, flags, backup, slot, whole):
    return Landing("hello", 0, "read-back", "")


MUTANTS = {
    "twin: a chunk that comes twice is dropped": (
        lambda m: m.setattr(running_update.RunningUpdate, "_store", _once),
        of_core.a_chunk_that_comes_twice_shifts_the_image,
    ),
    "twin: UpdateDone counts chunks": (
        lambda m: m.setattr(running_update.RunningUpdate, "done", _done_when_whole),
        of_core.update_done_is_obeyed_early,
    ),
    "twin: a second UpdateBegin is ignored": (
        lambda m: m.setattr(running_update.RunningUpdate, "begin", _begin_once),
        of_core.a_second_update_begin_starts_at_zero,
    ),
    "twin: a Hello leaves the flags alone": (
        lambda m: m.setattr(protocol.Conversation, "_server_hello", _quiet_hello),
        of_core.every_hello_rewrites_the_flags,
    ),
    "twin: never asks for a lost chunk": (
        lambda m: m.setattr(running_update, "ASKS_AFTER_SECONDS", 1e9),
        of_core.a_lost_chunk_is_asked_for_after_three_seconds,
    ),
    "twin: 0.4 asks for a lost chunk": (
        feature("asks_for_slow_chunks", True),
        of_core.a_slow_update_of_0_4_waits_for_ever,
    ),
    "twin: waits for chunks for ever": (
        lambda m: m.setattr(update, "GIVES_UP_AFTER_SECONDS", 1e9),
        of_core.thirty_seconds_without_a_chunk_reset_the_core,
    ),
    "twin: 0.2.1 repairs nothing": (
        feature("repairs_writes", False),
        of_core.a_failing_write_is_repaired_by_0_2_1,
    ),
    "twin: 0.2.0 repairs": (feature("repairs_writes", True), of_core.a_failing_write_is_silent_on_0_2_0),
    "twin: 0.2.0 mends lengths": (
        feature("mends_length", True),
        of_core.publishing_inside_a_function_garbles_0_2_0,
    ),
    "twin: events without end": (
        lambda m: m.setattr(events.Publisher, "_rate", lambda self: True),
        of_core.four_events_go_out_in_a_second_and_no_more,
    ),
    "twin: takes long arguments": (
        lambda m: m.setattr(protocol, "LONGEST_ARGUMENT", 600),
        of_core.a_long_argument_makes_the_core_hang_up,
    ),
    "twin: 0.4 describes itself once": (
        feature("describes_twice", False),
        of_core.describe_is_answered_twice_by_0_4,
    ),
    "twin: says goodbye when its power fails": (
        lambda m: m.setattr(Radio, "vanish", _say_goodbye),
        of_core.power_off_says_nothing,
    ),
    "twin: hangs up after a failed handshake": (
        feature("hangs_up", True),
        of_core.a_failed_handshake_is_tried_again_on_the_same_connection,
    ),
    "twin: looks at its keys again and again": (
        lambda m: m.setattr(cloud, "shake_hands", _shake_with_fresh_keys),
        of_core.a_key_that_is_swapped_counts_after_a_reset_only,
    ),
    "twin: has its console always": (
        lambda m: m.setattr(console.Console, "show", lambda self, _opened: setattr(self, "open", True)),
        of_core.the_console_is_there_in_listening_mode_only,
    ),
    "twin: joins without an address": (
        lambda m: m.setattr(Eeprom, "joins", True),
        of_core.a_core_without_a_network_waits_for_one,
    ),
    "cipher: chained to the last block": (
        lambda m: m.setattr(spark_cipher.Sealer, "seal", _chained_to_the_last_block),
        of_cloud.a_frame_is_chained_to_the_first_block_of_the_one_before,
    ),
    "cloud: signs with DigestInfo": (
        lambda m: m.setattr(spark_handshake, "answer", _signed_with_digest_info),
        of_cloud.the_signature_is_bare,
    ),
    "cloud: takes keys that Cores misread": (
        lambda m: m.setattr(core_keys, "reads_right", lambda _key: True),
        of_cloud.a_key_that_a_core_misreads_is_rejected,
    ),
    "cloud: sends again whatever is asked for": (
        lambda m: m.setattr(SlowTransfer, "_asked", _sends_again),
        of_cloud.a_held_chunk_is_not_sent_twice,
    ),
    "cloud: sends into a held network, and says that all is well": (
        lambda m: (m.setattr(SlowTransfer, "_asked", _sends_again), m.setattr(Chunks, "damaged", _overlooked)),
        of_cloud.after_a_hold_ok_means_that_the_image_is_the_one_that_was_sent,
    ),
    "cloud: does not look who answers": (
        lambda m: m.setattr(Chunks, "damaged", _overlooked),
        of_cloud.a_shifted_image_is_no_success,
    ),
    "cloud: a connection that ended was a success": (
        lambda m: m.setattr(SparkCloud, "_what_became", _all_well),
        of_cloud.a_core_that_never_heard_update_done_has_applied_nothing,
    ),
    "cloud: a connection that ended was a failure": (
        lambda m: m.setattr(inbox.Inbox, "each", _must_not_end),
        of_cloud.a_fast_update_with_loss_is_judged_by_the_next_hello,
    ),
    "cloud: begins an update before it knows of the last": (
        lambda m: m.setattr(SparkCloud, "flash", _undecided_no_more),
        of_cloud.no_other_update_begins_until_one_is_decided,
    ),
    "cloud: an image larger than a Core copies needs no force": (
        lambda m: m.setattr("rig.families.spark_core.servers.cloud.too_large", lambda _image: None),
        of_cloud.a_forced_image_of_which_a_core_copies_a_part_is_no_success,
    ),
    "cloud: a forced image larger than a Core copies is a success": (
        lambda m: m.setattr("rig.families.spark_core.servers.cloud.too_large", lambda _image: Misuse("")),
        of_cloud.a_forced_image_of_which_a_core_copies_a_part_is_no_success,
    ),
    "cloud: only codes from 4.00 on are refusals": (
        lambda m: m.setattr(Message, "is_refusal", property(lambda self: self.code >= Code.BAD_REQUEST)),
        of_cloud.a_core_that_refuses_update_begin_is_believed,
    ),
    "cloud: an answered ping is an answered chunk": (
        lambda m: m.setattr(Session, "ask_whether_there", lambda self, since: self.send(Type.CON, Code.EMPTY)),
        of_cloud.no_other_update_begins_until_one_is_decided,
    ),
    "cloud: hangs up on who is silent": (
        lambda m: m.setattr(Session, "ask_whether_there", lambda self, since: None),
        of_cloud.a_core_that_only_hears_events_stays,
    ),
    "cloud: takes long names": (
        lambda m: m.setattr(session, "LONGEST_FUNCTION_NAME", 63),
        of_cloud.a_name_of_thirteen_bytes_is_refused,
    ),
    "network: holds nothing": (
        lambda m: m.setattr(delay_line.DelayLine, "put", _undisturbed),
        of_cloud.a_network_that_is_to_hold_a_message_does,
    ),
    "cloud: believes an acknowledgement": (
        lambda m: m.setattr(Session, "greet", _believe),
        of_cloud.an_update_counts_only_when_the_core_says_so,
    ),
    "cloud: pads with something else": (
        lambda m: m.setattr(Chunks, "__init__", _unpadded),
        of_cloud.the_last_chunk_is_padded_with_zeros,
    ),
    "landing: every window is Hello's": (
        lambda m: m.setattr(ota_landing.Download, "_in_a_window", _always_hello),
        of_cloud.each_flags_window_is_told_apart,
    ),
    "bench: a Core is back before it answers": (
        lambda m: m.setattr(online.Online, "is_back", lambda self: self.info() is not None),
        of_cloud.a_core_counts_as_back_once_it_has_answered,
    ),
}

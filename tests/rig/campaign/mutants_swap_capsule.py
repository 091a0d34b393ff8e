"""Planted faults of capsules of swaps: of the line, of servers in memory, of boards that look at nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from rig.campaign import swap_capsule, swap_replay, told_scenario
from rig.families.esp32.sweep.servers_in_memory import ServersInMemory
from rig.families.esp32.sweep.swap_in_memory import Esp32SetupInMemory
from rig.families.spark_core.sweep import cloud_in_memory
from rig.families.spark_core.sweep.cloud_in_memory import CloudIdentity
from rig.families.spark_core.sweep.swap_in_memory import CoreSetupInMemory
from rig.families.spark_core.twin.app import handshake
from rig.formats.certificate_chain import Trust
from rig.sweep import capsule_line
from rig.trust import ready_keys
from tests.rig.campaign import checks_swap_capsule as check
from tests.rig.campaign.swap_setups import roles_of

REAL_SHOW, REAL_SETUP, REAL_WITH_HASH = ServersInMemory.show, Esp32SetupInMemory.__init__, swap_replay.with_hash
REAL_READ, REAL_CANDIDATE = cloud_in_memory.read_introduction, ready_keys.candidate


def _show_once(servers, host, identity, settings=None):
    if host not in servers._shown:
        REAL_SHOW(servers, host, identity, settings)


def _as_of_today(setup, images, _at):
    REAL_SETUP(setup, images, datetime.now(UTC))


def _the_usual_one(role, told, known):
    return roles_of("esp32", "default")["old"] if role == "old" else REAL_WITH_HASH(role, told, known)


def _with_the_first_key(_key, block):
    return REAL_READ(CloudIdentity.of().server, block)


LINE = {
    "swap capsule: the sum is not looked at": (
        lambda m: m.setattr(capsule_line, "_sum", lambda _text: "1b2c3d4e"),
        check.an_edited_line_is_refused,
    ),
    "swap capsule: a scenario is told by its name alone": (
        lambda m: m.setattr(told_scenario, "digest_of", lambda _scenario: "0" * 12),
        check.a_scenario_that_is_played_otherwise_is_another,
    ),
    "swap capsule: a remark makes another scenario": (
        lambda m: m.setattr(told_scenario, "_FOR_READERS", set()),
        check.what_a_scenario_tells_its_readers_changes_nothing,
    ),
    "swap capsule: the way back is not told": (
        lambda m: m.setattr(told_scenario, "_FOR_READERS", {*told_scenario._FOR_READERS, "back"}),
        check.a_scenario_in_no_file_is_told_whole,
    ),
    "swap capsule: only the time after the swap counts": (
        lambda m: m.setattr(swap_replay, "words_of", lambda result: _Only("after", swap_capsule.words_of(result))),
        check.another_end_is_no_longer_the_same,
    ),
    "swap capsule: the usual firmware is played": (
        lambda m: m.setattr(swap_replay, "with_hash", _the_usual_one),
        check.an_image_that_a_capsule_names_is_the_one_that_runs,
    ),
    "swap capsule: it is played as of today": (
        lambda m: m.setattr(Esp32SetupInMemory, "__init__", _as_of_today),
        check.it_is_played_as_of_then,
    ),
    "ready keys: a seed is another": (
        lambda m: m.setattr(ready_keys, "candidate", lambda bits, seed: REAL_CANDIDATE(bits, seed + 1)),
        check.ready_keys_are_keys,
    ),
}


class _Only(dict):
    """Words that are the same as others where one of them is."""

    def __init__(self, name, words):
        super().__init__(words)
        self._name = name

    def __eq__(self, other):
        return self[self._name] == other[self._name]

    __hash__ = None


SERVERS = {
    "swap in memory: the server shows the old identity after the swap": (
        lambda m: m.setattr(ServersInMemory, "show", _show_once),
        check.replays("esp32", check.REFUSED),
    ),
    "swap in memory: nothing is held back half-way": (
        lambda m: m.setattr(ServersInMemory, "sent_of", lambda _servers, body: len(body)),
        check.replays("esp32", "swapped-in-the-middle-of-a-download", arrived="yes"),
    ),
    "swap in memory: the chain check is left out": (
        lambda m: m.setattr(Trust, "refuses", lambda *_chain: None),
        check.replays("esp32", check.REFUSED),
    ),
    "swap in memory: a server that hardens does not": (
        lambda m: m.setattr(
            ServersInMemory, "show", lambda servers, host, identity, _tls: REAL_SHOW(servers, host, identity)
        ),
        check.replays("esp32", "tls-1.3-only"),
    ),
    "swap in memory: the cloud keeps its key": (
        lambda m: m.setattr(CoreSetupInMemory, "_identity_of", lambda _setup, _keys: CloudIdentity.of()),
        check.replays("spark-core", "a-new-server-key-while-idle"),
    ),
    "swap in memory: the cloud reads with a key that it has no more": (
        lambda m: m.setattr(cloud_in_memory, "read_introduction", _with_the_first_key),
        check.replays("spark-core", "a-new-server-key-while-idle"),
    ),
    "swap in memory: a Core looks at no signature": (
        lambda m: m.setattr(handshake, "is_signed", lambda *_answer: True),
        check.replays("spark-core", "somebody-in-the-middle"),
    ),
}

MUTANTS = LINE | SERVERS

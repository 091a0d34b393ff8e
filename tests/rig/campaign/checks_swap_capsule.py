"""Named checks of test_mutants about capsules of swaps: what they hold, and that the model shows what it is to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rig.campaign import swap_capsule, swap_replay, told_scenario
from rig.campaign.swap_capsule import SwapCapsule
from rig.campaign.swaps import swaps_of
from rig.errors import LabFault, Misuse
from rig.trust import ready_keys
from rig.trust.keys import EXPONENT
from tests.rig.campaign.swap_setups import capsule, images, roles_of, scenarios

REFUSED = "another-root"


def ended(kind, name, firmware="default", **tags):
    """A capsule with the end that the reference expects of a firmware that goes dark, and is swapped back."""
    after = swap_capsule._reached(swaps_of(kind).scenarios()[name].change(firmware).after)
    told = {
        "before": "served",
        "after": after,
        "arrived": "none",
        "runs-on": "yes",
        "updated": "yes",
        "route": "swap-back",
    }
    return replace(capsule(kind, name, firmware, **tags), ended=told)


def capsule_of_esp32(scenario, firmware="default"):
    return swap_capsule.capsule_of("esp32", scenario, roles_of("esp32", firmware), lambda of: roles_of("esp32", of), {})


def still_happens(written):
    """Whether the model does what a capsule says, read from its line. A setup that gives up has not done it."""
    read = SwapCapsule.parse(str(written))
    try:
        return swap_replay.is_expected(swap_replay.replay_swap(read, images(read.kind)), None, read.ended)
    except LabFault as fault:
        raise AssertionError(str(fault)) from fault


def replays(kind, name, firmware="default", **changed):
    def check(_folder):
        written = ended(kind, name, firmware)
        assert still_happens(replace(written, ended={**written.ended, **changed})), "the model does something else"

    return check


def another_end_is_no_longer_the_same(_folder):
    written = ended("esp32", REFUSED)
    for name, other in {"arrived": "yes", "updated": "no", "runs-on": "no", "route": "cable"}.items():
        assert not still_happens(replace(written, ended={**written.ended, name: other})), f"{name} does not count"


def an_edited_line_is_refused(_folder):
    line, told = str(ended("esp32", REFUSED)), "it is read"
    try:
        SwapCapsule.parse(line.replace("updated=yes", "updated=no"))
    except Misuse as refused:
        told = refused.message
    assert told == "the capsule was changed since it was written"


def a_scenario_that_is_played_otherwise_is_another(_folder):
    known = scenarios()[REFUSED]
    assert told_scenario.digest_of(known.model_copy(update={"when": "off"})) != told_scenario.digest_of(known)
    by_cable = capsule_of_esp32(known.model_copy(update={"back": "cable"}))
    assert "cable" in by_cable.told.get("recipe", ""), "a replay would play another one"


def what_a_scenario_tells_its_readers_changes_nothing(_folder):
    known = scenarios()[REFUSED]
    assert told_scenario.digest_of(known.model_copy(update={"remark": "seen in 2014"})) == told_scenario.digest_of(
        known
    )


def a_scenario_in_no_file_is_told_whole(_folder):
    """Everything that a scenario can say comes back from its line."""
    for known in scenarios().names:
        other = scenarios()[known].model_copy(update={"name": "mine"})
        read = SwapCapsule.parse(str(capsule_of_esp32(other))).scenario
        played = [one.model_dump(exclude={"about", "remark", "expects"}) for one in (read, other)]
        assert played[0] == played[1], f"{known} is another scenario now"


def it_is_played_as_of_then(_folder):
    """A certificate that ended in March 2024 was good in February, and is told so in 2026."""
    written = capsule("esp32", "the-certificate-has-ended", "dates")
    told = swap_replay.replay_swap(replace(written, at=datetime(2024, 2, 1, tzinfo=UTC)), images("esp32"))
    assert str(told.after) == "served", "it was played as of another time"


def an_image_that_a_capsule_names_is_the_one_that_runs(_folder):
    """The same scenario with firmware that pins the intermediate, which goes dark where the usual one is served."""
    usual, pinned = (capsule("esp32", "another-intermediate", of) for of in ("default", "intermediate"))
    told = [str(swap_replay.replay_swap(one, images("esp32")).after) for one in (usual, pinned)]
    assert told == ["served", "dark (unknown_ca)"]


def ready_keys_are_keys(_folder):
    for bits in ready_keys.RSA_BITS.values():
        keys = [ready_keys.ready_key.__wrapped__(bits, number) for number in range(ready_keys.ready_keys(bits))]
        assert len({key.public_key().public_numbers().n for key in keys}) == len(keys) > 0
        for key in keys:
            numbers = key.private_numbers()
            assert key.key_size == bits
            assert numbers.public_numbers.e == EXPONENT
            assert all(pow(base, prime - 1, prime) == 1 for base in (2, 3, 5) for prime in (numbers.p, numbers.q))

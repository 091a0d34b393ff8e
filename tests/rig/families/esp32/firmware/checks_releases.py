"""Named checks of test_mutants about what releases of ESP-IDF and the Arduino core make of servers and of otadata."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.twin.app.ota import Update
from tests.rig.families.esp32.twin.app.app_board import (
    NEW,
    OLD,
    World,
    arduino,
    built,
    carry_out,
    checked,
    https,
    world_of,
)
from tests.rig.families.esp32.twin.app.app_server import answer, serving
from tests.rig.families.esp32.twin.app.foreign_answers import (
    IMAGE,
    ChallengingBehind,
    chain,
    cut_short,
    head_refused,
    head_without_length,
    leaving_after_a_redirect,
    not_modified_for_all,
    redirecting,
    without_length,
)
from tests.rig.families.esp32.twin.app.updates import Operation, R, T, operations_of, started, update_until

# -- otadata -----------------------------------------------------------------------------------------------------------


def stale_world(idf: str, active: int) -> World:
    """Slot 0 runs by record 3, because what record 4 chooses, in sector `active`, does not start."""
    behaviour = https(idf=idf, rollback=True)
    world = World(behaviour, new=behaviour.model_copy(update={"confirms": "never", "checks_at_boot": False}))
    world.record(active, Record.of(4, State.VALID))
    world.record(1 - active, Record.of(3, State.VALID))
    world.put(world.slot(T).offset, b"\xe9broken")
    return world


def chosen_once_more(idf: str, active: int) -> World:
    """Such a board when it has updated the broken slot."""
    return update_until(stale_world(idf, active), None)


def operations_of_choice(idf: str, active: int) -> list[Operation]:
    return operations_of(chosen_once_more(idf, active))


def from_6_0_on_the_active_record_is_rewritten(_folder):
    world = chosen_once_more("6.0", active=1)
    assert world.records[0] == Record.of(3, State.VALID)
    assert [started(world), started(world)] == [T, R]


def write(world: World, update: Update, data: bytes) -> None:
    carry_out(update.write(data), world.memory)


# -- servers -----------------------------------------------------------------------------------------------------------


def told(answers, idf: str, **fields: object) -> tuple[str, World]:
    world = world_of(https(idf=idf, **fields), answers)
    world.hosts["plain.test"] = None
    return checked(world), world


def outcomes(answers, *releases: str, **fields: object) -> list[str]:
    return [told(answers, idf, **fields)[0] for idf in releases]


def head_that_is_refused_ends_it_before_6_0(_folder):
    assert outcomes(head_refused(405), "5.1", "5.5.5", "6.0", partial=65536) == ["failed", "failed", "installed"]


def head_without_a_length_ends_in_nothing(_folder):
    result, world = told(head_without_length(), "5.5.5", partial=65536)
    assert (result, world.records[1].seq) == ("failed", 0xFFFF_FFFF)
    assert world.in_slot(T, len(IMAGE)) == IMAGE
    assert outcomes(head_without_length(), "5.5.5", "6.0", partial=65536, compares_version=False) == [
        "installed", "failed",
    ]  # fmt: skip


def head_that_is_not_modified_fails_before_6_1(_folder):
    assert outcomes(not_modified_for_all, "5.5.5", "6.0", "6.1", partial=65536) == ["failed", "failed", "no-update"]


def redirects_have_no_limit_of_their_own(_folder):
    assert outcomes(chain(12), "5.1", "5.5.5", "6.1-beta1") == ["installed"] * 3


def redirects_of_head_have_one(_folder):
    assert outcomes(chain(12, method="HEAD"), "5.5.5", "6.0", partial=65536) == ["failed"] * 2


def redirects_and_challenges_are_one_count(_folder):
    for hops, expected in ((9, "installed"), (10, "failed")):
        assert outcomes(ChallengingBehind(hops, 1), "5.5", authorizes=("basic",)) == [expected], hops


def a_good_answer_ends_the_count_in_newer_releases(_folder):
    for idf, reached in (("5.1.4", True), ("5.1.5", False)):
        _, world = told(ChallengingBehind(9, 2, "HEAD"), idf, partial=65536, authorizes=("basic",))
        assert ("reached max_authorization_retries" in world.console) == reached, idf


def of_spi_modes(idf: str, running: int, offered: int) -> World:
    """A board whose applications are told to be for these SPI modes of flash."""
    new = replace(NEW, spi_mode=offered)
    world = world_of(https(idf=idf), serving(built(new)))
    world.install(0, replace(OLD, spi_mode=running), world.behaviour)
    world.knows(new, world.behaviour)
    return world


def another_spi_mode_is_refused_from_6_1_on(_folder):
    told = [checked(of_spi_modes(idf, 3, 1)) for idf in ("6.0.2", "6.1-beta1")]
    assert told == ["installed", "failed"]


def https_is_left_for_http_where_nobody_looks(_folder):
    answers = redirecting("http://plain.test/other.bin")
    assert outcomes(answers, "5.5.4", "5.5.5", "6.0.2", "6.1-beta1") == ["installed", "failed", "installed", "failed"]


def a_path_is_no_https_address(_folder):
    assert outcomes(redirecting("/other.bin"), "5.5.4", "5.5.5", "6.0", "6.1-beta1") == [
        "installed", "failed", "installed", "failed",
    ]  # fmt: skip


def a_connection_that_is_over_is_used_once_more(_folder):
    assert outcomes(leaving_after_a_redirect, "5.1", "5.5.5", "6.0") == ["failed"] * 3


def a_challenge_that_helps_nobody_ends_it_from_5_5_on(_folder):
    numbers = [len(told(lambda _: answer(401), idf)[1].asked) for idf in ("5.1", "5.4.4", "5.5", "6.0")]
    assert numbers == [11, 11, 1, 1]


def a_build_answers_what_its_esp_idf_comes_with(_folder):
    for kind in ("Basic", "Digest"):
        challenge = answer(401, WWW_Authenticate=f"{kind} realm=x")
        assert len(told(lambda _, challenge=challenge: challenge, "5.5")[1].asked) == 1, kind
    assert [https(idf=idf).challenges for idf in ("4.3", "4.4.8", "5.0")] == [("digest",), ("digest",), ()]


def close_notify_did_not_end_a_body_without_a_length(_folder):
    releases = ("5.1.5", "5.1.6", "5.3.2", "5.3.3", "5.5")
    assert outcomes(without_length("close_notify"), *releases) == [
        "failed", "installed", "failed", "installed", "installed",
    ]  # fmt: skip
    assert outcomes(without_length("FIN"), *releases) == ["installed"] * 5


def an_early_end_is_told_with_the_socket_s_error(_folder):
    for by, errno in (("FIN", 128), ("close_notify", 0), ("RST", 104)):
        assert f"data read -1, errno {errno}" in told(cut_short(by), "5.5.5")[1].console, by


# -- Arduino -----------------------------------------------------------------------------------------------------------


def with_md5(behaviour: EspBehaviour, written: Callable[[str], str]) -> World:
    """A server that writes the image's MD5 in its own way."""
    md5 = written(hashlib.md5(IMAGE).hexdigest())
    return world_of(behaviour, lambda _: answer(200, IMAGE, x_MD5=md5))


def capitals_in_x_md5_fail_with_core_2(_folder):
    cores = ("2.0.17", "3.0", "3.3")
    assert [checked(with_md5(arduino(core=core), str.upper)) for core in cores] == ["failed", "installed", "installed"]

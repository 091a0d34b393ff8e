"""A capsule of a swap is one line: it reads back as it was written, refuses what was changed, and plays it again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.campaign.recorded_swap import play_recorded
from rig.campaign.swap_capsule import SwapCapsule, is_swap
from rig.campaign.swap_replay import is_expected, replay_swap
from rig.campaign.swaps import swaps_of
from rig.errors import Misuse
from rig.evidence.ledger import Ledger, read_ledger
from rig.evidence.report import write_summary
from rig.evidence.run_manifest import FOLDER
from rig.sweep.family import sweeps_of
from tests.rig.campaign import checks_swap_capsule as check
from tests.rig.campaign.swap_setups import SetupOf, capsule, images, scenarios
from tests.rig.evidence.records import a_record

#: One that ends dark, with the end that it has.
DARK = check.ended("esp32", "another-root")
LINE = str(DARK)
PLAIN = LINE.split(" sum=")[0]
KINDS = ("esp32", "spark-core")
REACHED = st.sampled_from(
    ["served", "dark:unknown_ca", "dark:hung-up,refused", "fails-over:access_denied@ota4.rig.test"]
)
ENDS = st.fixed_dictionaries({
    "before": REACHED,
    "after": REACHED,
    "arrived": st.sampled_from(["yes", "no", "none"]),
    "runs-on": st.sampled_from(["yes", "no"]),
    "updated": st.sampled_from(["yes", "no"]),
    "route": st.sampled_from(["none", "swap-back", "cable"]),
})  # fmt: skip
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
SCENARIOS = [(kind, name) for kind in KINDS for name in swaps_of(kind).scenarios()]


@given(st.sampled_from(SCENARIOS), st.one_of(st.none(), ENDS), TIMES)
def test_a_capsule_reads_back_as_it_was_written(of, ended, at):
    name = next(iter(swaps_of(of[0]).scenarios()[of[1]].expects))
    written = replace(capsule(*of, name), ended=ended, at=at.replace(microsecond=0))
    assert SwapCapsule.parse(str(written)) == written
    assert "\n" not in str(written)
    assert is_swap(str(written))


@given(st.text(max_size=80))
def test_whatever_is_no_capsule_is_refused_in_one_line(text):
    for line in (text, f"esp32 swap {text}", f"{PLAIN} {text} hello"):
        with pytest.raises(Misuse) as refused:
            SwapCapsule.parse(line)
        assert "\n" not in str(refused.value)


@given(st.integers(0, len(PLAIN) - 1), st.sampled_from("abcdef0123456789:"))
def test_one_letter_that_was_changed_is_noticed(at, letter):
    changed = LINE[:at] + letter + LINE[at + 1 :]
    if changed != LINE:
        with pytest.raises(Misuse):
            SwapCapsule.parse(changed)


FAULTS = {
    "another kind": (PLAIN.replace("esp32", "toaster"), "toaster"),
    "a kind that brings no swaps": (PLAIN.replace("esp32", "spark-core"), "another-root"),
    "an unknown scenario": (PLAIN.replace("another-root", "another-planet"), "'another-planet'"),
    "a scenario that was changed since": (PLAIN.replace(DARK.told["played"], "0" * 12), "was changed since"),
    "no scenario": (PLAIN.replace("scenario=another-root ", ""), "which scenario"),
    "an edited end": (LINE.replace("unknown_ca", "bad_certificate"), "was changed since"),
    "an end that is none": (PLAIN.replace("dark:", "gloomy:"), "after=gloomy:unknown_ca"),
    "a recipe that is no JSON": (PLAIN.replace("played=", "recipe="), "says no scenario"),
    "a recipe of no scenario": (PLAIN.replace("played=", 'recipe={"after":{}} x='), r"before"),
    "half an end": (PLAIN.replace(" route=swap-back", ""), "route= is missing"),
    "no time": (PLAIN.replace(" at=", " at=x"), "is no time"),
    "a time that no certificate has": (PLAIN.replace(" at=2", " at=9"), "is no time"),
    "an image that is no hash": (PLAIN.replace("old=", "old=x"), "SHA-256"),
    "something that cannot be chosen": (PLAIN + " generation=b", "SHA-256"),
    "a field twice": (PLAIN + " updated=no", "twice"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_capsule_is_refused_by_its_fault(name):
    line, told = FAULTS[name]
    with pytest.raises(Misuse, match=told):
        SwapCapsule.parse(line)


def test_a_capsule_without_its_firmware_says_which():
    with pytest.raises(Misuse, match="that plays bootloader"):
        replay_swap(DARK, [])
    with pytest.raises(Misuse, match="needs an image that plays old"):
        replay_swap(
            replace(DARK, images={role: told for role, told in DARK.images.items() if role != "old"}), images("esp32")
        )


@pytest.mark.parametrize("kind", KINDS)
def test_no_path_is_called_as_swaps_are(kind):
    assert not any(is_swap(f"{kind} {path} cut=0:before") for path in sweeps_of(kind).paths)


@pytest.mark.parametrize(
    ("expected", "happens"),
    [(None, True), ("dark", True), ("dark (unknown_ca)", True), ("dark (refused)", False), ("served", False)],
)
def test_it_still_happens_when_it_comes_as_was_told(expected, happens):
    result = replay_swap(DARK, images("esp32"))
    assert is_expected(result, expected, DARK.ended) is happens


def test_who_expects_nothing_that_can_come_of_it_is_told():
    result = replay_swap(DARK, images("esp32"))
    with pytest.raises(Misuse, match="gloomy"):
        is_expected(result, "gloomy", DARK.ended)
    with pytest.raises(Misuse, match="does not say how it ended"):
        is_expected(result, None, None)


def test_the_ledger_and_the_page_have_a_line_that_plays_it_again(tmp_path):
    line = {"run": "r", "trial": "t", "place": "esp-01", "firmware_name": "esp32-old", "scenario": "another-root"}
    with Ledger(tmp_path / FOLDER / "main.jsonl") as ledger:
        play_recorded(scenarios()["another-root"], SetupOf("default"), ledger, line, capsule("esp32", "another-root"))
    (kept,) = read_ledger(tmp_path / FOLDER / "main.jsonl")
    again = SwapCapsule.parse(kept["capsule"])
    assert is_expected(replay_swap(again, images("esp32")), None, again.ended)
    assert f"esp32-old at esp-01: `{kept['capsule']}`" in write_summary(tmp_path, a_record()).read_text()


def test_a_scenario_of_one_s_own_is_told_whole():
    other = scenarios()["another-root"].model_copy(update={"name": "mine", "when": "off"})
    line = str(check.capsule_of_esp32(other))
    assert str(replay_swap(SwapCapsule.parse(line), images("esp32")).after) == "dark (unknown_ca)"
    assert json.loads(line.split("recipe=")[1].split()[0])["when"] == "off"


def test_what_no_certificate_can_say_is_refused_in_one_line():
    line = PLAIN.replace(
        "played=", 'recipe={"before":{"a.test":{"begins":"0001-01-01T00:00:00Z"}},"tls":{"a.test":{}}} x='
    )
    line = " ".join(word for word in line.split() if not word.startswith("x="))
    with pytest.raises(Misuse, match=r"a\.test cannot be given such a certificate"):
        replay_swap(SwapCapsule.parse(line), images("esp32"))


def test_a_kind_that_plays_none_on_the_model_has_no_capsule(tmp_path):
    with Ledger(tmp_path / "main.jsonl") as ledger:
        play_recorded(scenarios()["new-key"], SetupOf("default"), ledger, {"run": "r"}, None)
    (kept,) = read_ledger(tmp_path / "main.jsonl")
    assert kept["capsule"] == ""


def rig(*words):
    return subprocess.run(
        [sys.executable, "-m", "rig", *words], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.long
def test_the_command_tells_by_its_status():
    assert rig("replay", LINE).returncode == 1
    assert rig("replay", LINE, "--expect", "served").returncode == 0
    assert rig("replay", LINE.replace("yes", "no")).returncode == 2
    assert rig("replay", LINE, "--shrink").returncode == 2
    told = json.loads(rig("replay", LINE, "--json").stdout)
    assert (told["after"], told["still_happens"]) == ("dark (unknown_ca)", True)
    assert "updates.rig.test shows sha256" in rig("replay", "--trace", *LINE.split()).stdout

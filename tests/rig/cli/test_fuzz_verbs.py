"""A share of the fuzzer of the command (fuzz_verbs.py), the same inputs each time; and every verb with odd files."""

from __future__ import annotations

import random

import pytest

from tests.rig.cli import fuzz_verbs
from tests.rig.cli.hostile_words import KINDS, SLOW, Verb, verbs, words

VERBS = verbs()
#: For each verb.
INPUTS, INPUTS_IF_SLOW = 12, 3


@pytest.fixture(scope="module")
def files():
    with fuzz_verbs.workshop() as files, fuzz_verbs.safe_world():
        yield files


@pytest.mark.parametrize("verb", VERBS, ids=str)
def test_no_input_breaks_the_rig_itself(verb, files):
    for number in range(INPUTS_IF_SLOW if str(verb) in SLOW else INPUTS):
        ended = fuzz_verbs.run(words(random.Random(f"ci/{verb}/{number}"), verb, files, {}))
        assert ended.fault is None, ascii(str(ended))


#: One way to name a file to each verb that takes one, all else being right.
READERS = {
    "firmware list": "firmware list --manifest {}",
    "firmware build": "firmware build out --manifest {}",
    "firmware add": "firmware add {} --sha256 0 --name a --version 1",
    "trust timeline": "trust timeline {}",
    "trust timeline, manifest": "trust timeline --manifest {}",
    "trust probe, roots": "trust probe 127.0.0.1:9 --roots {}",
    "trust probe, before": "trust probe 127.0.0.1:9 --before {}",
    "trust swap, plan": "trust swap {} ota --restore",
    "trust swap, chain": "trust swap a@127.0.0.1:9 --name a --live-chain /a --live-key /b --key k --chain {}",
    "trust watch": "trust watch {} --check-config",
    "run, manifest": "run --manifest {}",
    "run, rack": "run --rack {}",
    "lab health": "lab health --rack {}",
    "deep-update": "deep-update core-01 --updates {}",
    "deep-update, ledger": "deep-update core-01 --consent me --ledger {}",
    "twin spark-core": "twin spark-core --state new --good {}",
    "twin spark-core, manifest": "twin spark-core --state new --manifest {}",
    "twin spark-core boot": "twin spark-core boot --internal {0} --external {0}",
    "twin esp32 boot": "twin esp32 boot --flash {}",
    "serial write": "serial write {} --port socket://127.0.0.1:9",
    "cloud spark flash": "cloud spark flash 48ff6c065067555026311387 {}",
    "cloud https publish": "cloud https publish {}",
    "cloud https": "cloud https --listen 127.0.0.1:0 --control 127.0.0.1:0 --publish {}",
    "ledger verify": "ledger verify {}",
}


#: Verbs that make the file where it is not there.
MAKES = {"deep-update, ledger"}


@pytest.mark.parametrize("case", READERS)
def test_what_is_no_file_is_one_line_that_names_it(case, files):
    """Endless, waiting, missing, a loop: of every verb in the same words. A folder may be what a verb takes."""
    missing = () if case in MAKES else ("loop", "nothing")
    for name in ("/dev/zero", *(str(files.folder / "odd" / name) for name in ("pipe", *missing))):
        ended = fuzz_verbs.run([word.format(name) for word in READERS[case].split()])
        lines = [line for line in ended.out.splitlines() if line.startswith("rig: ")]
        assert ended.fault is None, ascii(str(ended))
        assert ended.status in (2, 3), str(ended)
        assert len(lines) == 1, str(ended)
        assert name in lines[0], lines[0]


def test_the_fuzzer_knows_every_verb_and_every_file_that_verbs_take():
    named = {param.name for verb in VERBS for param in verb.params}
    assert len(VERBS) >= 50
    assert set(KINDS) <= named


def test_the_fuzzer_notices_a_verb_that_breaks(files, monkeypatch):
    monkeypatch.setattr("rig.trust.web_pki.AUTHORITIES", None)
    ended = fuzz_verbs.run(["cloud", "https", "authorities"])
    assert ended.fault == fuzz_verbs.BROKE
    assert isinstance(VERBS[0], Verb)

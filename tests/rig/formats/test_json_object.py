"""One reader of JSON objects for all that strangers send: within limits, or refused, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.firmware.checkout import part
from rig.formats.json_object import LONGEST_NUMBER, MOST_DEPTH, MOST_STRUCTURE, NotAnObject, read_object
from tests.rig.waiting import HANGS

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5), st.booleans())
def test_an_object_is_read_as_it_was_written(told, as_ascii):
    assert read_object(json.dumps(told, ensure_ascii=as_ascii).encode()) == told


@given(st.binary(max_size=300))
@example(b'{"\\ud83d\\ude00": "\\ud83d"}')
@example(b'{"a": "\\')
def test_bytes_are_an_object_or_refused(data):
    try:
        told = read_object(data)
    except NotAnObject:
        return
    assert json.loads(json.dumps(told, allow_nan=False, ensure_ascii=False).encode()) == told


LIMITS = {
    "depth": lambda over: b'{"a":' * (MOST_DEPTH + over) + b"1" + b"}" * (MOST_DEPTH + over),
    "digits": lambda over: b'{"a":' + b"9" * (LONGEST_NUMBER + over) + b"}",
    "digits behind the point": lambda over: b'{"a":0.' + b"9" * (LONGEST_NUMBER - 2 + over) + b"}",
    "structure": lambda over: b'{"a":[' + b" " * (MOST_STRUCTURE - 8 + over) + b"1]}",
    "an exponent": lambda over: b'{"a":1e%d}' % (308 + over),
}


@pytest.mark.parametrize("case", LIMITS)
def test_the_most_is_read_and_one_more_is_refused(case):
    assert "a" in read_object(LIMITS[case](0))
    with pytest.raises(NotAnObject):
        read_object(LIMITS[case](1))


def test_brackets_and_digits_in_a_text_are_text():
    told = {"a": "[" * 1000 + "9" * 1000 + '\\"' * 1000}
    assert read_object(json.dumps(told)) == told


def test_an_image_in_a_text_is_read_however_long():
    assert len(read_object(b'{"image": "' + b"A" * 22_000_000 + b'"}')["image"]) == 22_000_000


#: What to begin with, and words that lines are made of.
SAID = [b'\x00{"do":"mode","pressed":true}', b'\x00{"do":"wear","address":1}', b"\x01\x05\0\0\xff\0"]
WORDS = [
    "{",
    "}",
    "[",
    ":",
    ",",
    "do",
    "mode",
    "wear",
    "radio",
    "address",
    "on",
    "profiles",
    "true",
    "1e9",
    "\\\\ud800",
]


def test_a_fuzzer_guided_by_coverage_finds_nothing_but_refusals(tmp_path):
    pytest.importorskip("atheris", reason="atheris is not installed (pip install -e .[test])")
    corpus, words = tmp_path / "corpus", tmp_path / "words"
    corpus.mkdir()
    for number, said in enumerate(SAID):
        (corpus / str(number)).write_bytes(said)
    words.write_text("".join(f'"{word}"\n' for word in [*WORDS, '\\"']))
    options = ["-runs=40000", "-seed=1", "-max_len=400", f"-dict={words}", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, "-m", "tests.rig.twin.fuzz_lines", *options, str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, cwd=part())
    assert done.returncode == 0, done.stderr[-2000:]
    assert "DONE" in done.stderr

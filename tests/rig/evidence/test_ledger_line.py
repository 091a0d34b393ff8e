"""The form of a line in a ledger: whatever is appended has it, and what has not is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rig.evidence.ledger_line import LineReader, chained, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
CONTENTS = st.dictionaries(st.text(max_size=6).filter(lambda key: key not in ("hash", "kind")), VALUES, max_size=5)


@given(st.lists(CONTENTS, min_size=1, max_size=4))
def test_whatever_is_appended_is_of_the_form_at_first_sight_and_by_pattern(contents):
    reader = LineReader()
    for content in [*contents, *contents]:
        body = {"kind": "cut", **content}
        line = encode({**body, "hash": chained("", encode(body))})
        assert reader.split(line) == (encode(body), chained("", encode(body)))


@given(CONTENTS, st.data())
def test_a_pattern_takes_no_line_that_reading_would_refuse(content, data):
    """Whatever byte is changed: known by pattern or read as JSON, the answer is the same."""
    line = encode({"kind": "cut", **content, "hash": "0" * 64})
    known = LineReader()
    known.split(line)
    at = data.draw(st.integers(0, len(line) - 1))
    changed = line[:at] + data.draw(st.binary(max_size=2)) + line[at + data.draw(st.integers(0, 1)) :]

    def answer(reader):
        try:
            return reader.split(changed)
        except ValueError as refused:
            return str(refused)

    assert answer(known) == answer(LineReader())

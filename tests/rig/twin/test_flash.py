"""NOR flash: what programming, erasing, tearing and counting may and may not do."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.twin.flash import Journal, Nor
from rig.twin.tears import ERASE_TEARS, PROGRAM_TEARS, named_tear

PAGE, PAGES = 64, 4
contents = st.binary(min_size=PAGE * PAGES, max_size=PAGE * PAGES)
seeds = st.integers(0, 1 << 32)


def nor(strict: bool, start: bytes | None = None) -> Nor:
    memory = Nor(base=0x100, size=PAGE * PAGES, page=PAGE, unit=2, kinds=("xerase", "xprog", "xbyte"), strict=strict)
    if start is not None:
        memory.load(start)
    return memory


@given(contents, st.integers(0, PAGES * PAGE // 2 - 1), st.binary(min_size=2, max_size=PAGE * PAGES))
def test_programming_only_clears_bits(start, unit, data):
    memory = nor(False, start)
    data = data[: (memory.size - 2 * unit) // 2 * 2]
    run = memory.programming(0x100 + 2 * unit, data[: len(data) // 2 * 2])
    memory.perform(run, 0, run.count)
    assert all(new & ~old == 0 for old, new in zip(start, memory.dump(), strict=True))


@given(contents, st.binary(min_size=8, max_size=8))
def test_a_strict_memory_takes_only_zero_where_it_is_not_blank(start, data):
    memory = nor(True, start)
    run = memory.programming(0x100, data)
    memory.perform(run, 0, run.count)
    for at in range(0, 8, 2):
        now, was, value = memory.read(0x100 + at, 2), start[at : at + 2], data[at : at + 2]
        if was != b"\xff\xff" and value != b"\0\0":
            assert memory.error
            assert now == was
            break
        assert now == value


@given(contents, st.binary(min_size=PAGE, max_size=PAGE * 2), st.integers(0, PAGE))
def test_a_run_done_in_two_parts_is_the_run_done_at_once(start, data, split):
    whole, parts = nor(False, start), nor(False, start)
    run = whole.programming(0x100 + 10, data[: len(data) // 2 * 2])
    split = min(split, run.count)
    whole.perform(run, 0, run.count)
    parts.perform(run, 0, split)
    parts.perform(run, split, run.count)
    assert whole.dump() == parts.dump()


@given(contents, st.sampled_from(PROGRAM_TEARS), st.binary(min_size=2, max_size=2), seeds)
def test_a_torn_program_lies_between_before_and_after(start, name, data, seed):
    memory = nor(False, start)
    memory.tear(memory.programming(0x100, data).operation(0), named_tear(name, seed))
    torn, old = memory.read(0x100, 2), start[:2]
    new = bytes(o & d for o, d in zip(old, data, strict=True))
    assert all(n & ~t == 0 and t & ~o == 0 for n, t, o in zip(new, torn, old, strict=True))


@given(contents, st.sampled_from(ERASE_TEARS), seeds)
def test_a_torn_erase_touches_its_own_page_and_is_reproducible(start, name, seed):
    first, second = nor(False, start), nor(False, start)
    for memory in (first, second):
        memory.tear(memory.erasing(0x100 + PAGE), named_tear(name, seed))
    assert first.dump() == second.dump()
    assert first.dump()[:PAGE] == start[:PAGE]
    assert first.dump()[2 * PAGE :] == start[2 * PAGE :]


@given(contents, st.lists(st.tuples(st.integers(0, PAGES - 1), st.binary(min_size=2, max_size=2)), max_size=8))
def test_digests_kept_page_by_page_are_those_of_the_contents(start, writes):
    memory = nor(False, start)
    memory.digest()
    for page, data in writes:
        run = memory.programming(0x100 + page * PAGE, data)
        memory.perform(run, 0, run.count)
    assert memory.digest() == nor(False, memory.dump()).digest()
    pages = [memory.dump()[at : at + PAGE] for at in range(0, memory.size, PAGE)]
    assert memory.digest() == hashlib.sha256(b"".join(hashlib.sha256(page).digest() for page in pages)).digest()


def test_operations_are_numbered_over_runs_and_materialised_one_by_one():
    memory, journal = nor(False), Journal()
    journal.number(memory.erasing(0x100, 2))
    journal.number(memory.programming(0x100, b"abcdef"))
    assert journal.next == 5
    assert (journal.operation(1).kind, journal.operation(1).address) == ("xerase", 0x100 + PAGE)
    assert (journal.operation(3).address, journal.operation(3).data) == (0x102, b"cd")
    with pytest.raises(Misuse, match="operation 5"):
        journal.operation(5)

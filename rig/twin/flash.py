"""NOR flash that counts: every erase and every program unit is a numbered operation before which power can be lost.

A memory is a list of immutable pages, so a copy costs a list of pointers and digests are kept page by page. Work
arrives as runs (one kind of operation over consecutive units); a run is one step to perform and `count` numbers in
the journal, and any single operation in it is materialised only when somebody cuts there.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from rig.errors import Misuse
from rig.twin.footprint import Copied, PageTrace

A = TypeVar("A")

#: What a half-done operation leaves: (kind, bytes before, bytes it was to leave) -> bytes now in flash.
Tear = Callable[[str, bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Run:
    """`count` operations of one `kind` over consecutive units of `unit` bytes, numbered from `first`."""

    kind: str
    address: int
    unit: int
    count: int
    data: bytes = b""
    first: int = 0
    #: Where the data were copied from, page by page; None where they are the program's own.
    origin: int | None = None

    def operation(self, k: int) -> Run:
        """Operation number `k` of this run as a run of one."""
        at = k - self.first
        data = self.data[at * self.unit : (at + 1) * self.unit]
        return replace(self, address=self.address + at * self.unit, count=1, data=data, first=k)


class PowerLost(Exception):
    """Supply went away at operation `k`; whoever was running is gone."""

    def __init__(self, k: int):
        super().__init__(f"power lost at operation {k}")
        self.k = k


#: The most that a journal keeps: images of 16 MB several times over. A board that is written all night without a new
#: start forgets the oldest.
MOST_JOURNAL = 64 << 20
#: What a run takes beside its data.
_RUN_BYTES = 200


class Journal:
    """The runs since power-on, numbered over all memories of a board: the ground truth of a cut.

    With a `fuse` set to `(k, tear)` the supply fails at operation k: before it when `tear` is None, else half-way.
    """

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._firsts: list[int] = []
        self._bytes = 0
        self.next = 0
        self.fuse: tuple[int, Tear | None] | None = None

    def number(self, run: Run) -> Run:
        """Enter a run, give it its numbers and return it."""
        run = replace(run, first=self.next)
        self.runs.append(run)
        self._firsts.append(run.first)
        self.next += run.count
        self._bytes += len(run.data) + _RUN_BYTES
        if self._bytes > MOST_JOURNAL:
            self._forget()
        return run

    def truncate(self, k: int) -> None:
        """Forget operations from `k` on: the run they belong to was ended there."""
        run = self.runs[-1]
        self.runs[-1] = replace(run, count=k - run.first, data=run.data[: (k - run.first) * run.unit])
        self._bytes -= len(run.data) - len(self.runs[-1].data)
        self.next = k

    def operation(self, k: int) -> Run:
        """Operation number `k`, materialised. Raises Misuse when there was none, or it was forgotten."""
        if not self._firsts or not self._firsts[0] <= k < self.next:
            raise Misuse(f"operation {k} is not in the journal of {self.next}")
        return self.runs[bisect_right(self._firsts, k) - 1].operation(k)

    def _forget(self) -> None:
        """Drop the older runs, a quarter of the whole; the last one stays."""
        gone = 0
        while self._bytes > MOST_JOURNAL * 3 // 4 and gone < len(self.runs) - 1:
            self._bytes -= len(self.runs[gone].data) + _RUN_BYTES
            gone += 1
        del self.runs[:gone], self._firsts[:gone]


class Nor:
    """One NOR memory of `size` bytes at address `base`, erased in pages and programmed in units.

    Programming only clears bits. With `strict` a unit takes a value only when it is blank or the value is zero
    (STM32F1 half-words): otherwise nothing changes, `error` is set and later work is ignored until it is cleared.
    `kinds` are what the journal calls an erase, a programmed unit and a programmed single byte.
    """

    def __init__(self, *, base: int, size: int, page: int, unit: int, kinds: tuple[str, str, str], strict: bool):
        self.base, self.size, self.page, self.unit, self.strict = base, size, page, unit, strict
        self.erase_kind, self.program_kind, self.byte_kind = kinds
        self.error = False
        #: Where what a start depends on is written down; None while nobody asks.
        self.trace: PageTrace | None = None
        self._blank = b"\xff" * page
        self.pages: list[bytes] = [self._blank] * (size // page)
        self._digests: list[bytes | None] = [None] * len(self.pages)
        self.on_change: Callable[[int, bytes], None] | None = None

    def __contains__(self, address: int) -> bool:
        return self.base <= address < self.base + self.size

    def load(self, contents: bytes) -> None:
        """Take over `contents` whole, as if it had always been there. Raises Misuse on a wrong size."""
        if len(contents) != self.size:
            raise Misuse(f"flash contents are {len(contents)} bytes, the memory has {self.size}")
        for index in range(len(self.pages)):
            page = contents[index * self.page : (index + 1) * self.page]
            self.pages[index] = self._blank if page == self._blank else page
        self._digests = [None] * len(self.pages)

    def take_over(self, other: Nor) -> None:
        """Hold what `other` of the same shape holds: pages are shared until one of them changes."""
        self.pages, self._digests = list(other.pages), list(other._digests)

    def hold(self, pages: Sequence[bytes]) -> None:
        """Hold these pages, as if they had always been there."""
        self.pages, self._digests = list(pages), [None] * len(pages)

    def dump(self) -> bytes:
        """The whole contents."""
        if self.trace is not None:
            self.trace.read(self.pages, 0, len(self.pages))
        return b"".join(self.pages)

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes at `address`; what lies beyond the end is not returned."""
        start = address - self.base
        first, last = start // self.page, (start + length - 1) // self.page
        if self.trace is not None:
            self.trace.read(self.pages, first, min(last + 1, len(self.pages)))
        span = b"".join(self.pages[first : last + 1])
        return span[start - first * self.page :][:length]

    def ask(self, question: Callable[[tuple[bytes, ...]], A], address: int, length: int) -> A:
        """What a pure function makes of the pages that `length` bytes from `address` on touch.

        To a footprint this is less than to read them: flash that answers the same is the same to a start.
        """
        start = address - self.base
        first, last = start // self.page, min((start + length - 1) // self.page + 1, len(self.pages))
        if self.trace is not None:
            self.trace.ask(self.pages, first, last, question)
        return question(tuple(self.pages[first:last]))

    def digest(self) -> bytes:
        """SHA-256 over the pages' SHA-256, recomputing only pages that changed."""
        whole = hashlib.sha256()
        for index, known in enumerate(self._digests):
            if known is None:
                known = self._digests[index] = hashlib.sha256(self.pages[index]).digest()
            whole.update(known)
        return whole.digest()

    def erasing(self, address: int, count: int = 1) -> Run:
        """The run that erases `count` pages from the one holding `address`."""
        start = address - (address - self.base) % self.page
        return Run(self.erase_kind, start, self.page, count)

    def programming(self, address: int, data: bytes) -> Run:
        """The run that programs `data` (whole units) at `address`; with `strict` it ends at the unit that fails."""
        units = len(data) // self.unit
        if self.strict:
            units = self._units_until_error(address, data)
        return Run(self.program_kind, address, self.unit, units, data[: units * self.unit])

    def copying(self, address: int, source: Nor, start: int, length: int) -> Run:
        """The run that programs blank pages with what `source` holds from `start` on.

        To a footprint that is no look at it: what it held counts once somebody looks at the copy.
        """
        first, last = (start - source.base) // source.page, (start - source.base + length) // source.page
        is_blank = self.read(address, length) == b"\xff" * length
        is_whole = not ((start - source.base) % source.page or length % source.page)
        if is_blank and is_whole and (source.trace is None or not source.trace.knows_any(first, last)):
            return replace(self.programming(address, b"".join(source.pages[first:last])), origin=start)
        return self.programming(address, source.read(start, length))

    def byte(self, address: int, data: bytes) -> Run:
        """The run that programs single bytes, for ends that are not a whole unit."""
        return Run(self.byte_kind, address, 1, len(data), data)

    def _units_until_error(self, address: int, data: bytes) -> int:
        old = self.read(address, len(data))
        if old == b"\xff" * len(data):
            return len(data) // self.unit
        blank, zero = b"\xff" * self.unit, bytes(self.unit)
        for at in range(0, len(data), self.unit):
            if old[at : at + self.unit] != blank and data[at : at + self.unit] != zero:
                return at // self.unit + 1
        return len(data) // self.unit

    def perform(self, run: Run, begin: int, end: int) -> None:
        """Carry out operations `begin`…`end`-1 of `run` (counted from its start)."""
        if run.kind.endswith(self.erase_kind):
            for address in range(run.address + begin * run.unit, run.address + end * run.unit, self.page):
                index = (address - self.base) // self.page
                if self.trace is not None:
                    self.trace.made(index, index + 1)
                self._set_page(index, self._blank)
        else:
            data = run.data[begin * run.unit : end * run.unit]
            for address, chunk in self._by_page(run.address + begin * run.unit, data):
                self._program(address, chunk, self._copied(run, address))

    def tear(self, run: Run, tear: Tear) -> None:
        """Leave the single operation `run` half done, as `tear` says."""
        old = self.read(run.address, run.unit)
        new = b"\xff" * run.unit if run.kind.endswith(self.erase_kind) else _and(old, run.data)
        for address, chunk in self._by_page(run.address, tear(run.kind, old, new)):
            index, offset = divmod(address - self.base, self.page)
            page = self.pages[index]
            self._set_page(index, page[:offset] + chunk + page[offset + len(chunk) :])

    def _copied(self, run: Run, address: int) -> Copied | None:
        """What a run copies to the page of an address; None where it copies nothing, or nobody asks."""
        if self.trace is None or run.origin is None:
            return None
        begin = max(address - (address - self.base) % self.page, run.address) - run.address
        end = min(begin + self.page - (run.address + begin - self.base) % self.page, len(run.data))
        return self.trace.copy_of(run.origin, run.data, begin, end)

    def _program(self, address: int, data: bytes, copied: Copied | None = None) -> None:
        index, offset = divmod(address - self.base, self.page)
        if self.trace is not None and (copied is None or not self.trace.is_copy(index, copied)):
            self.trace.read(self.pages, index, index + 1)
        if self.trace is not None and copied is not None:
            self.trace.copied(index, copied)
        page = self.pages[index]
        old = page[offset : offset + len(data)]
        if old == b"\xff" * len(data):
            new = data
        elif self.strict:
            new = self._program_strictly(old, data)
        else:
            new = _and(old, data)
        self._set_page(index, page[:offset] + new + page[offset + len(data) :])

    def _program_strictly(self, old: bytes, data: bytes) -> bytes:
        new = bytearray(old)
        blank, zero = b"\xff" * self.unit, bytes(self.unit)
        for at in range(0, len(data), self.unit):
            value = data[at : at + self.unit]
            if old[at : at + self.unit] != blank and value != zero:
                self.error = True
                break
            new[at : at + self.unit] = value
        return bytes(new)

    def _by_page(self, address: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at < len(data):
            room = self.page - (address + at - self.base) % self.page
            yield address + at, data[at : at + room]
            at += room

    def _set_page(self, index: int, page: bytes) -> None:
        self.pages[index] = page
        self._digests[index] = None
        if self.on_change:
            self.on_change(index, page)


def _and(old: bytes, new: bytes) -> bytes:
    merged = int.from_bytes(old, "little") & int.from_bytes(new, "little")
    return merged.to_bytes(len(old), "little")

"""A log that keeps the newest entries: so many of them at most, and so many bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class BoundedLog(Generic[Entry]):
    """The newest entries, oldest first; `size` tells the bytes of one, once, as it comes."""

    def __init__(self, most: int, most_bytes: int, size: Callable[[Entry], int]):
        self._most, self._most_bytes, self._size = most, most_bytes, size
        self._entries: deque[tuple[Entry, int]] = deque()
        self.bytes = 0

    def append(self, entry: Entry) -> None:
        """Keep one more; the oldest go for it."""
        size = self._size(entry)
        self._entries.append((entry, size))
        self.bytes += size
        while len(self._entries) > self._most or (self.bytes > self._most_bytes and len(self._entries) > 1):
            self.bytes -= self._entries.popleft()[1]

    def extend(self, entries: list[Entry]) -> None:
        """Keep several more."""
        for entry in entries:
            self.append(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry, _ in self._entries)

    def __reversed__(self) -> Iterator[Entry]:
        return (entry for entry, _ in reversed(self._entries))

    def __getitem__(self, at: int) -> Entry:
        return self._entries[at][0]

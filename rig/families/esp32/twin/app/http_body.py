"""Bodies of HTTP as a device's client reads them: so many bytes, chunks, or everything until the server hangs up.

Sans input and output; heads and requests are in http.py.
"""

from __future__ import annotations

import re

from rig.families.esp32.twin.app.http_head import Head, Malformed

LONGEST_CHUNK_LINE = 256


class Body:
    """What comes after a head: so many bytes, chunks, or everything until the server hangs up."""

    def __init__(self, head: Head, *, expected: bool = True):
        """Without `expected` (an answer to HEAD) there is none, whatever the head says."""
        self._chunks = ChunkReader() if head.chunked else None
        self._left = None if head.chunked else head.length
        none = not expected or head.status in (204, 304) or head.status < 200
        self.complete = none or self._left == 0
        self.until_close = self._chunks is None and self._left is None

    def feed(self, data: bytes) -> bytes:
        """The body's share of what came. Raises Malformed for broken chunks."""
        if self.complete:
            return b""
        if self._chunks is not None:
            plain = self._chunks.feed(data)
            self.complete = self._chunks.complete
            return plain
        if self._left is None:
            return data
        plain = data[: self._left]
        self._left -= len(plain)
        self.complete = self._left == 0
        return plain

    def end(self) -> None:
        """The server hung up."""
        self.complete = self.complete or self.until_close


class ChunkReader:
    """Takes the chunks' frames off (RFC 9112 §7.1)."""

    def __init__(self) -> None:
        self.complete = False
        self._buffer = bytearray()
        self._left = 0
        self._trailing = False

    def feed(self, data: bytes) -> bytes:
        """The data in what came. Raises Malformed."""
        self._buffer += data
        plain = bytearray()
        while not self.complete:
            if self._left > 2:
                taken = self._buffer[: self._left - 2]
                plain += taken
                del self._buffer[: len(taken)]
                self._left -= len(taken)
                if self._left > 2:
                    break
            if not self._frame():
                break
        return bytes(plain)

    def _frame(self) -> bool:
        """Take the end of a chunk, a size or a trailer off the front; False when it has not all come."""
        if self._left:
            if len(self._buffer) < 2:
                return False
            if self._buffer[:2] != b"\r\n":
                raise Malformed("a chunk does not end where it says")
            del self._buffer[:2]
            self._left = 0
            return True
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            if len(line) > LONGEST_CHUNK_LINE:
                raise Malformed("the size of a chunk has no end")
            return False
        self._buffer = rest
        if self._trailing:
            self.complete = not line
            return True
        size = line.split(b";", 1)[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise Malformed(f"no size of a chunk: {bytes(size[:20])!r}")
        count = int(size, 16)
        self._trailing = count == 0
        self._left = count + 2 if count else 0
        return True

"""Lines of a peer, within limits: none endless, none for ever under way, not too many bytes of all peers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rig.errors import LabFault, Misuse
from rig.limits import Limits

#: How long a line may be under way: 24 MiB through a slow tunnel.
LINE_SECONDS = 120.0
PIECE = 64 * 1024
#: What of a line is kept before it is known whose it is: a token, and every usual request.
BEGINNING = 4096


class ByteBudget:
    """Bytes that all peers of a server may have under way together."""

    def __init__(self, most: int):
        self._most, self._taken = most, 0

    def take(self, count: int) -> bool:
        """Whether there is room for so many more; they count then."""
        if self._taken + count > self._most:
            return False
        self._taken += count
        return True

    def give_back(self, count: int) -> None:
        """So many count no more."""
        self._taken -= count


class Reader(asyncio.StreamReader):
    """What a peer sends, in pieces; tells when it will send no more, whatever of it is not read yet."""

    has_ended = False

    def __init__(self) -> None:
        super().__init__(limit=PIECE)

    def feed_eof(self) -> None:
        """The peer has ended what it sends."""
        self.has_ended = True
        super().feed_eof()


class Lines:
    """Lines that come by `reader`. Close it when its peer has gone.

    `admits` says by the beginning of a stranger's line whether more of it is kept: room for long ones is for friends.
    """

    def __init__(
        self, reader: Reader, limits: Limits, shared: ByteBudget, admits: Callable[[bytes], bool] = lambda _begin: True
    ):
        self._admits = admits
        self._reader, self._limits, self._shared = reader, limits, shared
        self._came = bytearray()
        self._counted = 0
        self._is_known = False

    async def next(self) -> bytes:
        """The next line with its end, or what there is without one; empty when no more will come.

        Raises Misuse for one that is too long, LabFault where others have too much under way, TimeoutError for a
        stranger who says nothing, and for a line that does not come to its end.
        """
        searched, has_begun = 0, False
        async with asyncio.timeout(None if self._is_known else self._limits.idle) as deadline:
            while (end := self._came.find(b"\n", searched)) < 0:
                if len(self._came) > self._limits.message:
                    raise Misuse(f"a request is longer than {self._limits.message:,} bytes")
                if (
                    len(self._came) > BEGINNING
                    and not self._is_known
                    and not self._admits(bytes(self._came[:BEGINNING]))
                ):
                    raise Misuse("a long request begins with the token, which is missing or wrong")
                if self._came and self._is_known and not has_begun:
                    has_begun = True
                    deadline.reschedule(asyncio.get_running_loop().time() + LINE_SECONDS)
                searched = len(self._came)
                piece = await self._reader.read(PIECE)
                if not piece:
                    return self._take(len(self._came))
                self._keep(piece)
        return self._take(end + 1)

    def is_known(self) -> None:
        """The peer has said something valid: it may be silent from now on."""
        self._is_known = True

    @property
    def at_end(self) -> bool:
        """Whether nothing more will come, but for what is here already."""
        return self._reader.has_ended

    def close(self) -> None:
        """Nothing is read any more."""
        self._take(len(self._came))

    def _keep(self, piece: bytes) -> None:
        if not self._shared.take(len(piece)):
            raise LabFault("too many long requests are under way", hint="one after the other, or by file")
        self._counted += len(piece)
        self._came += piece

    def _take(self, count: int) -> bytes:
        line = bytes(self._came[:count])
        del self._came[:count]
        self._shared.give_back(self._counted - len(self._came))
        self._counted = len(self._came)
        return line

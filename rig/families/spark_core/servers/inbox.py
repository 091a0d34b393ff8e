"""What a Core says while it is updated: taken in order by whoever updates it, while questions go on beside."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from rig.errors import LabFault, RigError
from rig.families.spark_core.formats.coap import Code, Message, Type
from rig.families.spark_core.servers.session import Session

#: Messages that are no part of an update.
_OTHERS = (b"e", b"E", b"t")
#: An update of the largest image has 864 chunks: nobody waits with so many answers.
MOST_WAITING = 2048

#: Is given a message; answers whether this was the last one it wants. May raise RigError.
Taker = Callable[[Message], bool]


class Inbox:
    """Messages of one session's update. Use as a context manager: one update of a Core at a time."""

    def __init__(self, session: Session):
        self._session = session
        self._loop = asyncio.get_running_loop()
        #: What nobody has taken yet.
        self._came: deque[Message] = deque()
        self._taker: Taker | None = None
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._last = 0.0
        self._error: RigError | None = None

    def __enter__(self) -> Inbox:
        self._session.update_listener = self._listen
        self._session.over.add_done_callback(self._wake)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._session.update_listener = None
        self._session.over.remove_done_callback(self._wake)

    async def next(self, wanted: Taker, seconds: float) -> Message | None:
        """The next message that is wanted; None when none came in time. What came before it is dropped.

        Raises LabFault when the Core goes offline.
        """
        found: list[Message] = []

        def take(message: Message) -> bool:
            if wanted(message):
                found.append(message)
            return bool(found)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.each(take, seconds)
        return found[0] if found else None

    async def each(self, taker: Taker, quiet_seconds: float, *, may_end: bool = False) -> bool:
        """Hand each message to `taker` the moment it comes, until it wants no more; False after so much silence.

        Raises what `taker` raises, and LabFault when the Core goes offline, unless that may be: then it is False, too.
        """
        self._last, self._error = self._loop.time(), None
        self._taker = taker
        try:
            while self._taker is not None and self._came:
                self._hand(self._came.popleft())
            while self._taker is not None:
                if self._session.over.done():
                    if may_end:
                        return False
                    reason = self._session.over.result()
                    raise LabFault(f"went offline: {reason}", board=self._session.core_id, phase="download")
                if (left := self._last + quiet_seconds - self._loop.time()) <= 0:
                    return False
                self._news = self._loop.create_future()
                timer = self._loop.call_later(left, self._wake)
                try:
                    await self._news
                finally:
                    timer.cancel()
        finally:
            self._taker = None
        if self._error is not None:
            raise self._error
        return True

    def _listen(self, message: Message) -> bool:
        """Take what concerns the update; answers whether it concerns nobody else."""
        if (message.type == Type.CON and message.code == Code.EMPTY) or message.path in _OTHERS:
            return False
        self._last = self._loop.time()
        if self._taker is None:
            self._came.append(message)
            if len(self._came) > MOST_WAITING:
                self._session.connection.close("says more than an update has room for")
        else:
            self._hand(message)
        return message.code == Code.GET

    def _hand(self, message: Message) -> None:
        assert self._taker is not None
        try:
            if not self._taker(message):
                return
        except RigError as error:
            self._error = error
        self._taker = None
        self._wake()

    def _wake(self, _over: object = None) -> None:
        if not self._news.done():
            self._news.set_result(None)

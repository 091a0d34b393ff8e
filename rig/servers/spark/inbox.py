"""What a Core says while it is updated: taken in order by whoever updates it, while questions go on beside."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from rig.errors import LabFault
from rig.formats.spark_coap import Code, Message, Type
from rig.servers.spark.session import Session

#: Messages that are no part of an update.
_OTHERS = (b"e", b"E", b"t")


class Inbox:
    """Messages of one session's update. Use as a context manager: one update of a Core at a time."""

    def __init__(self, session: Session):
        self._session = session
        self._came: deque[Message] = deque()
        self._news: asyncio.Future[None] | None = None

    def __enter__(self) -> Inbox:
        self._session.update_listener = self._listen
        self._session.over.add_done_callback(self._wake)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._session.update_listener = None
        self._session.over.remove_done_callback(self._wake)

    async def next(self, wanted: Callable[[Message], bool], seconds: float, *, may_end: bool = False) -> Message | None:
        """The next message that is wanted; None when none came in time. What came before it is dropped.

        Raises LabFault when the Core goes offline, unless that may be.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            for message in self.taken():
                if wanted(message):
                    return message
            if self._session.over.done():
                if may_end:
                    return None
                reason = self._session.over.result()
                raise LabFault(f"went offline: {reason}", board=self._session.core_id, phase="download")
            if (left := deadline - loop.time()) <= 0:
                return None
            self._news = loop.create_future()
            timer = loop.call_later(left, self._wake)
            try:
                await self._news
            finally:
                timer.cancel()

    def taken(self) -> Iterator[Message]:
        """Messages that have come, one by one; what is not taken stays."""
        while self._came:
            yield self._came.popleft()

    def _listen(self, message: Message) -> bool:
        """Take what concerns the update; answers whether it concerns nobody else."""
        if (message.type == Type.CON and message.code == Code.EMPTY) or message.path in _OTHERS:
            return False
        self._came.append(message)
        self._wake()
        return message.code == Code.GET

    def _wake(self, _over: object = None) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

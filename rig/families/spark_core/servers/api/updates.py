"""Updates that were asked for over HTTP: begun while the client waits, and over when the Core is back and says so."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from rig.errors import RigError
from rig.families.spark_core.firmware.image import read_core_image
from rig.families.spark_core.servers.api.fields import Fields
from rig.families.spark_core.servers.api.refusal import Refused
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.events import Event

log = logging.getLogger(__name__)

#: What the genuine cloud would compile.
SOURCES = (".ino", ".cpp", ".c", ".h")
YES = ("1", "true", "yes")
Update = asyncio.Task[dict[str, Any]]


class Updates:
    """Updates under way."""

    def __init__(self, cloud: SparkCloud):
        self._cloud = cloud
        self._running: set[Update] = set()

    async def flash(self, core_id: str, fields: Fields, options: dict[str, str]) -> dict[str, Any]:
        """Begin an update with a request's file; with the option `wait`, see it through.

        Returns the answer: `Update started` says nothing of how it will end, `Update finished` that the Core runs it.
        Raises Refused where it did not come to that, Misuse for what is no image.
        """
        name, content = _the_file(fields)
        force = options.get("force", "").lower() in YES
        image = read_core_image(content, name, force=force)
        how = {"fast": options.get("fast", "").lower() in YES, "chunk_size": _chunk_size(options)}
        task, begun = self._begin(core_id, image, force=force, **how)
        if options.get("wait", "").lower() not in YES and await _begins(begun, task):
            return {"id": core_id, "status": "Update started"}
        result = await asyncio.shield(task)
        if not result["ok"]:
            raise Refused(400, "Update failed", result["reason"], id=core_id)
        return {"ok": True, "id": core_id, "status": "Update finished", "seconds": result["seconds"]}

    async def close(self) -> None:
        """End them."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _begin(self, core_id: str, image: bytes, **how: Any) -> tuple[Update, asyncio.Event]:
        """The update, which goes on though its client leaves, and the moment when the Core is ready for chunks."""
        begun = asyncio.Event()

        def hear(event: Event) -> None:
            if event["event"] == "ready" and event["core"] == core_id:
                begun.set()

        unsubscribe = self._cloud.bus.subscribe(hear)
        task = asyncio.ensure_future(self._cloud.flash(core_id, image, **how))
        self._running.add(task)

        def over(_task: Update) -> None:
            unsubscribe()
            self._running.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, RigError):
                log.error("an update that broke the server", exc_info=error)

        task.add_done_callback(over)
        return task, begun


async def _begins(begun: asyncio.Event, task: Update) -> bool:
    """Wait until an update has begun, or is over without that; answers whether it runs."""
    waiting = asyncio.ensure_future(begun.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return not task.done()


def _the_file(fields: Fields) -> tuple[str, bytes]:
    """The one file to flash. Raises Refused."""
    files = list(fields.files.values())
    if any(name.lower().endswith(SOURCES) for name, _ in files):
        raise Refused(400, "Not a binary", "this cloud compiles nothing: send a .bin file")
    if len(files) != 1:
        raise Refused(400, "No file" if not files else "Several files", "an update takes one file, in the field `file`")
    return files[0]


def _chunk_size(options: dict[str, str]) -> int:
    text = options.get("chunk_size", "256")
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise Refused(400, "Bad chunk size", "chunks have 256 or 512 bytes")
    return int(text)

"""A Spark cloud through its control port: what tests and people ask of Cores that are online."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attr
from labgrid import target_factory
from labgrid.driver.common import Driver

from rig.drivers.control_client import ControlClient, JsonObject
from rig.formats.json_shape import NUMBER, Shape


class SparkCloudClient(ControlClient):
    """Speaks with a Spark cloud."""

    server = "the Spark cloud"
    served_by = "rig cloud spark"
    default_address = "127.0.0.1:5684"
    answer_shapes: ClassVar[Mapping[str, Shape]] = {
        "list": {"cores": [{"core": str, "since": NUMBER, "peer": str, "updated": bool, "updating": bool}]},
        "describe": {"f": [str], "v": {...: str}},
        "variable": {"value": object},
        "call": {"returned": int},
        "flash": {"ok": bool, "reason": str, "chunks": int, "seconds": NUMBER, "transfer_seconds": NUMBER},
        "swap-key": {"public_key": str},
    }
    event_shape: ClassVar[Shape] = {"event": str, "core": (str, None)}
    event_shapes: ClassVar[Mapping[str, Shape]] = {
        "update": {"chunk_size": int},
        "chunk": {"index": int, "of": int},
        "published": {"name": str, "data": (str, None)},
    }

    def flash(self, core: str, image: bytes, watch: Callable[[JsonObject], None], **how: Any) -> JsonObject:
        """Update a Core over the air, telling `watch` each event; returns what came of it."""
        answer: JsonObject = {}
        for answer in self.stream("flash", timeout=900, core=core, image=base64.b64encode(image).decode(), **how):
            if not answer.get("done"):
                watch(answer)
        return answer


@target_factory.reg_driver
@attr.s(eq=False)
class SparkCloudDriver(Driver):  # type: ignore[misc]
    """The rack's Spark cloud, through its control port."""

    bindings = {"service": {"NetworkService", None}}  # noqa: RUF012 (labgrid's convention; None: a place may lack it)
    #: File with the token of a control port on TCP.
    token_file: str | None = attr.ib(default=None, validator=attr.validators.optional(attr.validators.instance_of(str)))

    @Driver.check_active  # type: ignore[untyped-decorator]
    def client(self) -> SparkCloudClient:
        """Whom to ask."""
        return SparkCloudClient.of(self.service, self.token_file)

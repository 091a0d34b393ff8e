"""An HTTPS update server through its control port: what tests and people ask of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import attr
from labgrid import target_factory
from labgrid.driver.common import Driver

from rig.drivers.control_client import ControlClient, JsonObject
from rig.errors import Misuse
from rig.files import MOST_PEM, read_user_file
from rig.formats.json_shape import NUMBER, Shape

#: A request is 12 MiB long at most; base64 takes a third more.
MOST_SENT = 8 << 20
#: What answers tell of an identity, a file, a release and a fault.
IDENTITY: Shape = {"sha256": str, "subject": str, "issuer": str, "not_after": str}
FILE: Shape = {"path": str, "size": int, "sha256": str}
RELEASE: Shape = {"version": str, "image": FILE, "percentage": NUMBER, "groups": [str], "devices": [str]}
FAULT: Shape = {"kind": str, "at": (int, None), "times": int, "device": (str, None), "host": (str, None)}
#: What events tell of the request that they belong to.
REQUEST: Shape = {"request": int, "began_ns": int}


class HttpsCloudClient(ControlClient):
    """Speaks with an HTTPS update server."""

    server = "the update server"
    served_by = "rig cloud https"
    default_address = "127.0.0.1:8444"
    answer_shapes: ClassVar[Mapping[str, Shape]] = {
        "list": {"hosts": [{"host": str, "identity": IDENTITY}], "identities": {...: IDENTITY}, "files": [FILE]},
        **{do: {"identity": IDENTITY} for do in ("swap", "issue", "add-identity")},
        "tls": {"minimum": str, "maximum": str, "delay": NUMBER},
        "publish": {"file": FILE},
        "release": {"release": RELEASE, "unknown_groups": [str]},
        "withdraw-release": {"releases": [RELEASE]},
        "policy": {"products": {...: [RELEASE]}, "groups": {...: [str]}},
        **{do: {"faults": [FAULT]} for do in ("fault", "faults")},
        "log": {"log": [{"host": (str, None)}]},
    }
    event_shape: ClassVar[Shape] = {"event": str, "host": (str, None), "device": (str, None)}
    event_shapes: ClassVar[Mapping[str, Shape]] = {
        "handshake": {"peer": str, "began_ns": int, "outcome": str, "identity": (str, None), "alert": (str, None)},
        "disconnected": {"peer": str},
        "request": {"request": int, "peer": str},
        "progress": {**REQUEST, "sent": int, "of": int, "start": int},
        "check-in": {**REQUEST, "version": (str, None), "status": int},
        **dict.fromkeys(("fault", "finished", "aborted"), REQUEST),
    }

    def issue(self, host: str, name: str, recipe: Mapping[str, Any], client: str | None = None) -> JsonObject:
        """Make an identity by its recipe (rig.trust.recipe), to be swapped to by its name."""
        answer = self.ask("issue", host=host, name=name, recipe=dict(recipe), client=client)
        return dict(answer["identity"])

    def swap(self, host: str, identity: str, client: str | None = None) -> JsonObject:
        """Show an identity the server knows by name from the next handshake of this host on, or of this client."""
        return self.ask("swap", host=host, identity=identity, client=client)

    def set_clock(self, client: str, now: float | None) -> None:
        """Let a client that asks for the time believe that it is `now` (seconds since 1970); None: the truth."""
        self.ask("clock", client=client, now=now)

    def forget(self, client: str) -> None:
        """Show a client what everybody meets."""
        self.ask("forget", client=client)

    def swap_files(self, host: str, chain: Path, key: Path) -> JsonObject:
        """Show an identity from PEM files of this machine."""
        return self.ask("swap", host=host, **pem_of(chain, key))

    def release(self, product: str, version: str, image: bytes | Path, **whom: Any) -> JsonObject:
        """Make an image the newest of a product, for all or for `groups`, `devices`, a `percentage`.

        A path is of a file that the server can read.
        """
        return self.ask("release", product=product, version=version, **_given(image), **whom)

    def withdraw_release(self, **of: str | None) -> list[JsonObject]:
        """Take releases back: of a `product`, of a `version`, those to one `device` alone; returns them."""
        return list(self.ask("withdraw-release", **of)["releases"])

    def publish(self, file: bytes | Path, path: str | None = None) -> JsonObject:
        """Let everybody download a file; a path is of one that the server can read."""
        return self.ask("publish", path=path, **_given(file))

    def log(self, of: str, last: int = 1000, *, after: int = 0, device: str | None = None) -> list[JsonObject]:
        """The last `handshakes`, `requests` or `check-ins`, oldest first.

        Only those with a number above `after`, and, of requests and check-ins, of one `device`.
        """
        return list(self.ask("log", of=of, last=last, after=after, device=device)["log"])


def pem_of(chain: Path, key: Path) -> dict[str, str]:
    """An identity as requests carry it, from PEM files. Raises Misuse."""
    files = {"chain_pem": chain, "key_pem": key}
    return {name: read_user_file(file, MOST_PEM).decode("ascii", "replace") for name, file in files.items()}


def _given(content: bytes | Path) -> dict[str, str]:
    """What the server is to serve. Raises Misuse for more than a request holds."""
    if isinstance(content, Path):
        return {"file": str(content)}
    if len(content) > MOST_SENT:
        raise Misuse(f"an image of {len(content):,} bytes cannot be handed to the server", hint="name a file there")
    return {"content": base64.b64encode(content).decode()}


@target_factory.reg_driver
@attr.s(eq=False)
class HttpsCloudDriver(Driver):  # type: ignore[misc]
    """The rack's update server, through its control port."""

    bindings = {"service": {"NetworkService", None}}  # noqa: RUF012 (labgrid's convention; None: a place may lack it)
    #: File with the token of a control port on TCP.
    token_file: str | None = attr.ib(default=None, validator=attr.validators.optional(attr.validators.instance_of(str)))

    @Driver.check_active  # type: ignore[untyped-decorator]
    def client(self) -> HttpsCloudClient:
        """Whom to ask."""
        return HttpsCloudClient.of(self.service, self.token_file)

"""An HTTPS update server through its control port: what tests and people ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attr
from labgrid import target_factory
from labgrid.driver.common import Driver

from rig.drivers.spark_cloud import ANSWER_SECONDS, SparkCloudClient, Subscription
from rig.errors import LabFault
from rig.ports import read_address

Told = dict[str, Any]


class HttpsCloudClient(SparkCloudClient):
    """Speaks with the control port at `host`:`port`; each question has a connection of its own."""

    @classmethod
    def at(cls, address: str) -> HttpsCloudClient:
        """From `HOST:PORT`. Raises Misuse."""
        return cls(*read_address(address, "the control port", "127.0.0.1:8444, as `rig cloud https` tells it"))

    def swap(self, host: str, identity: str) -> Told:
        """Show an identity the server knows by name, from the next handshake of this host on."""
        return self.ask("swap", host=host, identity=identity)

    def swap_files(self, host: str, chain: Path, key: Path) -> Told:
        """Show an identity from PEM files that the server can read."""
        return self.ask("swap", host=host, chain=str(chain), key=str(key))

    def release(self, product: str, version: str, file: Path, **whom: Any) -> Told:
        """Make an image the newest of a product, for all or for `groups`, `devices`, a `percentage`."""
        return self.ask("release", product=product, version=version, file=str(file), **whom)

    def publish(self, file: Path, path: str | None = None) -> Told:
        """Let everybody download a file."""
        return self.ask("publish", file=str(file), path=path)

    def fault(self, kind: str, **how: Any) -> Told:
        """Let something go wrong."""
        return self.ask("fault", kind=kind, **how)

    def log(self, of: str, last: int = 1000) -> list[Told]:
        """The last `handshakes`, `requests` or `check-ins`, oldest first."""
        return list(self.ask("log", of=of, last=last)["log"])

    def events(
        self, *, host: str | None = None, device: str | None = None, patience: float | None = ANSWER_SECONDS
    ) -> Subscription:
        """What happens from now on; returns when nothing can be missed any more. Close it to end that."""
        subscription = self.subscription("events", patience=patience, host=host, device=device)
        first: Iterator[Told] = iter(subscription)
        if not next(first, {}).get("subscribed"):
            subscription.close()
            raise self._fault("hung up")
        return subscription

    def _fault(self, message: str) -> LabFault:
        host, port = self._address
        return LabFault(f"the update server at {host}:{port} {message}", hint="is `rig cloud https` running?")


@target_factory.reg_driver
@attr.s(eq=False)
class HttpsCloudDriver(Driver):  # type: ignore[misc]
    """The rack's update server, through its control port."""

    bindings = {"service": "NetworkService"}  # noqa: RUF012 (labgrid's convention)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def client(self) -> HttpsCloudClient:
        """Whom to ask."""
        return HttpsCloudClient(self.service.address, int(self.service.port))

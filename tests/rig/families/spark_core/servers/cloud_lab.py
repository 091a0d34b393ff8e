"""A Spark cloud and Cores of the twin's make on real TCP, in this process: what a test sees both ends of."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.errors import RigError
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.lab.factory import FactoryContents, ship_core
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.control import CloudControl
from rig.families.spark_core.servers.core_keys import CoreKeys
from rig.families.spark_core.trust.core_key import make_core_key
from rig.families.spark_core.trust.server_key import make_server_key, public_der
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.process import CoreProcess
from rig.servers.allowed_files import AllowedFiles
from rig.twin.network import Routes
from tests.rig.control.control_ports import door_in
from tests.rig.families.spark_core.twin.models import CATALOGUE, MANIFEST
from tests.rig.loop_thread import LoopThread

CORE_ID = "48ff6c065067555026310001"
SERVER_KEY = make_server_key()


class SparkLab(LoopThread):
    """One cloud; Cores join by `core(...)`."""

    def __init__(self, folder: Path):
        self.folder = folder
        super().__init__()
        self.cores: list[CoreProcess] = []
        self.cloud = SparkCloud(SERVER_KEY, CoreKeys(folder / "keys"))
        self.control = CloudControl(self.cloud, AllowedFiles([folder]))
        self.port = self.run(self.cloud.start("127.0.0.1", 0))
        self.client = SparkCloudClient.at(self.run(self.control.start(door_in(folder)))["address"])

    def core(self, version: str | None = None, *, core_id: str = CORE_ID, **kind: Any) -> CoreProcess:
        """A Core as it left the factory, powered, and known to the cloud."""
        state = self.folder / core_id
        key = make_core_key()
        sector = ServerRecord(public_der(SERVER_KEY), None).pack()
        ship_core(state, MANIFEST, kind.get("generation", "b"), FactoryContents(key.private_der, sector, ("lab",)))
        self.cloud.core_keys.add(core_id, key.public_pem.encode())
        kind = {"time_scale": 0, "identify": CATALOGUE.identify, **kind}
        core = CoreProcess(
            state=state,
            uid=bytes.fromhex(core_id),
            seed=1,
            routes=Routes.parse([f"127.0.0.1:{self.port}"]),
            dialect=Dialect.of(version) if version else None,
            **kind,
        )
        ports = {"usbip_port": 0, "console_port": 0, "control": door_in(state)}
        core.ready = self.run(core.start(host="127.0.0.1", powered=True, **ports))
        self.cores.append(core)
        return core

    def online(self, core_id: str = CORE_ID, seconds: float = 15) -> dict[str, Any]:
        """Wait until a Core is online, and has seen that it is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for entry in self.client.ask("list")["cores"]:
                with contextlib.suppress(RigError):  # a Core that lost power is on the list until somebody asks it
                    if entry["core"] == core_id and self.client.ask("ping", core=core_id):
                        return entry
            time.sleep(0.02)
        raise AssertionError(f"{core_id} is not online after {seconds} s")

    def control_of(self, core: CoreProcess, name: str, **request: Any) -> Any:
        return self.call(core.control_port._handlers[name], request)

    def close(self) -> None:
        for core in self.cores:
            self.call(core.close)
        self.run(self.control.close())
        self.call(self.cloud.close)
        super().close()


@contextmanager
def spark_lab(folder: Path) -> Iterator[SparkLab]:
    lab = SparkLab(folder)
    try:
        yield lab
    finally:
        lab.close()

"""The Spark cloud of a virtual rack, and what Cores are shipped with for it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.trust.core_key import CoreKey, make_core_key
from rig.family.rack_slot import HOST, Site


class RackCloud:
    """`rig cloud spark`, on a port of its own: another rack may start in the same moment."""

    name = "cloud"
    listens = ("listen",)
    program = "rig.families.spark_core.lab.cloud"

    def command(self, site: Site) -> list[str]:
        """Its key is among what the rack keeps; the Cores it knows are those of this rack."""
        core_keys(site).mkdir(exist_ok=True)
        keys = ("--server-key", str(site.state / "spark-server.pem"), "--core-keys", str(core_keys(site)))
        return ["rig", "cloud", "spark", "--listen", f"{HOST}:0", *keys, "--json"]


CLOUD = RackCloud()


def core_keys(site: Site) -> Path:
    """Public keys of the Cores that the cloud knows."""
    return site.folder / "core_keys"


def server_record(site: Site) -> bytes:
    """The sector with the cloud's key that Cores are shipped with."""
    return ServerRecord(bytes.fromhex(site.servers[CLOUD.name]["public_key"]), None).pack()


@cache
def shipped_key() -> CoreKey:
    """The key that new Cores of this process are shipped with: making one takes a second."""
    return make_core_key()

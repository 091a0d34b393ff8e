"""The HTTPS update server of a virtual rack, for boards of any family: the names it answers to, and its command."""

from __future__ import annotations

from rig.family.rack_slot import HOST, Site

#: Names that it answers to, each with an identity of its own, and under which authority that is.
UPDATE_HOSTS = {
    "updates.rig.test": "rig-intermediate",
    "ota.rig.test": "lets-encrypt-r10",
    "ota9.rig.test": "dtf-root-x1",
    "ota2.deploythefleet.com": "lets-encrypt-r10",
    "ota4.deploythefleet.com": "dtf-root-x1",
}


class UpdateServer:
    """`rig cloud https`: it tells `listen`, `time` and `trust`, a folder of the certificates that firmware may pin."""

    name = "updates"
    listens = ("listen", "time")
    program = "rig.servers.https.process"

    def command(self, site: Site) -> list[str]:
        """Its names, with its identities among what the rack keeps."""
        ports = ("--listen", f"{HOST}:0", "--time", f"{HOST}:0")
        names = [f"--host={name}={authority}" for name, authority in UPDATE_HOSTS.items()]
        return ["rig", "cloud", "https", *ports, *names, "--state", str(site.state / "updates"), "--json"]


UPDATES = UpdateServer()

"""Where scenarios of keys are played in memory: a Core on the model, and its cloud without a socket.

It is as rig.campaign.swap asks for, and does what the setup on a rack does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from rig.boards.server_log import ServerLog
from rig.drivers.dfu_host import DfuHost
from rig.errors import LabFault
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.sweep.cloud_in_memory import ADDRESS, CloudIdentity, CloudInMemory, keys_in_flash
from rig.families.spark_core.sweep.start import ColdStart, into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.families.spark_core.trust.key_scenario import CloudKeys, KeyScenario
from rig.families.spark_core.trust.server_key import public_der
from rig.families.spark_core.twin.boot_once import settle
from rig.families.spark_core.twin.flash_contents import RUNNING, shipped
from rig.families.spark_core.twin.radio import Eeprom, Radio, factory_mac
from rig.firmware.manifest import Image

#: What is told of the one server that a Core has.
HOST = "cloud"
#: So many failed handshakes in a row, and a Core counts as locked out: it tries with the same keys for ever (§7.3).
LOCKED_OUT = 3
#: Numbers of ready keys: of another Core, and of somebody in the middle; a new key of the server's comes behind it.
ANOTHER_CORE, IN_THE_MIDDLE = 1, 1


class CoreSetupInMemory:
    """A Core with the old application in flash that knows its cloud; images are by role."""

    def __init__(self, generation: str, images: Mapping[str, Image]):
        self._images, self._runs = images, images["old"]
        #: What is on its way when something happens meanwhile: the longest there is.
        self._long = images.get("full", images["new"])
        self._core = ColdStart.of(generation, images).core(shipped(images, RUNNING, keys_in_flash()))
        self._core.radio = Radio(Eeprom(profiles=["sweep"], mac=factory_mac(self._core.uid)))
        self._identity, self._newest = CloudIdentity.of(), IN_THE_MIDDLE
        self._cloud = CloudInMemory(b"", fast=False)

    # -- what the cloud is -------------------------------------------------------------------------------------------

    def show(self, scenario: KeyScenario, *, after: bool) -> dict[str, str]:
        """Be this server to the Core from the next handshake on."""
        self._identity = self._cloud.identity = self._identity_of(scenario.after if after else scenario.before)
        return {HOST: hashlib.sha256(public_der(self._identity.server)).hexdigest()}

    def _identity_of(self, keys: CloudKeys) -> CloudIdentity:
        self._newest += keys.server == "new"
        return CloudIdentity.of(
            server=self._newest if keys.server == "new" else 0,
            core=ANOTHER_CORE if keys.core == "another-s" else 0,
            signer=IN_THE_MIDDLE if keys.signs == "another" else None,
        )

    # -- what the Core does ------------------------------------------------------------------------------------------

    def look(self) -> ServerLog:
        """Start the Core, which goes online then; returns what its cloud saw until it was, or was locked out."""
        self._go_online(b"")
        failures = dict.fromkeys(self._cloud.failures)
        shook = [{"host": HOST, "identity": None, "outcome": outcome} for outcome in failures]
        return ServerLog(handshakes=shook, requests=[{"host": HOST}] * self._cloud.hellos)

    def fetch(self, meanwhile: Callable[[], None]) -> bool:
        """Update over the air, and do `meanwhile` when half of it has come. Whether it is what the Core runs then."""
        self._fetch_half()
        meanwhile()
        self._cloud.run(self._core, self._is_over)
        if not self._holds(self._long):
            return False
        self._runs = self._long
        return True

    def cut_fetch(self) -> None:
        """Update over the air, and take the supply away when half of it has come."""
        self._fetch_half()
        self.power_off()

    def power_off(self) -> None:
        """Take the supply away."""
        self._core.power_off(self._core.time)

    def update(self) -> bool:
        """Update over the air to an image that does not run yet. Whether the Core that greets then holds it."""
        other = self._images["new" if self._runs is not self._images["new"] else "old"]
        self._go_online(other.data)
        return self._cloud.greeted and self._holds(other)

    def rescue_by_cable(self) -> None:
        """Write the key of the server as it is now over DFU; its address stays."""
        self.power_off()
        device = UsbInMemory(into_dfu(self._core))
        record = ServerRecord(public_der(self._identity.server), ADDRESS)
        with DfuHost(device, sleep=device.sleep) as host:
            host.write(layout.SERVER_KEY_ADDRESS, record.pack())

    def runs(self) -> bool:
        """Whether the firmware that ran before runs still: it is started, and flash holds nothing else."""
        self.power_off()
        self._core.power_on(self._core.time)
        return settle(self._core) == "app" and self._core.running == self._runs.name and self._holds(self._runs)

    # -- how ---------------------------------------------------------------------------------------------------------

    def _holds(self, image: Image) -> bool:
        return self._core.memory.app()[: len(image)] == image.data

    def _go_online(self, image: bytes) -> None:
        """Start the Core anew, and offer it an image, until it has greeted with all of it, or is locked out."""
        self._start(image)
        self._cloud.run(self._core, self._is_over)

    def _start(self, image: bytes) -> None:
        self.power_off()
        self._cloud = CloudInMemory(image, fast=False)
        self._cloud.identity = self._identity
        self._core.radio.on_order = self._cloud.order
        self._core.power_on(self._core.time)

    def _fetch_half(self) -> None:
        """Raises LabFault where a download does not come so far."""
        self._start(self._long.data)
        cloud = self._cloud
        cloud.run(self._core, lambda: cloud.half_sent or self._is_over())
        if not cloud.half_sent:
            raise LabFault(f"{self._runs.name} did not come half-way through a download in memory")

    def _is_over(self) -> bool:
        return self._cloud.greeted or len(self._cloud.failures) >= LOCKED_OUT

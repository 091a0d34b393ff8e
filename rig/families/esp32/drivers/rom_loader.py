"""labgrid's driver of an ESP32's serial loader: where a place's port is."""

from __future__ import annotations

import attr
from labgrid import target_factory
from labgrid.driver.common import Driver
from labgrid.util.proxy import proxymanager

from rig.families.esp32.drivers.loader import SerialAddress


@target_factory.reg_driver
@attr.s(eq=False)
class RomLoaderDriver(Driver):  # type: ignore[misc]
    """The loader behind a serial port."""

    bindings = {"port": "NetworkSerialPort"}  # noqa: RUF012 (labgrid's convention)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def address(self) -> SerialAddress:
        """Where it is."""
        host, port = proxymanager.get_host_and_port(self.port)
        return SerialAddress(host, int(port), self.port.protocol)

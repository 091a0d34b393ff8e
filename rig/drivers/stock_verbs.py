"""What labgrid's stock verbs `dfu`, `write-image` and `fastboot` find on a place.

Each works on a resource of its own class. On a place that exports none, labgrid-client 26.0 ends in a traceback. So
every place exports one for each verb, which udev fills on the exporter's host as soon as the board hangs there, on a
cable or by `usbip attach`: then the verb works. Until then it says in one line that the resource is not available.
"""

from __future__ import annotations

import shutil
from typing import Any

from rig.errors import Misuse

#: Resources by the verbs that use them: name and class.
RESOURCES = {
    "dfu": ("dfu", "DFUDevice"),
    "write-image": ("storage", "USBMassStorage"),
    "fastboot": ("fastboot", "AndroidUSBFastboot"),
}
#: What `labgrid-client console` starts.
CONSOLE_TOOL = "microcom"


def stock_resources(serial: str) -> dict[str, Any]:
    """Resources for the stock verbs, by name: the board's own USB devices, by its serial number, and nobody else's.

    None where the exporter's host has no udev: it could not start with them. Raises Misuse without a serial number:
    what matches no board in particular matches whatever disk hangs on that host, and `write-image` overwrites it.
    """
    if not serial.strip():
        raise Misuse("a board without a serial number has no USB device of its own", hint="leave these resources out")
    if not has_udev():
        return {}
    return {name: {"cls": cls, "match": {"ID_SERIAL_SHORT": serial}} for name, cls in RESOURCES.values()}


def has_udev() -> bool:
    """Whether labgrid's exporter can look for USB devices here."""
    import pyudev

    try:
        pyudev.Context()
    except ImportError:
        return False
    return True


def console_needs() -> str:
    """What `labgrid-client console` needs, and whether that is here."""
    missing = "" if shutil.which(CONSOLE_TOOL) else f"; not installed here: apt install {CONSOLE_TOOL}"
    return f"needs {CONSOLE_TOOL}{missing}"

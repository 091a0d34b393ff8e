"""The place of a Spark Core in a lab's example: RAW on a relay, MODE and RST on two channels more, USB over USB/IP."""

from __future__ import annotations

from rig.drivers.stock_verbs import RESOURCES
from rig.families.spark_core.lab.tags import TAGS
from rig.family.place import (
    EVERY_PLACE,
    DriverLine,
    Offer,
    PlaceDescription,
    Values,
    address_setting,
    relay_drivers,
    relay_offers,
    service_offer,
    text_setting,
)

BUTTONS = {
    "mode": "The MODE button, by a wire soldered to it; without one leave this out, and the tag mode=wired.",
    "reset": "RST, JP2-2.",
}
STOCK = {
    "dfu": "For labgrid-client dfu, where the board hangs on this machine's own USB.",
    "write-image": "No Core has a disk or fastboot: with these two the verbs refuse in one line.",
    "fastboot": "See above.",
}


def _offers(values: Values, channel: int) -> list[Offer]:
    own = {"ID_SERIAL_SHORT": values["core-serial"]}
    stock = [Offer(name, STOCK[verb], {"cls": cls, "match": own}) for verb, (name, cls) in RESOURCES.items()]
    usb = service_offer("usbip", "usbipd beside the board, to which the board's USB is bound.", values["usbip"])
    return [*relay_offers(values, channel, BUTTONS), usb, *stock]


def _tags(values: Values) -> dict[str, str]:
    return {
        "board": "spark-core",
        "generation": "b",
        "revision": "white",
        "mode": "wired",
        "reset": "wired",
        "feeds": "all",
        "relay_ms": "10",
        "wifi": "none",
        "timing": "real",
        "busid": values["busid"],
        "tier": values["tier"],
        "health": "ok",
    }


CORE_PLACE = PlaceDescription(
    kind="spark-core",
    place="core-01",
    rules=TAGS,
    settings={
        **EVERY_PLACE,
        "usbip": address_setting("192.0.2.20:3240", "the USB/IP server beside the Core"),
        "busid": text_setting("1-1", "bus id of a USB/IP server", r"[0-9]+-[0-9]+(\.[0-9]+)*"),
        "core-serial": text_setting("8D80306E5055", "serial number that a Core tells over USB", "[0-9A-F]{12}"),
    },
    offers=_offers,
    tags=_tags,
    drivers=(
        *relay_drivers({"mode": "MODE", "reset": "RST"}),
        DriverLine(
            "UsbipPortDriver",
            "usb",
            {"service": "usbip"},
            "Its USB. On the rig's own machine instead: LibusbPortDriver: {name: usb, serial: 8D80306E5055}",
            "rig.families.spark_core.drivers.usb_port",
        ),
        DriverLine(
            "RecordedConsoleDriver",
            "console",
            {"port": "console"},
            "Its console, where the place exports one.",
            "rig.drivers.console",
        ),
        DriverLine(
            "SparkCloudDriver",
            "cloud",
            {"service": "cloud"},
            "The control port of `rig cloud spark`, where the place exports one.",
            "rig.families.spark_core.drivers.cloud",
        ),
    ),
)

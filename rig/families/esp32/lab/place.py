"""The place of an ESP32 in a lab's example: its supply, GPIO0 and EN on a relay board, its serial port on TCP."""

from __future__ import annotations

from rig.drivers.stock_verbs import RESOURCES
from rig.families.esp32.lab.tags import TAGS
from rig.family.place import (
    EVERY_PLACE,
    DriverLine,
    Offer,
    PlaceDescription,
    Values,
    address_setting,
    relay_drivers,
    relay_offers,
    text_setting,
)
from rig.ports import read_address

BUTTONS = {
    "boot": "GPIO0 to ground; without it leave this out, and the tag boot=wired.",
    "reset": "EN to ground.",
}
STOCK = "No ESP32 has DFU, a disk or fastboot behind its bridge: with these three the verbs refuse in one line."


def _offers(values: Values, channel: int) -> list[Offer]:
    host, port = read_address(values["serial"], "serial", "192.0.2.20:4000")
    line = {"cls": "NetworkSerialPort", "host": host, "port": port, "protocol": "rfc2217"}
    own = {"ID_SERIAL_SHORT": values["mac"]}
    texts = [STOCK, *["See above."] * (len(RESOURCES) - 1)]
    stock = [
        Offer(name, text, {"cls": cls, "match": own})
        for text, (name, cls) in zip(texts, RESOURCES.values(), strict=True)
    ]
    what = "ser2net beside the board. labgrid starts it itself for cls: USBSerialPort, match: {ID_PATH: ...}"
    return [*relay_offers(values, channel, BUTTONS), Offer("serial", what, line), *stock]


def _tags(values: Values) -> dict[str, str]:
    return {
        "board": "esp32",
        "revision": "v3.0",
        "mac": values["mac"],
        "boot": "wired",
        "reset": "wired",
        "bridge": "always",
        "feeds": "all",
        "relay_ms": "10",
        "wifi": "none",
        "timing": "real",
        "tier": values["tier"],
        "health": "ok",
    }


ESP32_PLACE = PlaceDescription(
    kind="esp32",
    place="esp32-01",
    rules=TAGS,
    settings={
        **EVERY_PLACE,
        "serial": address_setting("192.0.2.20:4000", "the ESP32's serial port on TCP, RFC 2217"),
        "mac": text_setting("240ac4000001", "base address of an ESP32, as `rig serial info` tells it", "[0-9a-f]{12}"),
    },
    offers=_offers,
    tags=_tags,
    drivers=(
        *relay_drivers({"boot": "GPIO0", "reset": "EN"}),
        DriverLine(
            "RecordedConsoleDriver",
            "console",
            {"port": "serial"},
            "What it says.",
            "rig.drivers.console",
        ),
        DriverLine(
            "RomLoaderDriver",
            "loader",
            {"port": "serial"},
            "Its flash, over the same port.",
            "rig.families.esp32.drivers.rom_loader",
        ),
        DriverLine(
            "HttpsCloudDriver",
            "updates",
            {"service": "updates"},
            "The control port of `rig cloud https`, where the place exports one.",
            "rig.drivers.https_cloud",
        ),
    ),
)

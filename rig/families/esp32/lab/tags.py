"""What the tags of an ESP32's place may say, beside those of every place."""

from __future__ import annotations

import ipaddress
import re

from rig.family.tags import WIRED, Choice, Tag, TagRule


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


TAGS: tuple[TagRule, ...] = (
    Tag(
        *("mac", re.compile(r"([0-9A-Fa-f]{2}:?){5}[0-9A-Fa-f]{2}").fullmatch, "240ac4000001"),
        source="`rig serial info`",
        always=True,
    ),
    Tag("address", _is_ip, "192.168.7.21", source="the network's DHCP"),
    Tag("revision", re.compile(r"v[0-9]+\.[0-9]+").fullmatch, "v3.0", source="`rig serial info`"),
    Choice("boot", WIRED),
    Choice("bridge", ("always", "board"), rare=("board",)),
)

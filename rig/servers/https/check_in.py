"""Who a device says it is when it asks for an update: Arduino's headers and Deploy the Fleet's, of either version.

The request is the check-in; there is no other (arduino-esp32's HTTPUpdate.cpp, dtf_ota.c).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rig.errors import Misuse

Protocol = Literal["v1", "v2", "sdk"]
#: What Arduino's HTTPUpdate tells besides, by the name it has in a log.
DETAILS = {
    "x-esp32-ap-mac": "ap_mac",
    "x-esp32-free-space": "free_space",
    "x-esp32-sketch-size": "sketch_size",
    "x-esp32-sketch-md5": "sketch_md5",
    "x-esp32-sketch-sha256": "sketch_sha256",
    "x-esp32-chip-size": "chip_size",
    "x-esp32-sdk-version": "sdk_version",
}
#: Product paths of 2020 had this before them.
OLD_PREFIX = "api/ota/"
_MAC = re.compile("[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class CheckIn:
    """What a device tells: `device` its base MAC, 12 hex digits; `bundle` which certificates it trusts (cb)."""

    protocol: Protocol
    device: str | None
    product: str
    version: str | None
    mode: str | None = None
    bundle: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


def read_check_in(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> CheckIn | None:
    """From a request's path, query and headers (names in lower case); None for a request that is no check-in."""
    if "x-dtf-did" in headers or "x-dtf-p" in headers:
        device = _device(headers.get("x-dtf-did"))
        return CheckIn("v2", device, headers.get("x-dtf-p", ""), headers.get("x-dtf-v"))
    is_arduino = any(name.startswith("x-esp32-") for name in headers)
    if not is_arduino and "did" not in query:
        return None
    return CheckIn(
        protocol="v1" if is_arduino else "sdk",
        device=_device(query.get("did") or headers.get("x-esp32-sta-mac")),
        product=path.strip("/").removeprefix(OLD_PREFIX),
        version=query.get("v") or headers.get("x-esp32-version"),
        mode=headers.get("x-esp32-mode"),
        bundle=query.get("cb"),
        details={detail: headers[name] for name, detail in DETAILS.items() if name in headers},
    )


def device_id(text: str) -> str:
    """A base MAC as 12 hex digits in lower case. Raises Misuse."""
    found = _device(text)
    if found is None or not _MAC.fullmatch(found):
        raise Misuse(f"{text!r} is no device: 12 hex digits are, a MAC address")
    return found


def device_in(path: str) -> str | None:
    """The base MAC that a path begins with: firmware that asks for files of its own. None for every other path."""
    first = path.lstrip("/").partition("/")[0].lower()
    return first if _MAC.fullmatch(first) else None


def _device(text: str | None) -> str | None:
    """Without separators and in lower case, where it is a MAC address; else as the device told it."""
    if not text:
        return None
    plain = text.replace(":", "").replace("-", "").lower()
    return plain if _MAC.fullmatch(plain) else text

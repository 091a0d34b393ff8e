"""Certificates that firmware has compiled in, found by their names: whom a connection trusts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.families.esp32.firmware.behaviour import DEFAULT_TLS, TlsBuild
from rig.families.esp32.twin.app.connection import Security
from rig.families.esp32.twin.steps import Board
from rig.firmware.server_trust import BUNDLE
from rig.formats.certificate_chain import Trust, read_pem

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: Seconds since 1970 by the device's own clock; without network time it starts at 0.
Clock = Callable[[], float]


def trusting(
    board: Board,
    pins: Sequence[str],
    *,
    skip_name: bool = False,
    dates: Clock | None = None,
    build: TlsBuild = DEFAULT_TLS,
) -> Security | None:
    """Whom `pins` trust; None without any. With `dates` validity is checked, by that clock.

    The bundle takes all others into itself. A pin that is nowhere, or is no PEM, trusts nobody.
    """
    if not pins:
        return None
    certificates: list[Certificate] = []
    for name in pins:
        pem = board.trust(name)
        try:
            certificates += read_pem(pem or "", f"certificate {name}")
        except Misuse as error:
            board.event(f"no-such-pin:{name}")
            board.say(f"E app: {error}")
    known = tuple(certificates)

    def trust(host: str) -> Trust:
        at = None if dates is None else datetime.fromtimestamp(dates(), UTC)
        name = None if skip_name else host
        if BUNDLE in pins:
            return Trust(bundle=known, name=name, at=at, build=build.mbedtls)
        return Trust(known, name=name, at=at, build=build.mbedtls)

    return Security(trust, build)

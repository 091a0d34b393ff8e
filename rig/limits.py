"""What servers allow their peers: how many, how much and how long; each figure with its reason.

They are for real use with room to spare: a rack of 200 boards, 50 workers, images of 16 MB. Nothing that a server keeps
for peers or because of them grows beyond them.
"""

from __future__ import annotations

import os
from collections.abc import Sized
from dataclasses import dataclass, replace

from rig.errors import Misuse

KIB, MIB = 1 << 10, 1 << 20
#: Where other figures are named, for every server of a process: `idle=5,connections=16`.
VARIABLE = "RIG_LIMITS"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server allows.

    `connections` is how many at once: one more is refused. `message` is the most bytes of a request or a frame, and
    `in_all` of those that are not whole yet, over all connections, and of long answers. `unread` is how many bytes may
    wait for a peer that does not read. `idle` is how many seconds a peer may take for its first valid word: whoever
    has said one may be silent for hours, and TCP asks whether it is still there.
    """

    connections: int
    message: int
    in_all: int
    unread: int
    idle: float


#: A relay holds a connection for each board; the others are people and their scripts. An answer
#: is 100 KiB at most: whoever leaves two unread is listened to no more.
TWIN_CONTROL = Limits(64, 64 * KIB, 4 * MIB, 256 * KIB, 60.0)
#: 50 workers with a few questions and subscriptions each. An image of 16 MiB is 21.4 MiB of base64; two may
#: be under way: more come from files.
CLOUD_CONTROL = Limits(512, 24 * MIB, 48 * MIB, 64 * KIB, 60.0)
#: One importer at a time, who may be silent for as long as the board runs; the others ask for the list and leave. A
#: kernel has 17 transfers of up to 4 KiB under way; a whole one of 64 KiB must fit.
USBIP = Limits(32, 64 * KIB, 2 * MIB, 256 * KIB, 10.0)
#: A recorder, a flashing tool, somebody who looks on. ser2net allows one. Who only listens says nothing, all night.
SERIAL = Limits(16, 1 * KIB, 16 * KIB, 1 * MIB, 60.0)
#: A contact for each line of 200 boards, and one more for each cut. A frame has 260 bytes.
MODBUS = Limits(1024, 260, 272 * KIB, 16 * KIB, 60.0)
#: A call is a connection of its own and 200 bytes; a Shelly takes few at once.
SHELLY = Limits(128, 16 * KIB, 2 * MIB, 64 * KIB, 30.0)
#: 200 boards that download, retry and vanish, and people; a handshake is 64 KiB at most, a request's head less.
HTTPS = Limits(1024, 64 * KIB, 64 * MIB, 64 * KIB, 60.0)

#: Of what is told to a server and kept until it is told otherwise (faults, groups, releases, identities): nobody's test
#: needs more.
MOST_ENTRIES = 4096


def effective_limits(limits: Limits) -> Limits:
    """Limits as the environment has them: smaller for tests, larger for a larger rack. Raises Misuse."""
    text = os.environ.get(VARIABLE, "")
    changes: dict[str, float] = {}
    for word in filter(None, text.split(",")):
        name, _, value = word.partition("=")
        try:
            changes[name] = float(value) if name == "idle" else int(value)
        except ValueError:
            changes[name] = 0
        if name not in Limits.__slots__ or not 0 < changes[name] < 1e9:
            raise Misuse(f"{VARIABLE}: {word!r} is no limit", hint=f"for example idle=5,connections=16, not {text!r}")
    return replace(limits, **changes)  # type: ignore[arg-type]


def refuse_more(kept: Sized, what: str, most: int = MOST_ENTRIES) -> None:
    """Raises Misuse where there are as many of something as may be."""
    if len(kept) >= most:
        raise Misuse(f"there are {len(kept):,} {what} already", hint="take some back first")

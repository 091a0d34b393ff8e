"""Faults that an update server has when it is told to: what servers and proxies of the field did to boards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from rig.errors import Misuse
from rig.servers.fault_list import FaultList
from rig.servers.https.check_in import device_id

AnswerFault = Literal["status", "redirect", "empty", "unauthorized"]
HeadFault = Literal["head", "head-without-length", "head-chunked"]
BodyFault = Literal[
    "stall", "close", "fin", "reset", "slow", "wrong-length", "no-length", "no-length-fin", "truncated", "random",
    "chunked", "no-range", "wrong-md5", "md5-in-capitals",
]  # fmt: skip
#: These happen where a body has come to `at` bytes.
CUTS = ("stall", "close", "fin", "reset")
ANSWER_FAULTS: tuple[str, ...] = get_args(AnswerFault)
#: These wait for a HEAD.
HEAD_FAULTS: tuple[str, ...] = get_args(HeadFault)
BODY_FAULTS: tuple[str, ...] = get_args(BodyFault)
REFUSALS = (400, 401, 403, 404, 405, 410, 416, 429, 500, 501, 502, 503, 504)
STATUSES = (204, 304, *REFUSALS)
REDIRECTS = (301, 302, 303, 307, 308)
#: What `at` is where it is not told, and what it may be.
_AT: dict[str, tuple[int, range | tuple[int, ...]]] = {
    "status": (404, STATUSES),
    "redirect": (302, REDIRECTS),
    "head": (405, (204, *REFUSALS)),
    "slow": (1024, range(1, 1 << 30)),
    **dict.fromkeys(
        (
            "empty", "unauthorized", "head-without-length", "head-chunked", "no-length", "no-length-fin", "chunked",
            "no-range", "wrong-md5", "md5-in-capitals",
        ), (0, (0,))
    ),
}  # fmt: skip
#: What `to` is of these, and what else is said of it.
_TO = {"redirect": "a place to redirect to", "unauthorized": "a challenge"}
_ANY_COUNT = range(1 << 40)
_FORM = re.compile(r"(?:([^/:@*]+)/)?([a-z0-9-]+)(?:@(\d+))?(?:\*(\d+))?(?::(.*))?", re.S)


@dataclass(slots=True)
class Fault:
    """What is to go wrong, `times` times (0: until it is cleared), with one device, at one host, or with any.

    `at` is the status of status, head and redirect, bytes per second of slow, the Content-Length of wrong-length, and
    else the bytes of the body before it happens. `lasts` is the seconds of a stall (0: until the client leaves); `to`
    is where redirect points, or the challenge of unauthorized, if any. Faults of a body wait for an answer that has
    one, those of HEAD for a HEAD.
    """

    kind: str
    at: int | None = None
    device: str | None = None
    host: str | None = None
    times: int = 1
    lasts: float = 0.0
    to: str | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """From `[DEVICE/]KIND[@N][*TIMES][:VALUE]`, such as `stall@4096:30` or `redirect@302:/there`. Raises Misuse."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise Misuse(f"fault {text!r} is not [DEVICE/]KIND[@N][*TIMES][:VALUE]")
        device, kind, at, times, value = found.groups()
        fault = cls(kind, int(at) if at else None, device, times=int(times) if times else 1)
        if kind in _TO:
            fault.to = value
        elif value:
            try:
                fault.lasts = float(value)
            except ValueError:
                raise Misuse(f"fault {text!r}: {value!r} is no number of seconds") from None
        fault.check()
        return fault

    def check(self) -> None:
        """Complete it. Raises Misuse for a fault that cannot be."""
        every = (*ANSWER_FAULTS, *HEAD_FAULTS, *BODY_FAULTS)
        if self.kind not in every:
            known = ", ".join(every)
            raise Misuse(f"no fault is called {self.kind!r}", hint=f"one of {known}")
        standard, possible = _AT.get(self.kind, (0, _ANY_COUNT))
        if self.at is None:
            self.at = standard
        if self.at not in possible:
            raise Misuse(f"fault {self.kind} cannot be at {self.at}", hint=_spoken(possible))
        if self.kind == "redirect" and (not self.to or not self.to.isprintable()):
            raise Misuse("fault redirect needs a place to redirect to", hint="redirect@302:https://host/path")
        if self.to is not None and self.kind not in _TO:
            raise Misuse(f"fault {self.kind} leads nowhere: `to` is for {' and '.join(_TO)}")
        if self.to is not None and not self.to.isprintable():
            raise Misuse(f"fault {self.kind} needs {_TO[self.kind]} in one printable line")
        if self.kind != "stall" and self.lasts:
            raise Misuse(f"fault {self.kind} does not last: seconds are for stall")
        if self.times < 0 or not 0 <= self.lasts <= 3600:
            raise Misuse(f"fault {self.kind}: times or seconds of stalling make no sense")
        if self.device is not None:
            self.device = device_id(self.device)
        self.host = self.host.lower() if self.host is not None else None


def _spoken(possible: range | tuple[int, ...]) -> str:
    """Numbers, as a hint."""
    if isinstance(possible, range):
        return f"from {possible[0]} to {possible[-1]}"
    return "it takes no number" if possible == (0,) else f"one of {', '.join(map(str, possible))}"


class Faults(FaultList[Fault]):
    """Those that are still to happen."""

    def clear(self, device: str | None = None) -> None:
        """Let nothing more go wrong, with one device or with any."""
        device = device_id(device) if device is not None else None
        self._drop(lambda fault: device is None or fault.device == device)

    def take(self, kinds: Iterable[str], host: str | None, device: str | None, size: int = 0) -> dict[str, Fault]:
        """The faults of these kinds that are to happen now, one of each, counted down.

        `size` is the body's: a cut that lies behind it waits for a longer one.
        """
        taken: dict[str, Fault] = {}
        for fault in list(self._waiting):
            meant = fault.device in (None, device) and fault.host in (None, host)
            is_behind = fault.kind in CUTS and (fault.at or 0) > size
            if not meant or fault.kind not in kinds or fault.kind in taken or is_behind:
                continue
            taken[fault.kind] = self._count(fault)
        return taken

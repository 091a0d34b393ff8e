"""What a user's firmware offers its cloud: functions, variables, events; and the code that is on every board here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rig.families.spark_core.formats.messages import INTEGER, STRING, Published, Subscription
from rig.families.spark_core.twin.app.dialect import Dialect

Publish = Callable[[Published], bool]
#: Gets its argument and a way to publish; returns what the caller gets.
Function = Callable[[str, Publish], int]
Value = bool | int | float | str
#: Network.ping: five tries of half a second each, waited for twice as long when nobody answers (§8).
PING_TRIES, PING_SECONDS = 5, 0.5


class PingWanted(Exception):
    """User code called Network.ping(): it waits, busily, for echoes from `host`."""

    def __init__(self, host: str):
        super().__init__(host)
        self.host = host


class FactoryResetWanted(Exception):
    """User code called System.factoryReset(): it does not return."""


@dataclass(frozen=True, slots=True)
class UserCode:
    """An application as its cloud sees it; variables are (type, value) by name.

    It subscribes once, when it begins, and publishes `after_hello` on each connection.
    """

    functions: Mapping[str, Function] = field(default_factory=dict)
    variables: Mapping[str, tuple[int, Value]] = field(default_factory=dict)
    subscriptions: Sequence[Subscription] = ()
    after_hello: Sequence[Published] = ()


_PIN = re.compile(r"([AD])([0-7])")
_ERROR, _DONE = -1, 1


class Pins:
    """Sixteen pins: what Tinker's four functions read and write."""

    def __init__(self) -> None:
        self._levels: dict[str, int] = {}

    def read(self, argument: str, _publish: Publish) -> int:
        """Level of a pin: `D3`."""
        return self._levels.get(argument, 0) if _PIN.fullmatch(argument) else _ERROR

    def write(self, argument: str, _publish: Publish) -> int:
        """Set a pin high or low: `D3,HIGH`."""
        pin, _, level = argument.partition(",")
        return self._set(pin, {"HIGH": 1, "LOW": 0}.get(level, _ERROR))

    def analog_write(self, argument: str, _publish: Publish) -> int:
        """Set a pin to 0 to 255: `A3,128`."""
        pin, _, level = argument.partition(",")
        return self._set(pin, int(level) if level.isdigit() and int(level) <= 255 else _ERROR)

    def _set(self, pin: str, level: int) -> int:
        if not _PIN.fullmatch(pin) or level < 0:
            return _ERROR
        self._levels[pin] = level
        return _DONE

    @property
    def functions(self) -> dict[str, Function]:
        """Tinker's four."""
        return {
            "digitalread": self.read,
            "digitalwrite": self.write,
            "analogread": self.read,
            "analogwrite": self.analog_write,
        }


def _echo(argument: str, publish: Publish) -> int:
    """Publish the argument, and say whether that went out."""
    return int(publish(Published("rig/echo", argument)))


def _length(argument: str, _publish: Publish) -> int:
    return len(argument)


def _ping(argument: str, _publish: Publish) -> int:
    raise PingWanted(argument)


def _reset_to_factory(_argument: str, _publish: Publish) -> int:
    raise FactoryResetWanted


def synthetic(name: str, version: str, offers: str, dialect: Dialect) -> UserCode:
    """What the rig's images do: `tinker`, or `probe` with an echo that publishes and, if it can, a factory reset.

    Each has the variables image, version and answer. Firmware of these years holds four functions.
    """
    functions: dict[str, Function] = Pins().functions
    if offers == "probe":
        ping = {"ping": _ping} if dialect.pings else {}
        reset = {"factoryreset": _reset_to_factory} if dialect.resets_to_factory else {}
        functions = {"echo": _echo, "length": _length, **ping, **reset}
    variables: dict[str, tuple[int, Value]] = {"image": (STRING, name), "version": (STRING, version)}
    subscriptions = (Subscription("rig/"),) if dialect.subscribes else ()
    return UserCode(functions, {**variables, "answer": (INTEGER, 42)}, subscriptions)

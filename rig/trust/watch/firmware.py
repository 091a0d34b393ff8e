"""Firmware in the field, as the watch judges it: what each accepts at an endpoint, and which has no server left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from rig.errors import Misuse
from rig.firmware.manifest import Manifest
from rig.firmware.server_trust import Attempt
from rig.formats.certificate_keys import signed
from rig.formats.certificate_refusal import Flag, Refusal
from rig.formats.tls_records import Alert as TlsAlert
from rig.ports import format_address
from rig.trust.shipped import PinFolder, Shipped, Unread, shipped
from rig.trust.watch.config import WatchConfig, WatchedEndpoint
from rig.trust.watch.fact import Fact, FactKind
from rig.trust.watch.look import Chain, Shown
from rig.trust.watch.memory import Memory


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one firmware makes of what an endpoint's addresses show: those it accepts, and why not the others."""

    firmware: str
    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


class Fleet:
    """All firmware that is watched for, and the certificates that it pins."""

    def __init__(self, firmware: Sequence[Shipped], pins: PinFolder | None):
        self.firmware = tuple(firmware)
        self._pins = pins
        for one in self.firmware:
            for attempt in one.attempts:
                self._pinned(attempt)

    @classmethod
    def of(cls, config: WatchConfig) -> Fleet:
        """That of a config. Raises Misuse for a manifest that cannot be read, and for pins that are not there."""
        listed = shipped(Manifest.load(config.manifest)) if config.manifest is not None else []
        added = [one.shipped for one in config.firmware]
        known = {name for one in listed for name in one.images}
        for one in added:
            if one.name in known:
                raise Misuse(f"firmware {one.name} is in the manifest too", hint="call it otherwise")
        return cls([*listed, *added], PinFolder(config.pins) if config.pins is not None else None)

    def asking(self, endpoint: WatchedEndpoint) -> Iterator[tuple[Shipped, list[Attempt]]]:
        """Firmware that asks an endpoint, and its attempts there."""
        for one in self.firmware:
            there = [attempt for attempt in one.attempts if _name(attempt) == endpoint.name]
            if there:
                yield one, there

    def unwatched(self, endpoints: Sequence[WatchedEndpoint]) -> dict[str, list[str]]:
        """Servers that firmware asks and nobody watches, and who asks them."""
        watched, found = {endpoint.name for endpoint in endpoints}, dict[str, list[str]]()
        for one in self.firmware:
            for name in dict.fromkeys(map(_name, one.attempts)):
                if name not in watched:
                    found.setdefault(name, []).append(one.name)
        return found

    def verdicts(self, endpoint: WatchedEndpoint, shown: Mapping[str, Shown], at: datetime) -> list[Verdict]:
        """What each firmware that asks an endpoint makes of it."""
        found = []
        for one, there in self.asking(endpoint):
            why = {address: self._refuses(one, there, what, at) for address, what in shown.items()}
            accepted = tuple(address for address, text in why.items() if text is None)
            refused = {address: text for address, text in why.items() if text is not None}
            found.append(Verdict(one.name, accepted, refused))
        return found

    def accepts(self, name: str, endpoint: WatchedEndpoint, chain: Chain, at: datetime) -> bool:
        """Whether a firmware would accept a chain at a time."""
        return any(
            one.name == name and self._refuses(one, there, Shown(chain), at) is None
            for one, there in self.asking(endpoint)
        )

    def pins_in_use(self, endpoint: WatchedEndpoint, chain: Chain) -> dict[x509.Certificate, list[str]]:
        """Pins that a chain leads to, and whose they are: a firmware accepts it by these."""
        found: dict[x509.Certificate, list[str]] = {}
        for one, there in self.asking(endpoint):
            for pin in dict.fromkeys(pin for attempt in there for pin in self._pinned(attempt)):
                if pin in chain or any(child.issuer == pin.subject and signed(child, pin) for child in chain):
                    found.setdefault(pin, []).append(one.name)
        return found

    def dark(self, memories: Mapping[str, Memory]) -> dict[str, list[Fact]]:
        """By firmware: that it has no server left, or nothing. What is not watched may still be one."""
        return {one.name: list(_dark(one, memories)) for one in self.firmware}

    def _refuses(self, one: Shipped, there: Sequence[Attempt], shown: Shown, at: datetime) -> str | None:
        """Why no attempt of it succeeds: the reason of the first."""
        if shown.shut_out:
            return f"it shares no TLS version or suite with an ESP32 ({shown.shut_out})"
        if self._pins is None:
            return None
        reasons = [one.refuses(attempt, shown.chain, self._pins, at) for attempt in there]
        first = reasons[0]
        return None if None in reasons or first is None else _refusal_text(first, there)

    def _pinned(self, attempt: Attempt) -> tuple[x509.Certificate, ...]:
        if self._pins is None:
            raise Misuse("firmware needs the folder of the certificates that it pins", hint="pins = FOLDER")
        return self._pins.certificates(attempt.pins)


def _name(attempt: Attempt) -> str:
    return format_address(attempt.host.lower().removesuffix("."), attempt.port)


def _refusal_text(refusal: Refusal | Unread, there: Sequence[Attempt]) -> str:
    if isinstance(refusal, Unread):
        return str(refusal)
    pins = ", ".join(dict.fromkeys(pin for attempt in there for pin in attempt.pins))
    if refusal.flags & Flag.OTHER:
        return f"none of its pins ({pins}) has issued it"
    flags = " ".join(str(flag.name) for flag in refusal.flags) or "KEY_NOT_TAKEN"
    return f"{flags} with its pins ({pins}), alert {TlsAlert(refusal.alert)}"


def _dark(one: Shipped, memories: Mapping[str, Memory]) -> Iterator[Fact]:
    names = list(dict.fromkeys(map(_name, one.attempts)))
    known = [memories[name] for name in names if name in memories and memories[name].looked_at is not None]
    refusing = [memory.subject for memory in known if memory.accepted.get(one.name) == "none"]
    gone = [memory.subject for memory in known if not memory.is_answering]
    if refusing and {*refusing, *gone} == set(names):
        silent = [name for name in gone if name not in refusing]
        text = f"{one.name} has no server left: it refuses {', '.join(refusing)}"
        text += f", and {', '.join(silent)} cannot be reached" if silent else ""
        yield Fact(FactKind.DARK, "", text, "critical", details={"firmware": one.images, "endpoints": names})

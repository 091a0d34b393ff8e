"""Firmware in the field as servers' identities concern it: where it asks, what it pins, and what it would refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from rig.errors import Misuse
from rig.files import is_there
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Manifest
from rig.firmware.server_trust import BUNDLE, Attempt, ServerTrust
from rig.formats.certificate_chain import Trust
from rig.formats.certificate_extensions import KeyExchange
from rig.formats.certificate_refusal import Refusal
from rig.trust.identity import load_chain
from rig.trust.soundness import LONGEST_CHAIN, Defect, Flaw, message_size


@dataclass(frozen=True, slots=True)
class TooLong:
    """A chain of so many bytes is refused by whoever has no room for it: it hangs up, and sends no alert."""

    size: int

    def __str__(self) -> str:
        return f"{self.size} bytes of certificates are shown, and an ESP32 has room for {LONGEST_CHAIN}"


@dataclass(frozen=True, slots=True)
class NoSuite:
    """An ECDSA certificate at whoever was built without its suites: the server ends the handshake, with an alert."""

    def __str__(self) -> str:
        return "its key is ECDSA, and the firmware was built for RSA only"


#: What keeps a chain from being judged at all.
Unread = TooLong | NoSuite


@dataclass(frozen=True, slots=True)
class Shipped:
    """Images that ask the same servers and trust the same certificates there: to an identity they are one firmware."""

    #: The first of them, and all of them.
    name: str
    images: tuple[str, ...]
    #: Of servers over TLS only.
    trust: ServerTrust

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """In the order they are made."""
        return self.trust.attempts

    def refuses(
        self, attempt: Attempt, chain: Sequence[x509.Certificate], pins: PinFolder, at: datetime
    ) -> Refusal | Unread | None:
        """Why it refuses a server that shows `chain` (leaf first) at a time; None if it does not. Raises Misuse."""
        if not self.trust.takes_ecdsa and isinstance(chain[0].public_key(), ec.EllipticCurvePublicKey):
            return NoSuite()
        trusted = pins.certificates(attempt.pins)
        name = None if self.trust.skips_name else attempt.host
        usual = Trust(name=name, at=at if self.trust.checks_dates else None, build=self.trust.build)
        known = replace(usual, bundle=trusted) if BUNDLE in attempt.pins else replace(usual, anchors=trusted)
        return judged(chain, known)


def judged(
    chain: Sequence[x509.Certificate], trust: Trust, exchange: KeyExchange = KeyExchange.SIGNS
) -> Refusal | Unread | None:
    """Why an ESP32 that trusts so refuses a chain, leaf first; None if it does not."""
    size = message_size(chain)
    return TooLong(size) if size > LONGEST_CHAIN else trust.refuses(chain, exchange)


@dataclass(slots=True)
class PinFolder:
    """The certificates that firmware pins, by name: NAME.pem in a folder, `bundle.pem` for the public roots."""

    folder: Path
    _known: dict[str, tuple[x509.Certificate, ...]] = field(default_factory=dict)

    def certificates(self, names: Sequence[str]) -> tuple[x509.Certificate, ...]:
        """All that these names stand for. Raises Misuse where one has no file."""
        for name in names:
            if name not in self._known:
                path = self.folder / f"{name}.pem"
                if not is_there(path):
                    raise Misuse(
                        f"firmware pins {name}, and {path} does not exist",
                        hint="a folder with NAME.pem for each pin; `rig cloud https` writes one, STATE/trust",
                    )
                self._known[name] = load_chain(path)
        return tuple(certificate for name in names for certificate in self._known[name])


def shipped(manifest: Manifest) -> list[Shipped]:
    """Every firmware of a manifest that looks for updates over TLS, in the manifest's order."""
    found: dict[ServerTrust, list[str]] = {}
    for entry in manifest.entries.values():
        trust = rules_of(entry.board).server_trust(entry.details)
        if trust is not None and trust.over_tls.attempts:
            found.setdefault(trust.over_tls, []).append(entry.name)
    return [Shipped(names[0], tuple(names), trust) for trust, names in found.items()]


def refused_by(
    firmware: Sequence[Shipped], chain: Sequence[x509.Certificate], names: Sequence[str], pins: PinFolder, at: datetime
) -> list[Flaw]:
    """Which firmware that asks one of `names` would refuse this chain there, at every attempt. Raises Misuse."""
    found = []
    for one in firmware:
        here = [attempt for attempt in one.attempts if attempt.host in names]
        refusals = [one.refuses(attempt, chain, pins, at) for attempt in here]
        if here and all(refusals):
            wanted = ", ".join(dict.fromkeys(pin for attempt in here for pin in attempt.pins))
            why = f"refuses it ({refusals[0]})" if isinstance(refusals[0], Unread) else f"pins {wanted}"
            found.append(Flaw(Defect.REFUSED_BY_FIRMWARE, f"{one.name} {why}, and goes dark at {here[0].host}"))
    return found

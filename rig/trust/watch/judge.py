"""The judgement of one look at an endpoint: which facts hold, and what changed since the look before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509

from rig.trust.soundness import Defect, flaws, title
from rig.trust.timeline.lifetimes import SHARE_LEFT
from rig.trust.watch.config import Level, Thresholds, WatchedEndpoint
from rig.trust.watch.fact import Fact, FactKind
from rig.trust.watch.firmware import Fleet, Verdict
from rig.trust.watch.identity import KnownIdentity, issuer_title, sha256_of
from rig.trust.watch.look import Chain, Look
from rig.trust.watch.memory import Memory

DAY = timedelta(days=1)
Accepted = Literal["all", "some", "none"]


@dataclass(slots=True)
class Judgement:
    """What came of a look: facts that hold, changes, and what is to be remembered of addresses and firmware."""

    facts: list[Fact] = field(default_factory=list)
    changes: list[Fact] = field(default_factory=list)
    shown: dict[str, KnownIdentity] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    missed_since: dict[str, datetime] = field(default_factory=dict)
    accepted: dict[str, Accepted] = field(default_factory=dict)
    #: Whether a look saw nothing of an address that it may still have.
    is_unseen: Callable[[str], bool] = lambda _address: False


class Judge:
    """Judges looks by thresholds, roots, and the firmware that asks."""

    def __init__(self, fleet: Fleet, thresholds: Thresholds, roots: Sequence[x509.Certificate] = ()):
        self._fleet, self._thresholds, self._roots = fleet, thresholds, tuple(roots)

    def judge(self, endpoint: WatchedEndpoint, look: Look, before: Memory) -> Judgement:
        """What a look says, after what was remembered. Never raises for what an endpoint shows."""
        if look.unknown:
            return self._nowhere(endpoint, look, before)
        try:
            return self._judge(endpoint, look, before, {})
        except Exception:  # whatever a certificate that breaks rules breaks in the library: it must be told
            broken = {address: why for address in look.shown if (why := self._breaks(endpoint, look, before, address))}
            if not broken:
                raise
            return self._judge(endpoint, look, before, broken)

    def _breaks(self, endpoint: WatchedEndpoint, look: Look, before: Memory, address: str) -> str:
        """Why what one address shows cannot be judged; nothing where it can."""
        try:
            self._judge(endpoint, Look(look.at, {address: look.shown[address]}), before, {})
        except Exception as error:
            return f"{address} shows certificates that cannot be judged: {type(error).__name__}"
        return ""

    def _judge(self, endpoint: WatchedEndpoint, look: Look, before: Memory, broken: Mapping[str, str]) -> Judgement:
        look = replace(look, shown={address: one for address, one in look.shown.items() if address not in broken})
        known = {address: KnownIdentity.of(one.chain) for address, one in look.shown.items()}
        unsure = {*look.unseen, *look.lost, *broken}
        found = Judgement(is_unseen=lambda address: address in unsure)
        found.shown = {**{a: one for a, one in before.shown.items() if found.is_unseen(a)}, **known}
        # Of what this machine could not look at, all is as it was.
        found.missed = {address: count for address, count in before.missed.items() if address in look.lost}
        found.missed_since = {address: at for address, at in before.missed_since.items() if address in look.lost}
        for address, why in look.unseen.items():
            found.missed[address] = before.missed.get(address, 0) + 1
            found.missed_since[address] = before.missed_since.get(address, look.at)
            found.facts += self._unreachable(address, why, found, any_answers=look.is_answered or look.is_lost)
        for address, why in broken.items():
            found.facts.append(Fact(FactKind.UNJUDGED, address, why, "warning", addresses=(address,)))
        found.changes += _changes(endpoint, before, known)
        found.accepted = dict(before.accepted)
        if look.shown:
            verdicts = self._fleet.verdicts(endpoint, look.shown, look.at)
            found.accepted = {one.firmware: _accepted(one, look, before) for one in verdicts}
            for verdict in verdicts:
                found.facts += _refused(verdict, is_whole=not unsure)
        found.facts += self._of_chains(endpoint, look, known)
        found.facts += _across(endpoint, look, known)
        return found

    def _nowhere(self, endpoint: WatchedEndpoint, look: Look, before: Memory) -> Judgement:
        """Nobody knew an address: nothing that was known is given up."""
        held = Judgement(shown=dict(before.shown), accepted=dict(before.accepted), is_unseen=lambda _address: True)
        held.missed = {**before.missed, endpoint.host: before.missed.get(endpoint.host, 0) + 1}
        held.missed_since = {endpoint.host: look.at, **before.missed_since}
        held.facts += self._unreachable(endpoint.host, look.unknown, held, any_answers=False)
        return held

    def _unreachable(self, address: str, why: str, found: Judgement, *, any_answers: bool) -> Iterator[Fact]:
        if found.missed[address] >= self._thresholds.unreachable_after:
            since = found.missed_since[address]
            text = f"{address} is not reachable since {since:%Y-%m-%d %H:%M} UTC: {why}"
            level: Level = "warning" if any_answers else "critical"
            details = {"reason": why, "since": since.isoformat()}
            yield Fact(FactKind.UNREACHABLE, address, text, level, addresses=(address,), details=details)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _of_chains(self, endpoint: WatchedEndpoint, look: Look, known: Mapping[str, KnownIdentity]) -> Iterator[Fact]:
        """Of each chain once, whatever addresses show it; of certificates in several chains once."""
        where: dict[Chain, list[str]] = {}
        for address in known:
            where.setdefault(look.shown[address].chain, []).append(address)
        found: dict[str, Fact] = {}
        for chain, addresses in where.items():
            at = tuple(addresses)
            for fact in (*self._flaws(endpoint, chain, look.at), *self._ends(endpoint, chain, look.at)):
                seen = found.get(fact.key)
                found[fact.key] = replace(fact, addresses=(*(seen.addresses if seen else ()), *at))
        yield from found.values()
        for address in known:
            if ended := look.shown[address].ended:
                text = f"{address} shows certificates, but the handshake fails: {ended}"
                yield Fact(FactKind.HANDSHAKE_FAILS, address, text, "critical", addresses=(address,))

    def _flaws(self, endpoint: WatchedEndpoint, chain: Chain, at: datetime) -> Iterator[Fact]:
        for flaw in flaws(chain, [endpoint.host], at=at, roots=self._roots):
            # What has ended is told by its dates.
            if flaw.defect not in (*endpoint.accept, Defect.EXPIRED):
                details = {"defect": flaw.defect, "leaf": sha256_of(chain[0])}
                yield Fact(FactKind.FLAW, str(flaw), str(flaw), "warning", details=details)

    def _ends(self, endpoint: WatchedEndpoint, chain: Chain, at: datetime) -> Iterator[Fact]:
        leaf, pins = chain[0], self._fleet.pins_in_use(endpoint, chain)
        life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
        # Short-lived certificates would always be near their end.
        days = [min(timedelta(days=one), life * SHARE_LEFT) for one in self._thresholds.ends]
        yield from self._renewal(leaf, pins, at)
        yield from self._ending(endpoint, chain, leaf, pins, days, at)
        days = [timedelta(days=one) for one in self._thresholds.authority_ends]
        for certificate in dict.fromkeys((*chain[1:], *pins)):
            if certificate != leaf:
                yield from self._ending(endpoint, chain, certificate, pins, days, at)

    def _ending(
        self,
        endpoint: WatchedEndpoint,
        chain: Chain,
        certificate: x509.Certificate,
        pins: Mapping[x509.Certificate, Sequence[str]],
        thresholds: Sequence[timedelta],
        at: datetime,
    ) -> Iterator[Fact]:
        ends = certificate.not_valid_after_utc
        passed, ended = len({one for one in thresholds if at >= ends - one}), at > ends
        if not passed and not ended:
            return
        asking = [one.name for one, _ in self._fleet.asking(endpoint)]
        after = max(at, ends + timedelta(seconds=1))
        lost = [
            name
            for name in asking
            if self._fleet.accepts(name, endpoint, chain, at) and not self._fleet.accepts(name, endpoint, chain, after)
        ]
        text = f"{_named(certificate)}{'' if certificate in chain else ' (pinned, not served)'} "
        text += f"{'ended' if ended else 'ends'} on {ends:%Y-%m-%d %H:%M} UTC"
        text += f"; {', '.join(pins[certificate])} pins it" if certificate in pins else ""
        text += f"; {', '.join(lost)} checks dates and is lost then" if lost else ""
        details = {
            "certificate": sha256_of(certificate),
            "role": "leaf" if certificate == chain[0] else "authority",
            "ends": ends.isoformat(),
            "days_left": round((ends - at) / DAY, 2),
            "pinned_by": list(pins.get(certificate, ())),
            "lost": lost,
        }
        stage = len(set(thresholds)) + 1 if ended else passed
        level: Level = "critical" if stage >= max(len(set(thresholds)), 1) else "warning"
        yield Fact(FactKind.ENDING, sha256_of(certificate), text, level, stage, details=details)

    def _renewal(
        self, leaf: x509.Certificate, pins: Mapping[x509.Certificate, Sequence[str]], at: datetime
    ) -> Iterator[Fact]:
        due = self._thresholds.renewal.due(leaf.not_valid_before_utc, leaf.not_valid_after_utc)
        interval = due - leaf.not_valid_before_utc
        notice = min(timedelta(days=self._thresholds.renew_notice), interval * SHARE_LEFT)
        grace = min(timedelta(days=self._thresholds.renew_grace), (leaf.not_valid_after_utc - due) * SHARE_LEFT)
        if at < due - notice:
            return
        risked = sorted({name for pin, names in pins.items() if pin.subject != pin.issuer for name in names})
        details = {"leaf": sha256_of(leaf), "due": due.isoformat(), "at_risk": risked}
        if at >= due + grace:
            text = f"{_named(leaf)} was to be renewed by {due:%Y-%m-%d}, and was not"
            yield Fact(FactKind.RENEWAL, sha256_of(leaf), text, "warning", 2, details=details)
        else:
            text = f"{_named(leaf)} is to be renewed from {due:%Y-%m-%d} on"
            text += f"; {', '.join(risked)} goes dark if another intermediate issues it" if risked else ""
            yield Fact(FactKind.RENEWAL, sha256_of(leaf), text, "info", 1, details=details)


def _named(certificate: x509.Certificate) -> str:
    """Leaves of one name are told apart by who issued them."""
    return f"{title(certificate)} by {issuer_title(certificate)}"


# -- addresses together ------------------------------------------------------------------------------------------------


def _changes(endpoint: WatchedEndpoint, before: Memory, known: Mapping[str, KnownIdentity]) -> Iterator[Fact]:
    """A chain that no address showed before is a change, told once for all addresses that show it now."""
    if not before.shown:
        return
    former = {one.chain for one in before.shown.values()}
    fresh: dict[tuple[str, str], list[str]] = {}
    for address, one in known.items():
        last = before.shown.get(address)
        usual = {last.chain} if endpoint.addresses_differ and last is not None else former
        if one.chain not in usual:
            fresh.setdefault((one.chain, address if endpoint.addresses_differ else ""), []).append(address)
    for addresses in fresh.values():
        now = known[addresses[0]]
        last = before.shown.get(addresses[0]) or next(iter(before.shown.values()))
        where = "" if len(addresses) == len(known) else f" at {', '.join(addresses)}"
        text = f"another identity is shown{where}: {now}; {', '.join(now.differences(last))}"
        details = {
            "from": last.model_dump(mode="json"),
            "to": now.model_dump(mode="json"),
            "key": "kept" if now.key == last.key else "changed",
            "issuer": "kept" if now.issuer == last.issuer else "changed",
        }
        level: Level = "info" if now.issuer == last.issuer and now.leaf != last.leaf else "warning"
        about = f"{last.chain} {now.chain} {' '.join(addresses)}"
        yield Fact(FactKind.IDENTITY_CHANGED, about, text, level, addresses=tuple(addresses), details=details)


def _refused(verdict: Verdict, *, is_whole: bool) -> Iterator[Fact]:
    if not verdict.refused:
        return
    addresses = tuple(verdict.refused)
    everywhere = is_whole and not verdict.accepted
    where = "what is shown" if everywhere else f"what {', '.join(addresses)} shows"
    text = f"{verdict.firmware} refuses {where}: {verdict.refused[addresses[0]]}"
    details = {"firmware": verdict.firmware, "reasons": dict(verdict.refused)}
    yield Fact(FactKind.REFUSED, verdict.firmware, text, "critical", 2 if everywhere else 1, addresses, details)


def _accepted(verdict: Verdict, look: Look, before: Memory) -> Accepted:
    if verdict.refused and not verdict.accepted:
        # What this machine could not look at is not refused by that.
        return "some" if look.lost and before.accepted.get(verdict.firmware) != "none" else "none"
    return "some" if verdict.refused else "all"


def _across(endpoint: WatchedEndpoint, look: Look, known: Mapping[str, KnownIdentity]) -> Iterator[Fact]:
    shown: dict[str, list[str]] = {}
    for address, one in known.items():
        shown.setdefault(str(one), []).append(address)
    if len({one.chain for one in known.values()}) > 1 and not endpoint.addresses_differ:
        sides = "; ".join(f"{', '.join(addresses)}: {one}" for one, addresses in shown.items())
        details = {"shown": {address: one.leaf for address, one in known.items()}}
        text = f"addresses show different identities: {sides}"
        yield Fact(FactKind.ADDRESSES_DISAGREE, "", text, "warning", addresses=tuple(known), details=details)
    if look.left_out:
        text = f"it has {look.left_out} more addresses than are looked at"
        yield Fact(FactKind.LEFT_OUT, "", text, "warning")

"""What people should know of a probed host: judged from its report and earlier ones alone, nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rig.formats.tls_heartbeat import Heartbeats
from rig.ports import format_address
from rig.trust.probe.report import AddressView, ChainView, Finding, HostReport, Level
from rig.trust.soundness import Defect

#: Fewer days left than this is soon.
WARN_DAYS = 14.0
#: A root that nobody knows may be pinned, and some chains are clumsy; what else is wrong with one keeps clients out.
_FLAW_LEVELS: Mapping[str, Level] = dict.fromkeys(
    (Defect.UNKNOWN_ROOT, Defect.LOOSE_ORDER, Defect.EXTRA_CERTIFICATE, Defect.COMMON_NAME_ONLY), "warning"
)
_OLD_VERSIONS = ("TLSv1", "TLSv1.1")


def findings(
    report: HostReport, before: Sequence[HostReport] | None = None, *, warn_days: float = WARN_DAYS
) -> list[Finding]:
    """All of them, the worst first; `before` are earlier reports, of which those of the same host count."""
    former = [one for one in before or () if (one.host, one.port) == (report.host, report.port)]
    seen = [address for address in report.addresses if address.error is None]
    found: list[Finding] = []
    for address in report.addresses:
        if address.error is not None:
            found.append(_finding("unknown", "not-probed", address.error, address))
            found += _heartbeats(address)
    for address in seen:
        found += _handshakes(address)
        found += _heartbeats(address)
        for chain in address.chains:
            found += _chain(address, chain, warn_days)
            found += _revocation(address, chain)
    found += _across(seen)
    if before is not None and not former:
        found.append(_finding("note", "no-earlier", "no earlier report is of this host: nothing is compared"))
    if former:
        found += _since(seen, former)
        found += _left_behind(seen, former)
    return sorted(found, key=lambda finding: ("broken", "unknown", "warning", "note").index(finding.level))


# -- one address -------------------------------------------------------------------------------------------------------


def _handshakes(address: AddressView) -> Iterator[Finding]:
    if not address.completed:
        text = "shows certificates, and then does not complete the handshake"
        yield _finding("warning", "not-completed", text, address)
    if _is_refused(address, "esp32"):
        text = f"has nothing that an ESP32 takes: {address.clients['esp32'].refused}"
        yield _finding("broken", "esp32-locked-out", text, address)
    if _is_refused(address, "rsa"):
        text = "has nothing for clients that know RSA only, up to TLS 1.2"
        yield _finding("warning", "rsa-locked-out", text, address)
    for version in _OLD_VERSIONS:
        if version in address.clients and address.clients[version].accepted:
            yield _finding("warning", "old-version", f"accepts {version}", address)
    for name, client in address.clients.items():
        if client.accepted is None:
            yield _finding(
                "unknown", "client-not-seen", f"what it has for {name} was not seen: {client.refused}", address
            )
    if {chain.algorithm for chain in address.chains} >= {"rsa", "ecdsa"}:
        yield _finding("note", "dual", "serves an RSA and an ECDSA certificate, as the client likes", address)


def _heartbeats(address: AddressView) -> Iterator[Finding]:
    if address.heartbeats is Heartbeats.VULNERABLE:
        text = "leaks its memory (Heartbleed, CVE-2014-0160): its keys must be taken for known"
        yield _finding("broken", "heartbleed", text, address)
    elif address.heartbeats_refused is not None:
        text = f"whether it leaks its memory was not seen: {address.heartbeats_refused}"
        yield _finding("unknown", "heartbeats-not-seen", text, address)
    elif address.heartbeats is Heartbeats.SILENT:
        text = "says that it takes heartbeats, and answered neither of two: whether it leaks its memory is not known"
        yield _finding("unknown", "heartbeats-silent", text, address)
    elif address.heartbeats is Heartbeats.CORRECT:
        yield _finding("note", "heartbeats", "takes heartbeats, and leaks nothing", address)


def _chain(address: AddressView, chain: ChainView, warn_days: float) -> Iterator[Finding]:
    for flaw in chain.flaws:
        yield _finding(_FLAW_LEVELS.get(flaw.defect, "broken"), flaw.defect, flaw.text, address)
    if chain.has_root and len(chain.certificates) > 1:
        yield _finding("note", "root-served", "sends its root too, which no client needs", address)
    if 0 <= chain.days_left < warn_days:
        text = f"{chain.leaf.subject} ({chain.leaf.key}) has {chain.days_left:.1f} days left"
        yield _finding("warning", "expires-soon", text, address)


def _revocation(address: AddressView, chain: ChainView) -> Iterator[Finding]:
    said = [view for view in address.revocation if view.leaf == chain.leaf.sha256]
    for view in said:
        where = f"its {view.source}{f' {view.url}' if view.url else ''}"
        if view.status == "revoked":
            since = f" since {view.at:%Y-%m-%d}" if view.at else ""
            text = f"{chain.leaf.subject} ({_short(chain)}) is revoked{since}, says {where} {view.text}".rstrip()
            yield _finding("broken", "revoked", text, address)
        elif view.status != "good":
            level: Level = "broken" if view.source == "staple" and chain.leaf.must_staple else "warning"
            code = "bad-staple" if view.source == "staple" else "revocation-unknown"
            yield _finding(level, code, f"{where} is {view.status}: {view.text}", address)
    if chain.leaf.must_staple and not any(view.source == "staple" for view in said):
        yield _finding("broken", "no-staple", f"{chain.leaf.subject} promises a staple, and none is sent", address)


# -- all addresses -----------------------------------------------------------------------------------------------------


def _across(seen: Sequence[AddressView]) -> Iterator[Finding]:
    """Whoever comes to a name meets any of its addresses: they should all be the same."""
    for algorithm in sorted({chain.algorithm for address in seen for chain in address.chains}):
        shown: dict[str, list[AddressView]] = {}
        for address in seen:
            kinds = " and ".join(
                sorted({_kind_of_leaf(chain) for chain in address.chains if chain.algorithm == algorithm})
            )
            shown.setdefault(kinds or "none", []).append(address)
        if len(shown) > 1:
            groups = "; ".join(f"{kinds} at {_places(addresses)}" for kinds, addresses in shown.items())
            yield _finding("warning", "inconsistent", f"its addresses show several {algorithm} certificates: {groups}")
    for name in sorted({name for address in seen for name in address.clients}):
        taking = [address for address in seen if name in address.clients and address.clients[name].accepted]
        refusing = [address for address in seen if _is_refused(address, name)]
        if taking and refusing:
            text = f"{name} is accepted at {_places(taking)} and refused at {_places(refusing)}"
            yield _finding("warning", "uneven", text)


# -- since earlier probes ----------------------------------------------------------------------------------------------


def _since(seen: Sequence[AddressView], former: Sequence[HostReport]) -> Iterator[Finding]:
    """Keys are compared by themselves: a new certificate is no new key."""
    leaves = {chain.leaf.sha256 for report in former for chain in report.chains}
    last = {chain.leaf.sha256 for chain in former[-1].chains}
    keys = {chain.leaf.key_sha256 for report in former for chain in report.chains}
    exposed = _exposed(former)
    issuers = {(chain.algorithm, one.key_sha256) for chain in former[-1].chains for one in chain.certificates[1:2]}
    roots = {root for chain in former[-1].chains for root in chain.roots}
    for address in seen:
        for chain in address.chains:
            leaf, kind = chain.leaf, _kind_of_leaf(chain)
            if leaf.key_sha256 in exposed:
                text = f"{kind} has the key that was served when the server leaked its memory"
                yield _finding("broken", "key-exposed", text, address)
            if leaf.sha256 not in leaves and leaf.key_sha256 in keys:
                yield _finding("warning", "key-kept", f"{kind} is a new certificate of a key of before", address)
            elif leaf.sha256 not in leaves:
                yield _finding("note", "re-keyed", f"{kind} is a new certificate with a new key", address)
            elif leaf.sha256 not in last:
                yield _finding("warning", "old-again", f"{kind} had been replaced, and is served again", address)
            above = {(chain.algorithm, one.key_sha256) for one in chain.certificates[1:2]}
            if above - issuers and any(algorithm == chain.algorithm for algorithm, _ in issuers):
                text = f"{kind} is by {leaf.issuer}, another intermediate: firmware that pins the former goes dark"
                yield _finding("warning", "new-intermediate", text, address)
            if chain.roots and roots and not roots.intersection(chain.roots):
                text = f"{kind} leads to {', '.join(chain.roots)}, and led to {', '.join(sorted(roots))}"
                yield _finding("warning", "new-root", text, address)
        yield from _lost(address, former[-1])


def _lost(address: AddressView, last: HostReport) -> Iterator[Finding]:
    for name in address.clients:
        was_let_in = any(name in one.clients and one.clients[name].accepted for one in last.addresses)
        if was_let_in and _is_refused(address, name):
            level: Level = "broken" if name in ("esp32", "rsa") else "warning"
            yield _finding(level, "client-lost", f"{name} was accepted before, and is refused now", address)


def _left_behind(seen: Sequence[AddressView], former: Sequence[HostReport]) -> Iterator[Finding]:
    """One of several that did not change with the others; where they were not the same before, nobody has to."""
    known = {chain.leaf.sha256 for report in former for chain in report.chains}
    for algorithm in sorted({chain.algorithm for chain in former[-1].chains}):
        last = {chain.leaf.sha256 for chain in former[-1].chains if chain.algorithm == algorithm}
        shown = [(address, chain) for address in seen for chain in address.chains if chain.algorithm == algorithm]
        if len(last) > 1 or all(chain.leaf.sha256 in known for _address, chain in shown):
            continue
        for address, chain in shown:
            if chain.leaf.sha256 in last:
                text = f"still serves {_kind_of_leaf(chain)} of before, while others have changed"
                yield _finding("broken", "left-behind", text, address)


def _exposed(former: Sequence[HostReport]) -> set[str]:
    """The keys that were served by servers that leaked their memory."""
    leaking = [one for report in former for one in report.addresses if one.heartbeats is Heartbeats.VULNERABLE]
    return {chain.leaf.key_sha256 for address in leaking for chain in address.chains}


# -- words -------------------------------------------------------------------------------------------------------------


def _finding(level: Level, code: str, text: str, address: AddressView | None = None) -> Finding:
    return Finding(level=level, code=code, text=text, address=_place(address) if address is not None else None)


def _is_refused(address: AddressView, client: str) -> bool:
    return client in address.clients and address.clients[client].accepted is False


def _short(chain: ChainView) -> str:
    return f"sha256 {chain.leaf.sha256[:12]}…"


def _kind_of_leaf(chain: ChainView) -> str:
    return f"{chain.leaf.subject} of {chain.leaf.not_before:%Y-%m-%d} ({_short(chain)})"


def _place(address: AddressView) -> str:
    return format_address(address.address, address.port)


def _places(addresses: Sequence[AddressView]) -> str:
    return ", ".join(map(_place, addresses))

"""Whether an ESP32 goes on with a server once it has seen its certificates; whom it pins no one knows here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cryptography import x509

from rig.formats.certificate_chain import Trust
from rig.formats.certificate_extensions import KeyExchange
from rig.formats.certificate_refusal import Flag, Refusal
from rig.trust.look.dialling import url_name
from rig.trust.look.served import Served
from rig.trust.shipped import judged
from rig.trust.soundness import Defect, flaws

#: Suites in which the server's key signs, as OpenSSL names them; in all others of an ESP32's it decrypts.
_SIGNS = ("ECDHE-", "DHE-")
#: What keeps a chain from leading anywhere, so that it is trusted by nobody who pins its root.
_BROKEN = (Defect.WRONG_ORDER, Defect.MISSING_INTERMEDIATE, Defect.BROKEN_AUTHORITY)


def refused_by_esp32(look: Served, host: str, roots: Sequence[x509.Certificate], at: datetime) -> str:
    """Why an ESP32 of today that dials `host` breaks off, if it trusts the top of what is served; nothing if not.

    Raises one of UNREADABLE.
    """
    chain = look.chain
    exchange = KeyExchange.SIGNS if (look.cipher or "").startswith(_SIGNS) else KeyExchange.DECRYPTS
    trusted = (*roots, *(one for one in chain if one.subject == one.issuer))
    trust = Trust(trusted, name=url_name(host))
    refusal = judged(chain, trust, exchange)
    is_whole = not any(flaw.defect in _BROKEN for flaw in flaws(chain, [], at=at, roots=roots))
    if isinstance(refusal, Refusal) and refusal.flags & Flag.NOT_TRUSTED and is_whole:
        # It leads to nobody we know: to whom such boards pin.
        refusal = judged(chain, replace(trust, anchors=(*trusted, *chain[1:])), exchange)
    if refusal is None:
        return ""
    if not isinstance(refusal, Refusal):
        return f"an ESP32 breaks off: {refusal}"
    why = refusal.error or " ".join(str(flag.name) for flag in refusal.flags)
    return f"an ESP32 breaks off, by the certificate: {why} (-0x{-refusal.code:04X})"

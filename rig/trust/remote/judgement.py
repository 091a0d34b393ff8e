"""Whether an identity may be shown in place of another: what is refused unless somebody accepts it by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509

from rig.errors import Misuse
from rig.firmware.manifest import Manifest
from rig.formats.certificate_names import is_for
from rig.trust.certificate_errors import UNREADABLE
from rig.trust.identity import Identity
from rig.trust.remote.plan import NginxPlan
from rig.trust.shipped import PinFolder, refused_by, shipped
from rig.trust.soundness import Defect, Flaw, flaws, refuse_flaws, title


def judge(identity: Identity, plan: NginxPlan, accepted: Sequence[str] = ()) -> None:
    """Raises Misuse for a key of another certificate, or a flaw that nobody accepted; nobody is asked anything.

    That firmware of the plan's manifest would go dark is one.

    `accepted` are names of `rig.trust.soundness.Defect`.
    """
    if identity.leaf.public_key() != identity.key.public_key():
        raise Misuse("this key is not the key of the first certificate of this chain")
    roots = [*plan.trusted(), *([identity.pin] if identity.pin is not None else [])]
    now = datetime.now(UTC)
    found = flaws(identity.chain, plan.names, at=now, roots=roots)
    if plan.manifest is not None and plan.pins is not None:
        firmware = shipped(Manifest.load(plan.manifest))
        found += refused_by(firmware, identity.chain, plan.names, PinFolder(plan.pins), now)
    refuse_flaws(found, accepted)


def refuse_fewer_names(former: x509.Certificate, new: x509.Certificate, accepted: Sequence[str] = ()) -> None:
    """Raises Misuse when nobody accepted that the former leaf is for a name that the new one is not for.

    The same files may serve more names than the plan knows: other server blocks name them, too.
    """
    lost = [name for name in names(former) if not is_for(new, name)]
    if lost:
        text = f"{title(new)} is not for {', '.join(lost)}, as the one that is live is"
        refuse_flaws([Flaw(Defect.FEWER_NAMES, text)], accepted)


def names(leaf: x509.Certificate) -> list[str]:
    """What a certificate is for: its DNS names and addresses, else its common name; none where it cannot be read."""
    try:
        known = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [str(address) for address in known.get_values_for_type(x509.IPAddress)]
        return [*known.get_values_for_type(x509.DNSName), *addresses]
    except x509.ExtensionNotFound:
        return [str(name.value) for name in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except UNREADABLE:
        return []

"""What the extensions of a certificate forbid, as mbedTLS reads them."""

from __future__ import annotations

import contextlib
import enum
from typing import TYPE_CHECKING

from rig.formats.certificate_refusal import REPEATED_EXTENSION, UNKNOWN_EXTENSION, UNKNOWN_POLICY, Flag
from rig.formats.mbedtls_build import CRITICAL

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class KeyExchange(enum.Enum):
    """What a server's key does in a handshake; the value is the usage that its certificate must then allow."""

    #: ECDHE and DHE.
    SIGNS = "digital_signature"
    #: The key exchange by RSA itself.
    DECRYPTS = "key_encipherment"


def extension_error(certificate: Certificate) -> int:
    """The error that an extension ends the reading with; 0 for none. What is not critical may be anything."""
    from cryptography import x509
    from cryptography.x509.oid import CertificatePoliciesOID

    try:
        critical = [one for one in certificate.extensions if one.critical]
    except x509.DuplicateExtension as error:
        # One that it does not know it skips, however often.
        return REPEATED_EXTENSION if error.oid.dotted_string in CRITICAL else 0
    except ValueError:
        return 0
    for one in critical:
        if one.oid.dotted_string not in CRITICAL:
            return UNKNOWN_EXTENSION
        if isinstance(one.value, x509.CertificatePolicies):
            policies = {policy.policy_identifier for policy in one.value}
            if policies != {CertificatePoliciesOID.ANY_POLICY}:
                return UNKNOWN_POLICY
    return 0


def may_issue(certificate: Certificate, intermediates: int) -> bool:
    """Whether it is an authority that may sign certificates with that many `intermediates` below it."""
    from cryptography import x509

    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            return False
        if constraints.path_length is not None and constraints.path_length < intermediates:
            return False
    except x509.ExtensionNotFound:
        return certificate.version is x509.Version.v1
    except ValueError:
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def usage_flaw(leaf: Certificate, exchange: KeyExchange) -> Flag:
    """What its extensions forbid; one that has none of them may be used for everything."""
    from cryptography import x509
    from cryptography.x509 import oid

    flags = Flag(0)
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        if not getattr(leaf.extensions.get_extension_for_class(x509.KeyUsage).value, exchange.value):
            flags |= Flag.KEY_USAGE
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        wanted = (oid.ExtendedKeyUsageOID.SERVER_AUTH, oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
        if not any(usage in wanted for usage in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value):
            flags |= Flag.EXT_KEY_USAGE
    return flags

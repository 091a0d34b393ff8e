"""The names that a certificate is for, as mbedTLS compares them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from rig.formats.mbedtls_build import TODAY, MbedTls

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def is_for(certificate: Certificate, name: str, build: MbedTls = TODAY) -> bool:
    """By the alternative names, and by the common name only where there are none; a dot at the end is one of the name.

    A star stands for exactly the first label. An IP address is looked for among addresses (from ESP-IDF 5.2 on), and
    among names as text.
    """
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = names.get_values_for_type(x509.DNSName)
        if build.compares_addresses and _address(name) in names.get_values_for_type(x509.IPAddress):
            return True
    except x509.ExtensionNotFound:
        known = [str(one.value) for one in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except ValueError:
        known = []
    return any(_matches(pattern.lower(), name.lower()) for pattern in known)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _matches(pattern: str, name: str) -> bool:
    """A star stands for exactly one label, the first."""
    if pattern.startswith("*."):
        label, dot, rest = name.partition(".")
        return bool(label and dot) and rest == pattern[2:]
    return pattern == name

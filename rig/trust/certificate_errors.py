"""Certificates that break rules: the library reads their parts when they are asked for, and raises this and that."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

#: What the library raises for certificates that break rules: it reads their parts when they are asked for.
UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)

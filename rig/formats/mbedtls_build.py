"""What releases of mbedTLS take of certificates, as ESP-IDF builds them: hashes, keys, addresses, extensions.

Read in mbedTLS' x509_crt.c (`mbedtls_x509_crt_profile_default`, `x509_crt_check_san`, `x509_get_crt_ext`), its oid.c
(`oid_x509_ext`) and in ESP-IDF's components/mbedtls/Kconfig. Every curve of a release is on by default. Which release
of mbedTLS a firmware has is its family's to know.
"""

from __future__ import annotations

from dataclasses import dataclass

SHORTEST_RSA = 2048
_STRONG = ("secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")
_LEGACY = ("secp192r1", "secp224r1", "secp256k1")
#: Object identifiers that any release reads: of keys, and of signatures in certificates. Ed25519 is not among them, nor
#: is a key that may sign by RSASSA-PSS alone; a signature by PSS under an RSA key is.
RSA_KEY, EC_KEY = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
SIGNATURES = frozenset(
    (
        *(f"1.2.840.113549.1.1.{number}" for number in (4, 5, 10, 11, 12, 13, 14)),
        *("1.2.840.10045.4.1", *(f"1.2.840.10045.4.3.{number}" for number in (1, 2, 3, 4))),
    )
)

#: Extensions that may be critical: constraints, usages, other names, Netscape's kind, and policies, of which `any`
#: alone is known. From 3.5 on identifiers of keys may be, too, which no authority does; 2.16 has no policies.
CRITICAL = frozenset(("2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17", "2.16.840.1.113730.1.1", "2.5.29.32"))


@dataclass(frozen=True, slots=True)
class MbedTls:
    """One release of it, as firmware has it built in."""

    hashes: tuple[str, ...]
    #: Of keys in certificates that are trusted, and of keys that can be read at all.
    curves: tuple[str, ...]
    known_curves: tuple[str, ...]
    #: Whether an IP address is looked for among a certificate's addresses; without that, among its names only.
    compares_addresses: bool
    #: Bits; longer keys are computed with in software only, which is off by default up to ESP-IDF 5.5
    #: (CONFIG_MBEDTLS_LARGE_KEY_SOFTWARE_MPI, esp_bignum.c: 4096 bits).
    longest_rsa: int | None


_SHA_2 = ("sha256", "sha384", "sha512")
#: 2.16 and 2.28.
MBEDTLS_2 = MbedTls(("sha224", *_SHA_2), (*_STRONG, *_LEGACY), (*_STRONG, *_LEGACY), False, 4096)
#: 3.2 and 3.4.
MBEDTLS_3_2 = MbedTls(_SHA_2, _STRONG, (*_STRONG, *_LEGACY), False, 4096)
#: 3.5 and 3.6: from here on addresses are compared.
MBEDTLS_3_5 = MbedTls(_SHA_2, _STRONG, (*_STRONG, *_LEGACY), True, 4096)
#: 4, which has no curves of 192 and 224 bits.
MBEDTLS_4 = MbedTls(_SHA_2, _STRONG, (*_STRONG, "secp256k1"), True, None)
#: What firmware has that is built today.
TODAY = MBEDTLS_3_5

"""Kinds of clients that may come to an endpoint, by what they offer: who is let in, and what they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from rig.trust.look.offer import BRAINPOOL, VERSIONS, Offer

_HASHES = ("SHA512", "SHA384", "SHA256")
_WITH_RSA, _WITH_ECDSA = (tuple(f"{key}+{name}" for name in (*_HASHES, "SHA1")) for key in ("RSA", "ECDSA"))
_WITH_PSS = tuple(f"rsa_pss_rsae_{name.lower()}" for name in _HASHES)
#: An ESP32 as ESP-IDF 5.5 builds it: TLS 1.2 and no ChaCha (mbedtls/Kconfig); every curve that its mbedTLS 3.6
#: has for exchanges, and neither Ed25519 nor SHA-1 (its ssl_tls.c: ssl_preset_default_groups, sig_algs).
ESP32 = Offer(
    minimum="TLSv1.2",
    maximum="TLSv1.2",
    ciphers="kECDHE+AESGCM:kECDHE+AESCCM:kECDHE+AES:kRSA+AESGCM:kRSA+AESCCM:kRSA+AES:!aNULL",
    groups=("X25519", "P-256", "P-384", "P-521", *BRAINPOOL),
    signatures=(*_WITH_ECDSA[:3], *_WITH_PSS, *_WITH_RSA[:3]),
)
#: One that knows certificates of RSA keys only, and one that knows ECDSA only.
RSA_ONLY = Offer(maximum="TLSv1.2", ciphers="aRSA", signatures=(*_WITH_PSS, *_WITH_RSA))
ECDSA_ONLY = Offer(maximum="TLSv1.2", ciphers="aECDSA", signatures=_WITH_ECDSA)
#: A small client of 2014, that does not even know elliptic curves.
RSA_2014 = Offer(maximum="TLSv1.2", ciphers="AES128-SHA:AES256-SHA", signatures=_WITH_RSA)
CHACHA_ONLY = Offer(ciphers="CHACHA20:!aNULL:!PSK", suites="TLS_CHACHA20_POLY1305_SHA256")

CLIENTS: Mapping[str, Offer] = {
    **{version: Offer(minimum=version, maximum=version) for version in VERSIONS},
    "esp32": ESP32,
    "rsa": RSA_ONLY,
    "ecdsa": ECDSA_ONLY,
    "rsa-2014": RSA_2014,
    "chacha": CHACHA_ONLY,
}

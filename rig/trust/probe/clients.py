"""Kinds of clients that may come to an endpoint, by what they offer: who is let in, and what they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from rig.trust.look.offer import VERSIONS, Offer

#: An ESP32 as ESP-IDF builds it: TLS 1.2 and no ChaCha (reference/esp32.md §6.2).
ESP32 = Offer(
    minimum="TLSv1.2",
    maximum="TLSv1.2",
    ciphers="kECDHE+AESGCM:kECDHE+AESCCM:kECDHE+AES:kRSA+AESGCM:kRSA+AESCCM:kRSA+AES:!aNULL",
    groups=("P-256", "P-384", "X25519"),
)
#: One that knows certificates of RSA keys only, and one that knows ECDSA only.
RSA_ONLY = Offer(maximum="TLSv1.2", ciphers="aRSA")
ECDSA_ONLY = Offer(maximum="TLSv1.2", ciphers="aECDSA")
#: A small client of 2014, that does not even know elliptic curves.
RSA_2014 = Offer(maximum="TLSv1.2", ciphers="AES128-SHA:AES256-SHA")
CHACHA_ONLY = Offer(ciphers="CHACHA20:!aNULL:!PSK", suites="TLS_CHACHA20_POLY1305_SHA256")

CLIENTS: Mapping[str, Offer] = {
    **{version: Offer(minimum=version, maximum=version) for version in VERSIONS},
    "esp32": ESP32,
    "rsa": RSA_ONLY,
    "ecdsa": ECDSA_ONLY,
    "rsa-2014": RSA_2014,
    "chacha": CHACHA_ONLY,
}

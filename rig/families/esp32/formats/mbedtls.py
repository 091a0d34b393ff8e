"""Which mbedTLS came with which release of ESP-IDF (its components/mbedtls/Kconfig at the tags that are named)."""

from __future__ import annotations

from rig.families.esp32.formats.idf import Idf
from rig.formats.mbedtls_build import MBEDTLS_2, MBEDTLS_3_2, MBEDTLS_3_5, MBEDTLS_4, MbedTls

#: Each from this release on.
BUILDS = ((Idf(3, 3), MBEDTLS_2), (Idf(5, 0), MBEDTLS_3_2), (Idf(5, 2), MBEDTLS_3_5), (Idf(6, 0), MBEDTLS_4))


def build_of(release: Idf) -> MbedTls:
    """The one in a release of ESP-IDF; before 3.3 the oldest that is known."""
    return next((build for first, build in reversed(BUILDS) if first <= release), MBEDTLS_2)

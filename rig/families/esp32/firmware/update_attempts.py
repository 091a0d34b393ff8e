"""Where an ESP32's image looks for updates and whom it trusts there, attempt by attempt.

Deploy the Fleet's libraries bring their own addresses and pins, release by release: arduino_esp32_update at its
tags, and dtf_sdk.
"""

from __future__ import annotations

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.firmware.server_trust import BUNDLE, Attempt, ServerTrust

#: Names of the certificates that the releases have compiled in.
LE_X3, DST_X3, LE_R3 = "lets-encrypt-x3", "dst-root-ca-x3", "lets-encrypt-r3"
ISRG_X1, CLOUDFLARE, DTF_X1 = "isrg-root-x1", "cloudflare-origin-ca", "dtf-root-x1"

#: One pin an attempt; the third goes to another host.
PINS_1 = {
    "1.0.0": (LE_X3,),
    "1.0.1": (DST_X3,),
    "1.0.2": (LE_R3,),
    "1.0.3": (LE_R3,),
    "1.0.4": (LE_R3,),
    "1.0.5": (ISRG_X1, CLOUDFLARE),
    "1.0.6": (ISRG_X1, CLOUDFLARE),
    "1.0.7": (ISRG_X1, CLOUDFLARE, DTF_X1),
    "1.0.8": (ISRG_X1, CLOUDFLARE, DTF_X1),
}
#: Which bundle of certificates a device has, as it tells the server.
BUNDLE_ID_1, BUNDLE_ID_SDK = 1, 2


def server_trust(behaviour: EspBehaviour) -> ServerTrust | None:
    """How an image looks at the servers it asks; None for one without a client.

    ESP-IDF and Arduino ignore validity unless they are built otherwise (mbedtls/Kconfig).
    """
    asked = tuple(Attempt(one.url.partition("?")[0], one.pins) for one in attempts(behaviour))
    if not asked:
        return None
    build = behaviour.tls_build.mbedtls
    return ServerTrust(asked, behaviour.skip_name, behaviour.checks_dates, behaviour.ecdsa, build)


def attempts(behaviour: EspBehaviour) -> tuple[Attempt, ...]:
    """In the order they are made, each after the one before has failed; none for an image without a client.

    What is told the servers of the board is left out.
    """
    release = behaviour.fleet_release
    if release is None:
        return (Attempt(behaviour.url, behaviour.pins),) if behaviour.url is not None else ()
    if release in PINS_1:
        return attempts_1(release, behaviour.url or "")
    return attempts_2(release, behaviour.product or "", "", "")


def attempts_1(release: str, url: str) -> tuple[Attempt, ...]:
    """Of a release of 1.x: every failure, not only that of TLS, leads to the next.

    1.0.7 makes an address with its bundle's id and then asks the caller's own, except at the last attempt.
    """
    address = f"{url}{'&' if '?' in url else '?'}cb={BUNDLE_ID_1}"
    usual = address if release == "1.0.8" else url
    return tuple(
        Attempt(address.replace("ota.", "ota9.") if pin == DTF_X1 else usual, (pin,)) for pin in PINS_1[release]
    )


def attempts_2(release: str, product: str, version: str, device: str) -> tuple[Attempt, Attempt]:
    """Of 2.x and the SDK: a primary endpoint, and one to fall back to when the first cannot be reached or trusted."""
    if release.startswith("sdk"):
        query = f"{product}?v={version}&did={device}&cb={BUNDLE_ID_SDK}"
        pins = (BUNDLE, DTF_X1)
        return (
            Attempt(f"https://ota.deploythefleet.io/{query}", pins),
            Attempt(f"https://ota9.deploythefleet.io/{query}", pins),
        )
    return (
        Attempt("https://ota2.deploythefleet.com/update", (BUNDLE,)),
        Attempt("https://ota4.deploythefleet.com/update", (DTF_X1,)),
    )

"""Named checks of whom an ESP32 takes by its certificates: probe, timeline and twin, and mbedTLS itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from rig.families.esp32.firmware.behaviour import DEFAULT_TLS, TlsBuild
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.mbedtls import build_of
from rig.families.esp32.twin.app.tls import TlsClient, TlsFailed
from rig.firmware.server_trust import Attempt, ServerTrust
from rig.formats.certificate_chain import Trust
from rig.trust.identity import pem
from rig.trust.probe.probe import ProbePlan, Target, probe
from rig.trust.shipped import PinFolder, Shipped
from tests.rig.trust.certificate_kinds import CURVES, HOST, NOW, Kind, Made, made, root
from tests.rig.trust.tls_servers import LOOPBACK, s_server

#: The release of ESP-IDF with the mbedTLS that python-mbedtls is, and today's.
OLD, TODAY = TlsBuild(Idf(4, 4)), DEFAULT_TLS


@dataclass(frozen=True)
class Case:
    """A certificate, the name that is dialled; whether mbedTLS 2.28 takes it, and 3.6: as real ones of both did."""

    kind: Kind
    old: bool
    today: bool
    dialled: str = HOST


#: Whether these may be critical.
CRITICAL = {
    "any policy": True, "usages": True, "a policy": False, "constraints of names": False, "an unknown one": False,
}  # fmt: skip
STRONG = ("p256", "p384", "p521", "bp256", "bp384", "bp512")
CASES = {
    **{f"a key on {one}": Case(Kind(key=one), True, one in STRONG) for one in CURVES},
    "an RSA key": Case(Kind(key="rsa-2048"), True, True),
    "an RSA key of 4096 bits": Case(Kind(key="rsa-4096"), True, True),
    "an RSA key of 1024 bits": Case(Kind(key="rsa-1024"), False, False),
    "an Ed25519 key": Case(Kind(key="ed25519"), False, False),
    "an RSA key for PSS alone": Case(Kind(key="rsa-pss"), False, False),
    **{f"an issuer's key on {one}": Case(Kind(issuer=one), True, one in STRONG) for one in CURVES},
    "an issuer with an RSA key": Case(Kind(issuer="rsa-2048"), True, True),
    "an issuer with an RSA key of 1024 bits": Case(Kind(issuer="rsa-1024"), False, False),
    "an issuer with an Ed25519 key": Case(Kind(issuer="ed25519"), False, False),
    "signed with PSS": Case(Kind(issuer="rsa-2048", pss=True), True, True),
    "signed with SHA-1": Case(Kind(issuer="rsa-2048", digest="sha1"), False, False),
    "signed with SHA-224": Case(Kind(digest="sha224"), True, False),
    "signed with SHA-384": Case(Kind(digest="sha384"), True, True),
    "signed with SHA-512": Case(Kind(issuer="rsa-2048", digest="sha512"), True, True),
    "a common name only": Case(Kind(names=()), True, True),
    "a star as common name": Case(Kind(names=(), common_name="*.rig.test"), True, True),
    "the common name, and others": Case(Kind(names=("x.test",)), False, False),
    "another common name": Case(Kind(common_name="x"), True, True),
    "a star for one label": Case(Kind(names=("*.rig.test",)), True, True),
    "a star for two labels": Case(Kind(names=("*.test",)), False, False),
    "a star in a label": Case(Kind(names=("o*.rig.test",)), False, False),
    "a star alone": Case(Kind(names=("*",)), False, False, "ota"),
    "capitals": Case(Kind(names=("OTA.rig.TEST",)), True, True, "ota.RIG.test"),
    "a dot at the end": Case(Kind(), False, False, f"{HOST}."),
    "a name of other letters": Case(Kind(names=("xn--bcher-kva.test",)), True, True, "xn--bcher-kva.test"),
    "an IP address": Case(Kind(names=("127.0.0.1",), common_name=""), False, True, "127.0.0.1"),
    "an IPv6 address": Case(Kind(names=("::1",), common_name=""), False, True, "::1"),
    "another IP address": Case(Kind(names=("127.0.0.2",), common_name=""), False, False, "127.0.0.1"),
    "an IP address as common name": Case(Kind(names=(), common_name="127.0.0.1"), True, True, "127.0.0.1"),
    **{f"{one}, critical": Case(Kind(extension=one), taken, taken) for one, taken in CRITICAL.items()},
    "an unknown one, not critical": Case(Kind(extension="an unknown one", critical=False), True, True),
    "an issuer with critical constraints of names": Case(Kind(above="constraints of names"), False, False),
    "an IP address as common name, and names": Case(Kind(common_name="127.0.0.1"), False, False, "127.0.0.1"),
}


def row(port: int, dialled: str):
    """The probe's, of an ESP32 that dials this."""
    plan = ProbePlan((root(),), ((LOOPBACK, port),), asks_revocation=False, asks_heartbeats=False, seconds=20)
    return probe([Target(dialled, port)], plan)


def timeline_takes(shown: Made, dialled: str, build: TlsBuild) -> bool:
    """As dark dates and the watch judge firmware that pins the root."""
    host = f"[{dialled}]" if ":" in dialled else dialled
    attempt = Attempt(f"https://{host}/fw", ("kinds-root",))
    firmware = Shipped("lamp", ("lamp",), ServerTrust((attempt,), build=build.mbedtls))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kinds-root.pem").write_bytes(pem(root()))
        return firmware.refuses(attempt, shown.chain, PinFolder(Path(folder)), NOW) is None


def twin_takes(port: int, dialled: str, build: TlsBuild) -> bool:
    """As a twin shakes hands."""
    client = TlsClient(dialled, Trust((root(),), name=dialled, build=build.mbedtls), build)
    with socket.create_connection((LOOPBACK, port), timeout=30) as sock, contextlib.suppress(TlsFailed):
        while not client.established:
            sock.sendall(bytes(client.outgoing))
            client.outgoing.clear()
            if not (data := sock.recv(4096)):
                return False
            client.receive(data)
    return client.established


def mbedtls_takes(port: int, dialled: str, ciphers=None, *, validates: bool = True) -> bool:
    """As mbedTLS 2.28 itself does, with everything on."""
    tls = pytest.importorskip("mbedtls.tls")
    from mbedtls.exceptions import TLSError
    from mbedtls.x509 import CRT

    version = tls.TLSVersion.TLSv1_2
    how = {"ciphers": ciphers} if ciphers is not None else {}
    settings = tls.TLSConfiguration(
        trust_store=tls.TrustStore([CRT.from_PEM(pem(root()).decode())]), validate_certificates=validates,
        lowest_supported_version=version, highest_supported_version=version, **how,
    )  # fmt: skip
    client = tls.ClientContext(settings).wrap_buffers(dialled)

    def flush():
        sock.sendall(client.peek_outgoing(65536))
        client.consume_outgoing(len(client.peek_outgoing(65536)))

    with socket.create_connection((LOOPBACK, port), timeout=30) as sock:
        while client._handshake_state is not tls.HandshakeStep.HANDSHAKE_OVER:
            try:
                client.do_handshake()
            except tls.WantReadError:
                flush()
                if not (data := sock.recv(4096)):
                    return False
                client.receive_from_network(data)
            except tls.WantWriteError:
                flush()
            except TLSError:
                return False
        flush()
    return True


def of_case(name: str, judge):
    """What a judge says at a server that shows the case's certificate; `judge` gets its port and the case."""
    case = CASES[name]

    async def act(folder: Path):
        async with s_server(folder, made(case.kind), "-cipher", "ALL:@SECLEVEL=0", "-no_tls1_3") as port:
            return await judge(port, case)

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(act(Path(folder)))


def all_judges_agree(name: str) -> None:
    """The probe's row, timeline and twin with today's build; these with that of 4.4, and mbedTLS 2.28 itself."""

    async def judge(port, case):
        (report,) = await row(port, case.dialled)
        return {
            "probe": report.addresses[0].error is None and report.addresses[0].clients["esp32"].accepted,
            "twin": await asyncio.to_thread(twin_takes, port, case.dialled, TODAY),
            "twin of 4.4": await asyncio.to_thread(twin_takes, port, case.dialled, OLD),
            "mbedTLS 2.28": await asyncio.to_thread(mbedtls_takes, port, case.dialled),
        }

    case = CASES[name]
    said = of_case(name, judge)
    said["timeline"] = timeline_takes(made(case.kind), case.dialled, TODAY)
    said["timeline of 4.4"] = timeline_takes(made(case.kind), case.dialled, OLD)
    expected = {one: case.old if one.endswith(("4.4", "2.28")) else case.today for one in said}
    assert said == expected, name


def of_a_certificate(name: str):
    return lambda _folder: all_judges_agree(name)


def a_key_that_is_too_long_for_an_esp32_is_refused(_folder):
    """On any other machine mbedTLS computes with it: the limit is the ESP32's own, up to ESP-IDF 5.5."""
    shown = made(Kind(key="rsa-8192"))
    below = made(Kind(issuer="rsa-8192"))
    for build, taken in ((TlsBuild(Idf(4, 4)), False), (TlsBuild(Idf(5, 5)), False), (TlsBuild(Idf(6, 0)), True)):
        assert timeline_takes(shown, HOST, build) is taken, f"a leaf of 8192 bits, and {build}"
        assert timeline_takes(below, HOST, build) is taken, f"an issuer of 8192 bits, and {build}"
    assert build_of(Idf(5, 5)).longest_rsa == 4096


def client_of_3_6() -> str:
    """A program that shakes hands by mbedTLS 3.6: PORT NAME CAFILE; exit status 0 where it takes the server."""
    found = os.environ.get("RIG_MBEDTLS3") or shutil.which("rig-mbedtls3")
    if found is None:
        pytest.skip("RIG_MBEDTLS3 names no client of mbedTLS 3.6")
    return found


def who_knows_ecdsa_only_is_shown_no_ed25519(_folder):
    """OpenSSL counts Ed25519 among the suites of ECDSA, and mbedTLS knows none of it."""

    async def act(folder: Path):
        async with s_server(folder, made(Kind(key="ed25519")), "-cipher", "ALL:@SECLEVEL=0", "-no_tls1_3") as port:
            (report,) = await row(port, HOST)
            return report.addresses[0].clients["ecdsa"].accepted

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(act(Path(folder))) is False, "let in by a key that it cannot use"

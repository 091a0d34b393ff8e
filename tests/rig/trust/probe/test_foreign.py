"""What OpenSSL's s_client and sslyze say of an endpoint is what a probe says of it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil

import pytest
from cryptography import x509

from rig.trust.probe import chain_view
from rig.trust.probe.probe import Target, probe
from tests.rig.installed import installed
from tests.rig.trust.probe.leaking_responder import LeakingResponder, drops, leaks
from tests.rig.trust.probe.probe_lab import ECDSA, RSA, plan
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint
from tests.rig.waiting import HANGS


def sslyze() -> str:
    found = os.environ.get("RIG_SSLYZE") or shutil.which("sslyze")
    if found is None:
        pytest.skip("sslyze is not installed, and RIG_SSLYZE names none")
    return found


async def run(*command) -> bytes:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    return (await asyncio.wait_for(process.communicate(), HANGS))[0]


async def scan(port, *words) -> dict:
    said = await run(sslyze(), "--json_out=-", f"--sni={HOST}", *words, f"{LOOPBACK}:{port}")
    return json.loads(said)["server_scan_results"][0]["scan_result"]


def test_sslyze_sees_the_same_chains_and_versions():
    names = {"TLSv1": "tls_1_0", "TLSv1.1": "tls_1_1", "TLSv1.2": "tls_1_2", "TLSv1.3": "tls_1_3"}

    async def act():
        async with endpoint(RSA, minimum="TLSv1.1", maximum="TLSv1.2") as port:
            (report,) = await probe([Target(HOST)], plan((LOOPBACK, port)))
            words = ("--certinfo", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3")
            return report, await scan(port, *words)

    report, seen = asyncio.run(act())
    (address,) = report.addresses
    deployments = seen["certificate_info"]["result"]["certificate_deployments"]
    chains = [[base64.b64decode(one["fingerprint_sha256"]).hex() for one in each["received_certificate_chain"]]
              for each in deployments]  # fmt: skip
    assert chains == [[one.sha256 for one in chain.certificates] for chain in address.chains]
    for version, theirs in names.items():
        accepted = seen[f"{theirs}_cipher_suites"]["result"]["accepted_cipher_suites"]
        assert bool(accepted) == address.clients[version].accepted, version


@pytest.mark.parametrize("behaviour", [leaks, drops])
def test_sslyze_says_the_same_of_heartbleed(behaviour):
    async def act():
        responder = LeakingResponder(RSA, behaviour)
        async with endpoint(RSA, maximum="TLSv1.2") as responder.behind, responder.serving() as port:
            (report,) = await probe([Target(HOST)], plan((LOOPBACK, port), asks_heartbeats=True))
            return report, await scan(port, "--heartbleed")

    report, seen = asyncio.run(act())
    assert seen["heartbleed"]["result"]["is_vulnerable_to_heartbleed"] is (behaviour is leaks)
    assert bool(report.found("heartbleed")) is (behaviour is leaks)


VERSIONS = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}


def test_s_client_is_let_in_with_the_same_versions_and_shown_the_same():
    async def act():
        async with endpoint(ECDSA, minimum="TLSv1.3") as port:
            (report,) = await probe([Target(HOST)], plan((LOOPBACK, port)))
            where = ("-connect", f"{LOOPBACK}:{port}", "-servername", HOST, "-showcerts")
            return report, [await run(installed("openssl"), "s_client", *where, word) for word in VERSIONS.values()]

    report, told = asyncio.run(act())
    (address,) = report.addresses
    for version, said in zip(VERSIONS, told, strict=True):
        blocks = re.findall(rb"-----BEGIN CERT.*?-----END CERTIFICATE-----", said, re.S)[: len(ECDSA.chain)]
        shown = [chain_view.view_certificate(x509.load_pem_x509_certificate(block)).sha256 for block in blocks]
        assert bool(shown) == address.clients[version].accepted
        assert shown in ([], [one.sha256 for one in address.chains[0].certificates])

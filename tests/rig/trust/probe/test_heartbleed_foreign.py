"""Whatever suite and version OpenSSL's own server is restricted to, it takes our hello, up to the question."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from rig.formats.tls_heartbeat import Heartbeats
from rig.formats.tls_old_hello import WIDE
from rig.trust.authority import make_root
from rig.trust.look.refusal import Refusal
from rig.trust.probe.heartbleed import heartbeats
from tests.rig.installed import installed
from tests.rig.trust.probe.checks_heartbleed import IDENTITY
from tests.rig.trust.tls_servers import HOST, LOOPBACK, s_server

ECDSA = make_root("Bleeding ECDSA Root").issue(HOST)
#: As `openssl ciphers -V` tells how a server proves itself.
PROVED = ("Au=RSA", "Au=ECDSA", "Au=None", "Au=PSK")
AT_ONCE = 4


def suites() -> list[tuple[str, str]]:
    """Name and first version of each suite before TLS 1.3 that this OpenSSL has and that a hello of 2014 could have."""
    words = ("ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    said = subprocess.run([installed("openssl"), *words], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in said.splitlines()]
    known = [(int(row[0].replace(",0x", ""), 16), row[2], row[3], row[5]) for row in rows if row[3] != "TLSv1.3"]
    return [(name, first) for number, name, first, proof in known if number in WIDE.suites and proof in PROVED]


async def asked(folder, *words):
    folder.mkdir()
    async with s_server(folder, IDENTITY, "-psk", "00ff", *words, second=ECDSA) as port:
        try:
            return await heartbeats((LOOPBACK, port), HOST, seconds=20, answer_seconds=2)
        except Refusal as refusal:
            return str(refusal)


def all_asked(folder, cases):
    """What is said of each, some at once."""

    async def act():
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number, words):
            async with room:
                return await asked(folder / str(number), *words)

        return await asyncio.gather(*(one(number, words) for number, words in enumerate(cases.values())))

    return dict(zip(cases, asyncio.run(act()), strict=True))


SAMPLE = ("AES128-SHA", "AES256-SHA256", "DHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384", "ADH-AES128-SHA",
          "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-CAMELLIA256-SHA", "ECDHE-ECDSA-AES256-CCM8", "PSK-AES128-CBC-SHA",
          "NULL-SHA256")  # fmt: skip


def of_suites(names):
    return {name: ("-tls1_2", "-cipher", f"{name}:@SECLEVEL=0") for name, _ in suites() if name in names}


def test_a_server_of_one_suite_comes_to_the_question(tmp_path):
    cases = of_suites(SAMPLE)
    assert len(cases) >= 8, "this OpenSSL has too few"
    said = all_asked(tmp_path, cases)
    assert {name: one for name, one in said.items() if one is not Heartbeats.NONE} == {}


@pytest.mark.long
def test_a_server_of_any_one_suite_comes_to_the_question(tmp_path):
    cases = of_suites([name for name, _ in suites()])
    assert len(cases) > 80
    said = all_asked(tmp_path, cases)
    assert {name: one for name, one in said.items() if one is not Heartbeats.NONE} == {}


OLD = ("AES128-SHA", "DHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "AECDH-AES128-SHA")


def test_a_server_of_an_old_version_comes_to_the_question(tmp_path):
    cases = {
        f"{name} {version}": (version, "-cipher", f"{name}:@SECLEVEL=0")
        for name, first in suites() for version in ("-tls1", "-tls1_1") if name in OLD and first != "TLSv1.2"
    }  # fmt: skip
    assert len(cases) == 2 * len(OLD)
    said = all_asked(tmp_path, cases)
    assert {name: one for name, one in said.items() if one is not Heartbeats.NONE} == {}

"""Rows of the probe are what such clients do, by real handshakes: certificates of every kind against every judge."""

from __future__ import annotations

import asyncio

import pytest

from rig.trust.identity import pem
from rig.trust.soundness import flaws
from tests.rig.trust import checks_clients as check
from tests.rig.trust.certificate_kinds import HOST, NOW, Kind, made, root
from tests.rig.trust.checks_clients import CASES
from tests.rig.trust.probe.probe_lab import codes
from tests.rig.trust.tls_servers import s_server


@pytest.mark.parametrize("name", CASES)
def test_probe_timeline_twin_and_mbedtls_say_the_same_of_a_certificate(name):
    check.all_judges_agree(name)


@pytest.mark.parametrize("name", CASES)
def test_mbedtls_3_6_itself_says_so(name, tmp_path):
    program = check.client_of_3_6()
    (tmp_path / "root.pem").write_bytes(pem(root()))

    async def judge(port, case):
        words = (str(port), case.dialled, str(tmp_path / "root.pem"))
        process = await asyncio.create_subprocess_exec(program, *words, stdout=asyncio.subprocess.DEVNULL)
        return await process.wait()

    assert (check.of_case(name, judge) == 0) is CASES[name].today


@pytest.mark.long
def test_a_key_that_is_too_long_for_an_esp32_is_refused(tmp_path):
    check.a_key_that_is_too_long_for_an_esp32_is_refused(tmp_path)


#: mbedTLS' suites of each kind of client, and what it is shown: whether it is let in.
SUITES = {
    "rsa": ("TLS-ECDHE-RSA-", "TLS-DHE-RSA-", "TLS-RSA-WITH-"),
    "ecdsa": ("TLS-ECDHE-ECDSA-",),
    "rsa-2014": ("TLS-RSA-WITH-AES-128-CBC-SHA", "TLS-RSA-WITH-AES-256-CBC-SHA"),
    "chacha": ("TLS-ECDHE-RSA-WITH-CHACHA", "TLS-ECDHE-ECDSA-WITH-CHACHA"),
}
KEYS = ("p256", "p384", "p521", "rsa-2048", "ed25519", "rsa-pss")


@pytest.mark.parametrize("kind", KEYS)
def test_who_knows_some_keys_only_is_let_in_as_mbedtls_is(kind, tmp_path):
    tls = pytest.importorskip("mbedtls.tls")

    async def act():
        async with s_server(tmp_path, made(Kind(key=kind)), "-cipher", "ALL:@SECLEVEL=0", "-no_tls1_3") as port:
            (report,) = await check.row(port, HOST)
            real = {}
            for client, begins in SUITES.items():
                exact = client == "rsa-2014"
                some = [one for one in tls.ciphers_available() if (one in begins if exact else one.startswith(begins))]
                real[client] = await asyncio.to_thread(check.mbedtls_takes, port, HOST, some, validates=False)
            return report.addresses[0].clients, real

    rows, real = asyncio.run(act())
    keys = KEYS if kind not in ("ed25519", "rsa-pss") else ("rsa", "ecdsa", "rsa-2014")  # others may know these keys
    told = {name: rows[name].accepted for name in SUITES}
    assert {name: one for name, one in told.items() if name in keys or keys is KEYS} == {
        name: one for name, one in real.items() if name in keys or keys is KEYS
    }


def test_a_common_name_only_is_a_warning_and_no_lost_client(tmp_path):
    async def act():
        shown = made(CASES["a common name only"].kind)
        async with s_server(tmp_path, shown, "-no_tls1_3") as port:
            return await check.row(port, HOST)

    (report,) = asyncio.run(act())
    assert {"common-name-only"} <= codes(report, "warning")
    assert codes(report, "broken") == set()


def test_a_name_of_other_letters_is_the_same_in_its_url_form():
    chain = made(CASES["a name of other letters"].kind).chain
    from rig.trust.look.dialling import url_name

    assert flaws(chain, [url_name("bücher.test")], at=NOW, roots=(root(),)) == []

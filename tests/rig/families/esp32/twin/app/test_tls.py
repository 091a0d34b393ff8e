"""Whom an ESP32's TLS client takes, and what a server sees when it does not: as its esp_tls_mbedtls.c decides."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.formats.certificate_chain import Trust
from rig.trust.authority import make_root
from rig.trust.identity import pem
from tests.rig.families.esp32.twin.app import checks_tls as assert_that
from tests.rig.families.esp32.twin.app.app_server import HOST, context
from tests.rig.families.esp32.twin.app.checks_tls import (
    EXPIRED,
    LEAF,
    OTHER,
    PURPOSES,
    ROOT,
    RSA_KEY,
    UNSUPPORTED,
    VERDICTS,
    A,
    B,
    ended,
    issued_with,
    serve,
    server,
    shake_hands,
    the_purpose,
    usable_for,
)

mbedtls = pytest.importorskip("mbedtls.tls", reason="python-mbedtls is not installed")

#: What this build of mbedTLS cannot be asked: it would look at dates, has no callback for a bundle, and takes a
#: curve that today's ESP-IDF does not: it is of mbedTLS 2.28, as that of ESP-IDF 4.4 (checks_clients).
OURS_ALONE = [case for case in VERDICTS if any(word in case for word in ("bundle", "expired", "dates", "secp256k1"))]


@pytest.mark.parametrize("case", VERDICTS)
def test_a_chain_is_taken_or_refused_with_an_alert_that_the_server_sees(case):
    assert_that.a_chain_is_judged_as_the_table_says(case)


@pytest.mark.parametrize("case", [case for case in VERDICTS if case not in OURS_ALONE])
def test_mbedtls_itself_judges_a_chain_alike(case):
    """With its own verification on, which looks at dates: so only of chains that are valid today."""
    identity, trust, expected = VERDICTS[case]
    store = mbedtls.TrustStore()
    for anchor in trust.anchors:
        store.add(anchor_of(anchor))
    assert by_mbedtls(store, context(identity), trust.name) == (expected or (0, ""))


@pytest.mark.parametrize("case", PURPOSES)
def test_a_key_is_used_for_what_its_certificate_allows(case):
    the_purpose(case)
    purpose, suite, taken = PURPOSES[case]
    store = mbedtls.TrustStore()
    store.add(anchor_of(ROOT.certificate))
    served = server(issued_with(usable_for(purpose), key=RSA_KEY), ciphers=suite)
    assert by_mbedtls(store, served, HOST) == ((0, "") if taken else (-0x7A00, UNSUPPORTED))


CROSSED = OTHER.cross_sign(ROOT)
#: Everything that may come behind a leaf, or be pinned; a namesake has a name and not its key.
POOL = [one.certificate for one in (ROOT, OTHER, A, B, CROSSED, make_root("Root"), ROOT.intermediate("A"))]
LEAVES = [LEAF, ROOT.issue(HOST), CROSSED.issue(HOST), A.issue("else.test")]


@given(
    st.sampled_from(LEAVES),
    st.lists(st.sampled_from(POOL), max_size=5),
    st.lists(st.sampled_from([*POOL, LEAF.leaf]), min_size=1, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_mbedtls_judges_alike_whatever_is_sent_and_whatever_is_pinned(leaf, behind, anchors):
    """Certificates missing, too many, twice, and in any order."""
    shown = replace(leaf, chain=(leaf.leaf, *behind))
    store = mbedtls.TrustStore()
    for anchor in anchors:
        store.add(anchor_of(anchor))
    shaken = shake_hands(Trust(tuple(anchors), name=HOST), context(shown))
    assert (shaken.code, shaken.server_error) == by_mbedtls(store, context(shown), HOST)


#: The same, and of some a twin that ended: with dates looked at, one that is valid is preferred.
DATED = [*POOL, ended(A, ROOT), ended(ROOT, ROOT), ended(ROOT, OTHER)]


@given(
    st.sampled_from([*LEAVES, EXPIRED]),
    st.lists(st.sampled_from(DATED), max_size=5),
    st.lists(st.sampled_from(DATED), min_size=1, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_mbedtls_judges_alike_when_dates_are_looked_at(leaf, behind, anchors):
    shown = replace(leaf, chain=(leaf.leaf, *behind))
    store = mbedtls.TrustStore()
    for anchor in anchors:
        store.add(anchor_of(anchor))
    shaken = shake_hands(Trust(tuple(anchors), name=HOST, at=datetime.now(UTC)), context(shown))
    assert (shaken.code, shaken.server_error) == by_mbedtls(store, context(shown), HOST)


def anchor_of(certificate: x509.Certificate):
    from mbedtls.x509 import CRT

    return CRT.from_PEM(pem(certificate).decode())


def by_mbedtls(store, server: ssl.SSLContext, name: str | None) -> tuple[int, str]:
    """mbedTLS's own verdict on a server, and what the server is told."""
    version = mbedtls.TLSVersion.TLSv1_2
    settings = mbedtls.TLSConfiguration(
        trust_store=store, validate_certificates=True, lowest_supported_version=version,
        highest_supported_version=version,
    )  # fmt: skip
    client = mbedtls.ClientContext(settings).wrap_buffers(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, code, error = server.wrap_bio(incoming, outgoing, server_side=True), 0, ""
    for _ in range(60):
        try:
            if not code and client._handshake_state is not mbedtls.HandshakeStep.HANDSHAKE_OVER:
                client.do_handshake()
        except (mbedtls.WantReadError, mbedtls.WantWriteError):
            pass
        except Exception as failure:
            code = -failure.err
        sent = client.peek_outgoing(65536)
        client.consume_outgoing(len(sent))
        incoming.write(sent)
        error = error or serve(peer)
        if data := outgoing.read():
            client.receive_from_network(data)
    return code, error


def test_a_namesake_of_the_root_is_not_it(tmp_path):
    assert_that.a_namesake_of_the_root_is_not_it(tmp_path)

"""Whom an ESP32's TLS client takes, and what a server sees when it does not: the table of reference/esp32.md §6.2."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from esp_app_server import HOST, context
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.formats.tls_records import ClientRecords
from rig.trust.authority import Authority, Identity, make_root, pem
from rig.twin.esp32.app import certificates, tls
from rig.twin.esp32.app.certificates import Trust, read_pem
from rig.twin.esp32.app.tls import TlsClient, TlsFailed

mbedtls = pytest.importorskip("mbedtls.tls", reason="python-mbedtls is not installed")

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ROOT, OTHER = make_root("Root"), make_root("Other")
A, B = ROOT.intermediate("A"), ROOT.intermediate("B")
LEAF = A.issue(HOST)
DEEP = A.intermediate("Below A").issue(HOST)
EXPIRED = A.issue(HOST, begins=NOW - 90 * DAY, life=30 * DAY)
UNKNOWN_CA, ACCESS_DENIED = "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED"
BAD_CERTIFICATE = "SSLV3_ALERT_BAD_CERTIFICATE"
CERTIFICATE_EXPIRED, CERTIFICATE_UNKNOWN = "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN"
UNSUPPORTED = "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"


def trusting(*authorities: Authority, name: str | None = HOST, at: datetime | None = None) -> Trust:
    return Trust(tuple(one.certificate for one in authorities), name=name, at=at)


def bundle(*authorities: Authority, name: str | None = HOST) -> Trust:
    return Trust(bundle=tuple(one.certificate for one in authorities), name=name)


def for_clients_only() -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder().serial_number(1).public_key(key.public_key())
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]))
    builder = builder.issuer_name(A.certificate.subject).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return Identity((builder.sign(A.key, hashes.SHA256()), A.certificate), key)


def bare(identity: Identity) -> Identity:
    """Without its intermediate."""
    return replace(identity, chain=identity.chain[:1])


def swapped(identity: Identity) -> Identity:
    """The certificates behind the leaf the other way round."""
    return replace(identity, chain=(identity.leaf, *reversed(identity.chain[1:])))


def self_signed() -> Identity:
    return Identity((OTHER.certificate,), OTHER.key)


#: What a server shows, whom the device trusts: taken (None), or mbedTLS's error and what the server is told.
VERDICTS: dict[str, tuple[Identity, Trust, tuple[int, str] | None]] = {
    "the root is pinned": (LEAF, trusting(ROOT), None),
    "the intermediate is pinned": (LEAF, trusting(A), None),
    "another intermediate of the same root is pinned": (LEAF, trusting(B), (-0x2700, UNKNOWN_CA)),
    "another root is pinned": (LEAF, trusting(OTHER), (-0x2700, UNKNOWN_CA)),
    "nothing is pinned": (LEAF, trusting(), (-0x7680, UNKNOWN_CA)),
    "the right one of several pins": (LEAF, trusting(OTHER, B, ROOT), None),
    "another name": (LEAF, trusting(ROOT, name="else.test"), (-0x2700, BAD_CERTIFICATE)),
    "another name, and another root": (LEAF, trusting(OTHER, name="else.test"), (-0x2700, BAD_CERTIFICATE)),
    "another name, and names are not looked at": (LEAF, trusting(ROOT, name=None), None),
    "a wildcard": (A.issue("*.test"), trusting(ROOT), None),
    "a wildcard for one label only": (A.issue("*.test"), trusting(ROOT, name="a.ota.test"), (-0x2700, BAD_CERTIFICATE)),
    "no name but the common one": (A.issue(common_name=HOST), trusting(ROOT), None),
    "expired, and dates are ignored": (EXPIRED, trusting(ROOT), None),
    "expired, and dates are checked": (EXPIRED, trusting(ROOT, at=NOW), (-0x2700, CERTIFICATE_EXPIRED)),
    "dates are checked, and it is 1970": (
        LEAF, trusting(ROOT, at=datetime.fromtimestamp(5, UTC)), (-0x2700, CERTIFICATE_UNKNOWN),
    ),
    "dates are checked, and they are right": (A.issue(HOST), trusting(ROOT, at=NOW), None),
    "the root is in the bundle": (LEAF, bundle(OTHER, ROOT), None),
    "no root of it is in the bundle": (LEAF, bundle(OTHER), (-0x3000, ACCESS_DENIED)),
    "in the bundle, and another name": (LEAF, bundle(ROOT, name="else.test"), (-0x2700, BAD_CERTIFICATE)),
    "the intermediate is not sent, the root is pinned": (bare(LEAF), trusting(ROOT), (-0x2700, UNKNOWN_CA)),
    "the intermediate is not sent, it is pinned": (bare(LEAF), trusting(A), None),
    "cross-signed, the old root is pinned": (OTHER.cross_sign(ROOT).issue(HOST), trusting(OTHER), None),
    "cross-signed, the new root is pinned": (OTHER.cross_sign(ROOT).issue(HOST), trusting(ROOT), None),
    "cross-signed, the old root is in the bundle": (OTHER.cross_sign(ROOT).issue(HOST), bundle(OTHER), None),
    "cross-signed, only the new root is in the bundle": (
        OTHER.cross_sign(ROOT).issue(HOST), bundle(ROOT), (-0x3000, ACCESS_DENIED),
    ),
    "intermediates in the wrong order": (swapped(DEEP), trusting(ROOT), (-0x2700, UNKNOWN_CA)),
    "intermediates in order": (DEEP, trusting(ROOT), None),
    "a leaf as pin": (LEAF, Trust((LEAF.leaf,), name=HOST), (-0x2700, UNKNOWN_CA)),
    "a self-signed certificate as pin": (self_signed(), Trust((OTHER.certificate,), name=None), None),
    "a certificate for clients": (for_clients_only(), trusting(ROOT), (-0x7A00, UNSUPPORTED)),
    "an RSA leaf": (ROOT.issue(HOST, key="rsa-2048"), trusting(ROOT), None),
    "a P-384 leaf": (ROOT.issue(HOST, key="p384"), trusting(ROOT), None),
}  # fmt: skip
#: What a device's build cannot be asked: its own mbedTLS would look at dates, or has no callback for a bundle.
OURS_ALONE = [case for case in VERDICTS if "bundle" in case or "expired" in case or "dates" in case]


@dataclass
class Shaken:
    """How a handshake ended, seen from both sides."""

    code: int = 0
    server_error: str = ""
    cipher: str = ""
    version: str = ""


def shake_hands(trust: Trust, server: ssl.SSLContext, name: str = HOST) -> Shaken:
    """A device against OpenSSL, byte for byte in memory; then a word each way."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, shaken = server.wrap_bio(incoming, outgoing, server_side=True), Shaken()
    client = TlsClient(name, trust)
    for _ in range(20):
        incoming.write(bytes(client.outgoing))
        client.outgoing.clear()
        shaken.server_error = shaken.server_error or _serve(peer)
        if data := outgoing.read():
            try:
                client.receive(data)
            except TlsFailed as failure:
                shaken.code = shaken.code or failure.code
    if client.established and not shaken.server_error:
        client.send(b"question")
        incoming.write(bytes(client.outgoing))
        assert peer.read(100) == b"question"
        peer.write(b"answer" * 9000)
        client.receive(outgoing.read())
        assert client.plain == b"answer" * 9000
        shaken.cipher, shaken.version = client.cipher or "", peer.version() or ""
    return shaken


def _serve(peer: ssl.SSLObject) -> str:
    try:
        peer.do_handshake()
    except ssl.SSLWantReadError:
        pass
    except ssl.SSLError as error:
        return error.reason or "closed"
    return ""


def check_verdict(case: str) -> None:
    identity, trust, expected = VERDICTS[case]
    shaken = shake_hands(trust, context(identity), trust.name or HOST)
    assert (shaken.code, shaken.server_error) == (expected or (0, ""))
    assert bool(shaken.cipher) == (expected is None)


@pytest.mark.parametrize("case", VERDICTS)
def test_a_chain_is_taken_or_refused_with_an_alert_that_the_server_sees(case):
    check_verdict(case)


@pytest.mark.parametrize("case", [case for case in VERDICTS if case not in OURS_ALONE])
def test_mbedtls_itself_judges_a_chain_alike(case):
    """With its own verification on, which looks at dates: so only of chains that are valid today."""
    identity, trust, expected = VERDICTS[case]
    store = mbedtls.TrustStore()
    for anchor in trust.anchors:
        store.add(anchor_of(anchor))
    assert by_mbedtls(store, context(identity), trust.name) == (expected or (0, ""))


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
        error = error or _serve(peer)
        if data := outgoing.read():
            client.receive_from_network(data)
    return code, error


# -- protocol --------------------------------------------------------------------------------------------------------


def server(**knobs: object) -> ssl.SSLContext:
    made = context(ROOT.issue(HOST, key="rsa-2048"))
    if "ciphers" in knobs:
        made.set_ciphers(str(knobs["ciphers"]))
    for name in ("minimum_version", "maximum_version"):
        if name in knobs:
            setattr(made, name, knobs[name])
    return made


#: What a server insists on: a suite that is agreed on, or mbedTLS's error and OpenSSL's.
PROTOCOLS: dict[str, tuple[dict[str, object], str | tuple[int, str]]] = {
    "anything": ({}, "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"),
    "AES-128-GCM": ({"ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256"),
    "CBC": ({"ciphers": "ECDHE-RSA-AES256-SHA384"}, "TLS-ECDHE-RSA-WITH-AES-256-CBC-SHA384"),
    "RSA key exchange, CCM": ({"ciphers": "AES128-CCM"}, "TLS-RSA-WITH-AES-128-CCM"),
    "TLS 1.3 alone": ({"minimum_version": ssl.TLSVersion.TLSv1_3}, (-0x7780, "UNSUPPORTED_PROTOCOL")),
    "TLS 1.1 at most": (
        {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1,
         "ciphers": "DEFAULT:@SECLEVEL=0"},
        (-0x6E80, "TLSV1_ALERT_PROTOCOL_VERSION"),
    ),
    "ChaCha alone": ({"ciphers": "ECDHE-RSA-CHACHA20-POLY1305"}, (-0x7780, "NO_SHARED_CIPHER")),
    "DHE alone": ({"ciphers": "DHE-RSA-AES256-GCM-SHA384"}, (-0x7780, "NO_SHARED_CIPHER")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("case", PROTOCOLS)
def test_only_tls_1_2_with_the_suites_of_a_device_is_spoken(case):
    knobs, expected = PROTOCOLS[case]
    shaken = shake_hands(trusting(ROOT), server(**knobs))
    if isinstance(expected, str):
        assert (shaken.cipher, shaken.version) == (expected, "TLSv1.2")
    else:
        assert (shaken.code, shaken.server_error) == expected


def test_a_hello_offers_what_a_device_offers_and_names_the_host():
    client, records = TlsClient(HOST, trusting(ROOT)), ClientRecords()
    records.feed(bytes(client.outgoing))
    assert records.hello is not None
    assert records.hello.server_name == HOST
    assert max(records.hello.versions) == 0x0303
    assert 0xC02F in records.hello.ciphers
    assert not {0xCCA8, 0xCCA9, 0xCCAA, 0x1301, 0x1302, 0x1303} & set(records.hello.ciphers)


def test_nothing_but_the_alert_is_sent_to_a_server_that_is_not_trusted():
    """No key exchange, nothing encrypted: what mbedTLS would have said next is not said."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = context(LEAF).wrap_bio(incoming, outgoing, server_side=True)
    client = TlsClient(HOST, trusting(OTHER))
    incoming.write(bytes(client.outgoing))
    client.outgoing.clear()
    _serve(peer)
    with pytest.raises(TlsFailed):
        client.receive(outgoing.read())
    assert bytes(client.outgoing) == bytes([21, 3, 3, 0, 2, 2, 48])
    assert not client.established


def test_a_server_s_goodbye_ends_what_can_be_read():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, client = context(LEAF).wrap_bio(incoming, outgoing, server_side=True), TlsClient(HOST, trusting(ROOT))
    while not client.established:
        incoming.write(bytes(client.outgoing))
        client.outgoing.clear()
        _serve(peer)
        client.receive(outgoing.read())
    incoming.write(bytes(client.outgoing))
    peer.do_handshake()
    peer.write(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        peer.unwrap()
    client.receive(outgoing.read())
    assert (bytes(client.plain), client.ended) == (b"last words", True)


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 3000), st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_whatever_a_server_says_the_client_goes_on_or_fails_by_name(pieces, at, value):
    """Noise, and a true flight with one byte changed."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, client = context(LEAF).wrap_bio(incoming, outgoing, server_side=True), TlsClient(HOST, trusting(ROOT))
    incoming.write(bytes(client.outgoing))
    _serve(peer)
    flight = bytearray(outgoing.read())
    flight[at % len(flight)] ^= value
    with contextlib.suppress(TlsFailed):
        for piece in (flight[:at], *pieces, flight[at:]):
            client.receive(bytes(piece))
    assert not client.established


def test_what_is_no_pem_is_refused_by_name():
    with pytest.raises(Misuse, match="certificate pin: no certificates"):
        read_pem("nothing", "certificate pin")


# -- planted faults --------------------------------------------------------------------------------------------------


def _no_names(monkeypatch):
    monkeypatch.setattr(certificates, "_is_for", lambda _certificate, _name: True)


def _dates_always(monkeypatch):
    judge = Trust.refuses
    monkeypatch.setattr(Trust, "refuses", lambda self, chain: judge(replace(self, at=self.at or NOW), chain))


def _no_verdict(monkeypatch):
    monkeypatch.setattr(Trust, "refuses", lambda _self, _chain: None)


def _anchors_by_name(monkeypatch):
    monkeypatch.setattr(certificates, "_signed", lambda child, issuer: child.issuer == issuer.subject)


def _roots_alone(monkeypatch):
    real = certificates._may_issue
    monkeypatch.setattr(certificates, "_may_issue", lambda one, above: real(one, above) and one.subject == one.issuer)


def _all_suites(monkeypatch):
    monkeypatch.setattr(tls, "suites", lambda: tuple(mbedtls.ciphers_available()))
    tls._context.cache_clear()


#: A fault, and the check that notices it.
FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = {
    "names are not checked": (_no_names, lambda: check_verdict("another name")),
    "dates are checked by default": (_dates_always, lambda: check_verdict("expired, and dates are ignored")),
    "no chain is refused": (_no_verdict, lambda: check_verdict("another root is pinned")),
    "signatures are not checked": (_anchors_by_name, lambda: check_verdict_of_a_namesake()),
    "only roots are anchors": (_roots_alone, lambda: check_verdict("the intermediate is pinned")),
    "every suite is offered": (_all_suites, lambda: check_chacha()),
}


def check_verdict_of_a_namesake() -> None:
    """Another root of the same name and another key."""
    shaken = shake_hands(trusting(make_root("Root")), context(LEAF))
    assert (shaken.code, shaken.server_error) == (-0x2700, UNKNOWN_CA)


def check_chacha() -> None:
    assert not shake_hands(trusting(ROOT), server(ciphers="ECDHE-RSA-CHACHA20-POLY1305")).cipher


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(fault, monkeypatch):
    plant, check = FAULTS[fault]
    check()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
    tls._context.cache_clear()

"""Named checks of test_mutants about whom an ESP32's TLS client takes: chains, pins and what a server sees of it."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rig.families.esp32.firmware.behaviour import DEFAULT_TLS, TlsBuild
from rig.families.esp32.twin.app.tls import TlsClient, TlsFailed
from rig.formats.certificate_chain import Trust
from rig.trust.authority import Authority, make_root
from rig.trust.identity import Identity
from tests.rig.families.esp32.twin.app.app_server import HOST, context

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


def issued_with(*extensions: x509.ExtensionType, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Identity:
    """A leaf under A that has these extensions alone."""
    builder = x509.CertificateBuilder().serial_number(1).public_key(key.public_key())
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]))
    builder = builder.issuer_name(A.certificate.subject).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Identity((builder.sign(A.key, hashes.SHA256()), A.certificate), key)


EC_KEY, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
FOR_CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def usable_for(*purposes: str) -> x509.KeyUsage:
    """A KeyUsage that allows these and nothing else."""
    known = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: name in purposes for name in known})


def bare(identity: Identity) -> Identity:
    """Without its intermediate."""
    return replace(identity, chain=identity.chain[:1])


def swapped(identity: Identity) -> Identity:
    """The certificates behind the leaf the other way round."""
    return replace(identity, chain=(identity.leaf, *reversed(identity.chain[1:])))


def self_signed() -> Identity:
    return Identity((OTHER.certificate,), OTHER.key)


def ended(authority: Authority, above: Authority) -> x509.Certificate:
    """A certificate of the same name and key whose time is over."""
    return above.cross_sign(authority, begins=NOW - 90 * DAY, life=30 * DAY).certificate


def without_a_license() -> Authority:
    """An authority whose key, as its certificate says, is not for certificates."""
    is_authority = x509.BasicConstraints(ca=True, path_length=None)
    extensions = [x509.Extension(one.oid, True, one) for one in (is_authority, usable_for("crl_sign"))]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Unlicensed")])
    return Authority(ROOT._certify(subject, EC_KEY, None, 30 * DAY, extensions, "sha256"), EC_KEY, ROOT)


def after_a_namesake() -> Identity:
    """Its intermediate stands behind another of the same name and another key."""
    return LEAF.serving(ROOT.intermediate("A").certificate, A.certificate)


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
    "dates are checked, and a namesake of the root has ended": (
        LEAF, Trust((ended(ROOT, ROOT), ROOT.certificate), name=HOST, at=NOW), None,
    ),
    "an intermediate whose key may not certify": (
        without_a_license().issue(HOST), trusting(ROOT), (-0x2700, UNKNOWN_CA),
    ),
    "a namesake of the intermediate is sent before it": (after_a_namesake(), trusting(ROOT), (-0x2700, UNKNOWN_CA)),
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
    "a certificate for clients": (issued_with(FOR_CLIENTS, key=EC_KEY), trusting(ROOT), (-0x7A00, UNSUPPORTED)),
    "a key that may sign": (issued_with(usable_for("digital_signature"), key=EC_KEY), trusting(ROOT), None),
    "a key that may not sign": (
        issued_with(usable_for("crl_sign"), key=RSA_KEY), trusting(ROOT), (-0x7A00, UNSUPPORTED),
    ),
    "a key for clients that may not sign": (
        issued_with(FOR_CLIENTS, usable_for("crl_sign"), key=RSA_KEY), trusting(ROOT), (-0x7A00, UNSUPPORTED),
    ),
    "a key that may not sign, under another root": (
        issued_with(usable_for("crl_sign"), key=RSA_KEY), trusting(OTHER), (-0x2700, UNSUPPORTED),
    ),
    "an RSA leaf": (ROOT.issue(HOST, key="rsa-2048"), trusting(ROOT), None),
    "an intermediate with a key on P-521": (
        ROOT.intermediate("Wide", key=ec.generate_private_key(ec.SECP521R1())).issue(HOST), trusting(ROOT), None,
    ),
    "an intermediate with a key on secp256k1": (
        ROOT.intermediate("Odd", key=ec.generate_private_key(ec.SECP256K1())).issue(HOST), trusting(ROOT),
        (-0x2700, UNSUPPORTED),
    ),
    "a P-384 leaf": (ROOT.issue(HOST, key="p384"), trusting(ROOT), None),
}  # fmt: skip


@dataclass
class Shaken:
    """How a handshake ended, seen from both sides."""

    code: int = 0
    server_error: str = ""
    cipher: str = ""
    version: str = ""


def shake_hands(trust: Trust, server: ssl.SSLContext, name: str = HOST, build: TlsBuild = DEFAULT_TLS) -> Shaken:
    """A device against OpenSSL, byte for byte in memory; then a word each way."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, shaken = server.wrap_bio(incoming, outgoing, server_side=True), Shaken()
    client = TlsClient(name, trust, build)
    for _ in range(20):
        incoming.write(bytes(client.outgoing))
        client.outgoing.clear()
        shaken.server_error = shaken.server_error or serve(peer)
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


def serve(peer: ssl.SSLObject) -> str:
    try:
        peer.do_handshake()
    except ssl.SSLWantReadError:
        pass
    except ssl.SSLError as error:
        return error.reason or "closed"
    return ""


def a_chain_is_judged_as_the_table_says(case: str) -> None:
    identity, trust, expected = VERDICTS[case]
    shaken = shake_hands(trust, context(identity), trust.name or HOST)
    assert (shaken.code, shaken.server_error) == (expected or (0, ""))
    assert bool(shaken.cipher) == (expected is None)


def verdict(case: str):
    return lambda _folder: a_chain_is_judged_as_the_table_says(case)


def a_namesake_of_the_root_is_not_it(_folder):
    """Another root of the same name and another key."""
    shaken = shake_hands(trusting(make_root("Root")), context(LEAF))
    assert (shaken.code, shaken.server_error) == (-0x2700, UNKNOWN_CA)


@cache
def dh_group() -> bytes:
    """ffdhe2048 of RFC 7919, appendix A.1, in PEM: without a group a server speaks no DHE."""
    with localcontext() as exact:
        exact.prec = 700
        e = int(Decimal(2) ** 1918 * Decimal(1).exp())
    prime = 2**2048 - 2**1984 + (e + 560316) * 2**64 - 1
    der = bytes.fromhex("30820108 02820101") + prime.to_bytes(257, "big") + bytes([2, 1, 2])
    return b"-----BEGIN DH PARAMETERS-----\n" + base64.encodebytes(der) + b"-----END DH PARAMETERS-----\n"


def server(identity: Identity | None = None, **knobs: object) -> ssl.SSLContext:
    made = context(identity or ROOT.issue(HOST, key="rsa-2048"))
    with NamedTemporaryFile() as group:
        Path(group.name).write_bytes(dh_group())
        made.load_dh_params(group.name)
    if "ciphers" in knobs:
        made.set_ciphers(str(knobs["ciphers"]))
    for name in ("minimum_version", "maximum_version"):
        if name in knobs:
            setattr(made, name, knobs[name])
    return made


def chacha_is_not_spoken(_folder):
    assert not shake_hands(trusting(ROOT), server(ciphers="ECDHE-RSA-CHACHA20-POLY1305")).cipher


#: What a server with an RSA key may do with it, and the key exchange it insists on: whether a device takes it.
PURPOSES = {
    "it may sign, and signs": ("digital_signature", "ECDHE-RSA-AES128-GCM-SHA256", True),
    "it may sign, and decrypts": ("digital_signature", "AES128-GCM-SHA256", False),
    "it may decrypt, and decrypts": ("key_encipherment", "AES128-GCM-SHA256", True),
    "it may decrypt, and signs": ("key_encipherment", "ECDHE-RSA-AES128-GCM-SHA256", False),
}


def the_purpose(case: str) -> None:
    purpose, suite, taken = PURPOSES[case]
    shaken = shake_hands(trusting(ROOT), server(issued_with(usable_for(purpose), key=RSA_KEY), ciphers=suite))
    assert (shaken.code, shaken.server_error) == ((0, "") if taken else (-0x7A00, UNSUPPORTED))


def a_key_is_used_for_what_its_certificate_allows(_folder):
    for case in PURPOSES:
        the_purpose(case)


def nothing_but_the_alert_is_sent_to_a_server_that_is_not_trusted(_folder):
    """No key exchange, nothing encrypted: what mbedTLS would have said next is not said."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = context(LEAF).wrap_bio(incoming, outgoing, server_side=True)
    client, failed = TlsClient(HOST, trusting(OTHER)), False
    incoming.write(bytes(client.outgoing))
    client.outgoing.clear()
    serve(peer)
    try:
        client.receive(outgoing.read())
    except TlsFailed:
        failed = True
    assert failed
    assert bytes(client.outgoing) == bytes([21, 3, 3, 0, 2, 2, 48])
    assert not client.established

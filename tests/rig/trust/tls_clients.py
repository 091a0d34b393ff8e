"""TLS clients of all sorts for an endpoint under test: OpenSSL's s_client, curl, Python's ssl, mbedTLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess

import pytest

from tests.rig.installed import installed
from tests.rig.servers.https.https_lab import HOST
from tests.rig.waiting import HANGS

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def s_client(lab, ca, *words):
    address = ["-connect", f"127.0.0.1:{lab.port}", "-servername", HOST, "-CAfile", str(ca)]
    command = [installed("openssl"), "s_client", "-verify_return_error", *address, *words]
    subprocess.run(command, input=b"", capture_output=True, timeout=HANGS)


def curl(lab, ca, *words):
    lab.curl("/fw.bin", *words, ca=ca)


def python(lab, ca, version):
    with contextlib.suppress(ssl.SSLError):
        lab.dial(ca=ca, minimum_version=version, maximum_version=version).close()


def python_from(lab, address, ca, host=HOST):
    """What is shown to who comes from an address of this machine, DER; nothing where that is not trusted."""
    context = ssl.create_default_context(cafile=str(ca))
    sock = socket.create_connection(("127.0.0.1", lab.port), timeout=10, source_address=(address, 0))
    with sock, contextlib.suppress(ssl.SSLError), context.wrap_socket(sock, server_hostname=host) as tls:
        return tls.getpeercert(binary_form=True)
    return b""


def mbedtls(lab, ca):
    tls = pytest.importorskip("mbedtls.tls")
    x509 = pytest.importorskip("mbedtls.x509")
    failure = pytest.importorskip("mbedtls.exceptions").TLSError
    store = tls.TrustStore([x509.CRT.from_PEM(ca.read_text())])
    context = tls.ClientContext(tls.TLSConfiguration(trust_store=store, validate_certificates=True))
    session = context.wrap_buffers(HOST)

    def flush():
        sock.sendall(session.peek_outgoing(65536))
        session.consume_outgoing(65536)

    with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as sock:
        with contextlib.suppress(failure):
            while session._handshake_state is not tls.HandshakeStep.HANDSHAKE_OVER:
                try:
                    session.do_handshake()
                except tls.WantReadError:
                    flush()
                    session.receive_from_network(sock.recv(65536))
                except tls.WantWriteError:
                    flush()
            session.write(b"GET / HTTP/1.0\r\n\r\n")
        flush()
        sock.recv(65536)


CLIENTS = {
    "s_client, TLS 1.2": (s_client, ("-tls1_2",)),
    "s_client, TLS 1.3": (s_client, ("-tls1_3",)),
    "curl, TLS 1.2": (curl, ("--tls-max", "1.2")),
    "curl, TLS 1.3": (curl, ("--tlsv1.3",)),
    "Python, TLS 1.2": (python, (V12,)),
    "Python, TLS 1.3": (python, (V13,)),
    "mbedTLS": (mbedtls, ()),
}

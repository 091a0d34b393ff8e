"""One TLS connection of Python's to a server of this machine, whatever kind it is."""

from __future__ import annotations

import socket
import ssl

LOOPBACK = "127.0.0.1"


def tls_dial(port: int, host: str, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    """Connected and through its handshake; a session is asked for again where one is given."""
    sock = socket.create_connection((LOOPBACK, port), timeout=10)
    try:
        return context.wrap_socket(sock, server_hostname=host, session=session)
    except BaseException:
        sock.close()
        raise


def tls_leaf(port: int, host: str) -> bytes:
    """What one handshake shows, DER, whoever it leads to."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with tls_dial(port, host, context) as tls:
        return tls.getpeercert(binary_form=True) or b""

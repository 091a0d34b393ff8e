"""Whom a look at an endpoint takes for roots: those somebody names, or those this machine trusts."""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path

from cryptography import x509

from rig.errors import Misuse
from rig.files import MOST_PEM, is_folder, read_user_file
from rig.trust.identity import load_chain

Roots = tuple[x509.Certificate, ...]


def load_roots(path: Path) -> Roots:
    """Those of a PEM file, or of every .pem and .crt file of a folder. Raises Misuse where there is none."""
    if not is_folder(path):
        return load_chain(path)
    files = sorted(one for one in path.iterdir() if one.suffix in (".pem", ".crt") and not _is_key(one))
    found = {root: None for file in files for root in load_chain(file)}
    if not found:
        raise Misuse(f"{path} holds no certificates", hint="files NAME.pem or NAME.crt")
    return tuple(found)


def system_roots() -> Roots:
    """This machine's, else those of `certifi`, else none: what cannot be read among them is left out."""
    places = ssl.get_default_verify_paths()
    for place in (places.cafile, places.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt", _certifi()):
        if place is not None and Path(place).is_file():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old roots break rules that no client minds
                return _readable(read_user_file(Path(place), MOST_PEM))
    return ()


def _certifi() -> str | None:
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


def _readable(content: bytes) -> Roots:
    end = b"-----END CERTIFICATE-----"
    found = []
    for block in content.split(end)[:-1]:
        begin = block.find(b"-----BEGIN CERTIFICATE-----")
        try:
            found.append(x509.load_pem_x509_certificate(block[begin:] + end + b"\n"))
        except ValueError:
            continue
    return tuple(found)


def _is_key(path: Path) -> bool:
    return path.name.endswith((".key.pem", ".key.crt"))

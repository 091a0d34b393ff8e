"""Authorities that stand in for those of the public web, by name: their hierarchy, kinds of keys and dates are history.

Nobody can issue under the real ones; firmware under test pins these in their place. Dates of
Let's Encrypt's, Deploy the Fleet's and Cloudflare's are those of the certificates in arduino_esp32_update at its tags.
RSA-4096 of history is RSA-2048 here: such keys take seconds, and nothing depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from rig.errors import Misuse
from rig.trust.authority import EPOCH, Authority, make_root
from rig.trust.identity import Identity, load_chain, pem
from rig.trust.keys import KeyKind, PrivateKey, load_key, make_key
from rig.trust.ready_keys import RSA_BITS, leaf_keys, ready_key
from rig.trust.recipe import IdentityRecipe
from rig.trust.revocation import must_staple

#: Roots that firmware's bundle holds: those of Mozilla's list that something here leads to.
BUNDLE = ("rig-root", "isrg-root-x1", "isrg-root-x2", "usertrust-rsa", "rsa-root-2014", "ecdsa-root-2014")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One authority: its name in certificates, its key, who signs it, and from when until when."""

    subject: str
    key: KeyKind | None
    under: str | None
    begins: str
    ends: str
    #: Whose name and key it has, for a cross-sign.
    of: str | None = None


def _cross(of: str, under: str, begins: str, ends: str) -> _Entry:
    return _Entry("", None, under, begins, ends, of)


AUTHORITIES: Mapping[str, _Entry] = {
    "rig-root": _Entry("Rig Root X1", "p256", None, "2020-01-01", "2045-01-01"),
    "rig-intermediate": _Entry("Rig Intermediate 1", "p256", "rig-root", "2020-01-01", "2040-01-01"),
    "rig-intermediate-2": _Entry("Rig Intermediate 2", "p256", "rig-root", "2020-01-01", "2040-01-01"),
    "rig-intermediate-broken": _Entry("Rig Intermediate 3", "p256", "rig-root", "2020-01-01", "2040-01-01"),
    "other-root": _Entry("Other Root X2", "p256", None, "2020-01-01", "2045-01-01"),
    "other-intermediate": _Entry("Other Intermediate 1", "p256", "other-root", "2020-01-01", "2040-01-01"),
    # Let's Encrypt, and the roots it led to.
    "dst-root-ca-x3": _Entry("DST Root CA X3", "rsa-2048", None, "2000-09-30", "2021-09-30"),
    "isrg-root-x1": _Entry("ISRG Root X1", "rsa-2048", None, "2015-06-04", "2035-06-04"),
    "isrg-root-x1-by-dst": _cross("isrg-root-x1", "dst-root-ca-x3", "2021-01-20", "2024-09-30"),
    "isrg-root-x2": _Entry("ISRG Root X2", "p384", None, "2020-09-04", "2040-09-17"),
    "lets-encrypt-x3": _Entry("Let's Encrypt Authority X3", "rsa-2048", "dst-root-ca-x3", "2016-03-17", "2021-03-17"),
    "lets-encrypt-r3": _Entry("R3", "rsa-2048", "isrg-root-x1", "2020-09-04", "2025-09-15"),
    "lets-encrypt-r3-by-dst": _cross("lets-encrypt-r3", "dst-root-ca-x3", "2020-10-07", "2021-09-29"),
    "lets-encrypt-r10": _Entry("R10", "rsa-2048", "isrg-root-x1", "2024-03-13", "2027-03-12"),
    "lets-encrypt-r11": _Entry("R11", "rsa-2048", "isrg-root-x1", "2024-03-13", "2027-03-12"),
    "lets-encrypt-e5": _Entry("E5", "p384", "isrg-root-x1", "2024-03-13", "2027-03-12"),
    # Roots of nobody's list: what Deploy the Fleet fell back to.
    "cloudflare-origin-ca": _Entry("CloudFlare Origin SSL CA", "rsa-2048", None, "2019-08-23", "2029-08-15"),
    "dtf-root-x1": _Entry("DTF Root X1", "rsa-2048", None, "2024-08-02", "2044-07-28"),
    # May 2020: a cross-sign ended that many servers still sent.
    "addtrust-external": _Entry("AddTrust External CA Root", "rsa-2048", None, "2000-05-30", "2020-05-30"),
    "usertrust-rsa": _Entry("USERTrust RSA", "rsa-2048", None, "2010-02-01", "2038-01-18"),
    "usertrust-rsa-by-addtrust": _cross("usertrust-rsa", "addtrust-external", "2000-05-30", "2020-05-30"),
    "sectigo-dv": _Entry("Sectigo RSA DV", "rsa-2048", "usertrust-rsa", "2018-11-02", "2030-12-31"),
    # April 2014: an authority of RSA keys, one of ECDSA keys, and one that is itself broken.
    "rsa-root-2014": _Entry("RSA Root 2014", "rsa-2048", None, "2010-01-01", "2038-01-01"),
    "rsa-ca-2014": _Entry("RSA CA 2014", "rsa-2048", "rsa-root-2014", "2012-01-01", "2032-01-01"),
    "ecdsa-root-2014": _Entry("ECDSA Root 2014", "p384", None, "2010-01-01", "2038-01-01"),
    "ecdsa-ca-2014": _Entry("ECDSA CA 2014", "p256", "ecdsa-root-2014", "2012-01-01", "2032-01-01"),
    "broken-ca-2014": _Entry("Broken CA 2014", "rsa-2048", "rsa-root-2014", "2012-01-01", "2032-01-01"),
}
#: Those with an RSA key: each has a ready one of its own.
_RSA = [name for name, entry in AUTHORITIES.items() if entry.key in RSA_BITS]
#: Its certificate is not of the key it signs with: what it issues verifies nowhere.
BROKEN = ("rig-intermediate-broken", "broken-ca-2014")


class WebPki:
    """All of them; `make` makes new ones, `in_folder` those of a folder, `when_asked` each when it is asked for.

    `new_key` makes keys of servers.
    """

    def __init__(self, authorities: Mapping[str, Authority], new_key: Callable[[KeyKind], PrivateKey] = make_key):
        self.authorities = authorities
        self._new_key = new_key

    @classmethod
    def make(cls, seed: int | None = None) -> WebPki:
        """New ones; with a seed the same again (RSA keys then take seconds each)."""
        made: dict[str, Authority] = {}
        keys = _new_keys(AUTHORITIES) if seed is None else {}
        for name in AUTHORITIES:
            made[name] = _make(name, made, seed, keys.get(name))
        return cls(made)

    @classmethod
    def in_folder(cls, folder: Path) -> WebPki:
        """Those whose certificates and keys (0600) lie in `folder`; what is not there is made. Raises Misuse."""
        made: dict[str, Authority] = {}
        files = {name: (folder / f"{name}.pem", folder / f"{name}.key.pem") for name in AUTHORITIES}
        keys = _new_keys(name for name, pair in files.items() if not all(path.exists() for path in pair))
        for name, (certificate, key) in files.items():
            if name not in keys:
                above = AUTHORITIES[name].under
                issuer = made[above] if above is not None else None
                made[name] = Authority(load_chain(certificate)[0], load_key(key), issuer)
                continue
            made[name] = _make(name, made, None, keys[name])
            Identity((made[name].certificate,), made[name].key).store(certificate, key)
        return cls(made)

    @classmethod
    def when_asked(cls) -> WebPki:
        """For models: each is made when it is asked for, with an RSA key that is ready, as servers' keys are, too."""
        return cls(_WhenAsked(), leaf_keys(len(_RSA)))

    def authority(self, name: str) -> Authority:
        """One by its name. Raises Misuse."""
        try:
            return self.authorities[name]
        except KeyError:
            raise Misuse(f"no authority is called {name}", hint=f"one of {', '.join(self.authorities)}") from None

    def certificate(self, name: str) -> x509.Certificate:
        """An authority's certificate. Raises Misuse."""
        return self.authority(name).certificate

    @property
    def bundle(self) -> tuple[x509.Certificate, ...]:
        """The roots that firmware takes for public ones."""
        return tuple(self.certificate(name) for name in BUNDLE)

    def publish(self, folder: Path) -> None:
        """Write NAME.pem for each authority, and bundle.pem: what firmware pins by name. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, authority in self.authorities.items():
            (folder / f"{name}.pem").write_bytes(pem(authority.certificate))
        (folder / "bundle.pem").write_bytes(b"".join(map(pem, self.bundle)))

    def issue(self, host: str, recipe: IdentityRecipe, former: Identity | None = None) -> Identity:
        """An identity for a host by its recipe; `former` is whose key is kept. Raises Misuse."""
        if recipe.key == "kept" and former is None:
            raise Misuse(f"{host} has no identity yet whose key could be kept")
        identity = self.authority(recipe.under).issue(
            *(recipe.names or (host,)),
            key=former.key if recipe.key == "kept" and former is not None else self._new_key(recipe.key),  # type: ignore[arg-type]
            begins=recipe.begins,
            life=timedelta(days=recipe.days),
            digest=recipe.digest,
            extensions=[must_staple()] if recipe.must_staple else [],
        )
        behind = identity.chain[1:] if recipe.behind is None else tuple(map(self.certificate, recipe.behind))
        return identity.serving(*behind, *_padding(recipe.padding * 1024))


class _WhenAsked(dict[str, Authority]):
    """Those that somebody asked for, and whoever is above them."""

    def __missing__(self, name: str) -> Authority:
        kind = AUTHORITIES[name].key
        key = ready_key(RSA_BITS[kind], _RSA.index(name)) if kind in RSA_BITS else None
        self[name] = _make(name, self, None, key)
        return self[name]


def _new_keys(names: Iterable[str]) -> dict[str, PrivateKey | None]:
    """A new key for each of these, None for a cross-sign, on all processors: RSA keys are most of a start."""
    kinds = {name: AUTHORITIES[name].key for name in names}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return dict(zip(kinds, threads.map(lambda kind: kind and make_key(kind), kinds.values()), strict=True))


def _make(name: str, made: Mapping[str, Authority], seed: int | None, key: PrivateKey | None) -> Authority:
    """One under those that are made; `key` is its own, None where the seed makes one, or it has another's."""
    entry = AUTHORITIES[name]
    begins, ends = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (entry.begins, entry.ends))
    life = ends - begins
    if entry.under is None:
        return make_root(entry.subject, key=key or entry.key or "p256", seed=seed, begins=begins, life=life)
    above = made[entry.under]
    if entry.of is not None:
        return above.cross_sign(made[entry.of], begins=begins, life=life)
    authority = above.intermediate(entry.subject, key=key or entry.key or "p256", begins=begins, life=life)
    if name in BROKEN and entry.key is not None:
        return replace(authority, key=make_key(entry.key, authority.random))
    return authority


def _padding(size: int) -> list[x509.Certificate]:
    """Certificates that lead nowhere, of about `size` bytes together."""
    root, added, padding = make_root("Padding", begins=EPOCH), 0, list[x509.Certificate]()
    while added < size:
        one = root.intermediate(f"Padding {len(padding) + 1}", begins=EPOCH).certificate
        padding.append(one)
        added += len(pem(one)) * 3 // 4
    return padding

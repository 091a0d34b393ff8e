"""Waiting until every address shows exactly one chain, whatever workers are still changing over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from rig.clock import Clock, Deadline
from rig.errors import LabFault
from rig.trust import soundness
from rig.trust.look.offer import Offer
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import Served, fetch

Chain = tuple[x509.Certificate, ...]
#: A worker on its way out may still take a connection: so many handshakes in a row have to show the new chain.
IN_A_ROW = 5
PAUSE, LOOK_SECONDS = 0.05, 5.0


def fingerprint(chain: Chain) -> str:
    """SHA-256 of the leaf, hexadecimal."""
    return chain[0].fingerprint(hashes.SHA256()).hex()


def title(chain: Chain) -> str:
    """A chain in a few words, for people."""
    return (
        f"{soundness.title(chain[0])} until {chain[0].not_valid_after_utc:%Y-%m-%d}, sha256 {fingerprint(chain)[:16]}…"
    )


def look_once(address: tuple[str, int], name: str) -> Chain:
    """What one handshake shows. Raises LabFault."""
    return asyncio.run(fetch(address, name, seconds=LOOK_SECONDS)).chain


def await_chain(
    addresses: Sequence[tuple[str, int]], names: Sequence[str], chain: Chain, *, seconds: float, clock: Clock
) -> None:
    """Look until every name at every address shows exactly `chain`, several times in a row.

    Raises LabFault after `seconds`, more on a busy machine, with what is shown instead, and where.
    """
    places, deadline = [(address, name) for address in addresses for name in names], Deadline(seconds, clock)
    wrong = asyncio.run(_await_all(places, chain, deadline))
    if wrong:
        raise LabFault(f"after {seconds:.0f} s {'; '.join(wrong)}")


def difference(served: Served, chain: Chain) -> str | None:
    """What is wrong with what was served; None when it is exactly this chain, proved by its key."""
    if served.chain != chain:
        titles = [soundness.title(certificate) for certificate in served.chain]
        if served.chain[0] == chain[0]:
            return f"shows the right certificate with the wrong ones behind it ({', '.join(titles[1:]) or 'none'})"
        return f"shows {title(served.chain)}"
    return None if served.completed else f"shows it, but the handshake failed: {served.ended}"


async def _await_all(places: Sequence[tuple[tuple[str, int], str]], chain: Chain, deadline: Deadline) -> list[str]:
    wrong = await asyncio.gather(*(_await_one(address, name, chain, deadline) for address, name in places))
    return [text for text in wrong if text]


async def _await_one(address: tuple[str, int], name: str, chain: Chain, deadline: Deadline) -> str | None:
    """None once it is shown; else what was wrong at the end."""
    seen = 0
    while True:
        wrong = await _look(address, name, chain)
        seen = 0 if wrong else seen + 1
        if seen == IN_A_ROW:
            return None
        if not deadline.left():
            return f"{address[0]}:{address[1]} as {name} {wrong or 'shows it, but not for long enough'}"
        await asyncio.sleep(PAUSE)


async def _look(address: tuple[str, int], name: str, chain: Chain) -> str | None:
    try:
        served = await fetch(address, name, seconds=LOOK_SECONDS)
        wrong = difference(served, chain)
        if wrong and _is_rsa(served.chain) != _is_rsa(chain):
            # A server may have one certificate of each kind: this offer asks for ours.
            ours = Offer(maximum="TLSv1.2", ciphers="aRSA" if _is_rsa(chain) else "aECDSA")
            wrong = difference(await fetch(address, name, offer=ours, seconds=LOOK_SECONDS), chain)
    except Refusal as refusal:
        return refusal.message
    return wrong


def _is_rsa(chain: Chain) -> bool:
    return isinstance(chain[0].public_key(), rsa.RSAPublicKey)

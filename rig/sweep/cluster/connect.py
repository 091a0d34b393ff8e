"""How a sweep finds its cluster, and leaves it."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.ports import read_address
from rig.sweep.workers import WorkersLost

if TYPE_CHECKING:
    from distributed import Client

    from rig.sweep.cluster.cluster import Cluster

EXAMPLE = "tcp://127.0.0.1:8786"
SCHEMES = ("tcp", "tls")
#: Seconds that a scheduler is given to answer when a client comes, and when it leaves.
GREETING, FAREWELL = 10.0, 5.0


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster of the scheduler at `tcp://HOST:PORT` or `tls://HOST:PORT`, which has a worker; left at the end.

    Raises Misuse for what is no address or where Dask is not installed, WorkersLost where nobody answers.
    """
    _check_address(address)
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise Misuse(f"a cluster is reached by Dask: {error}", hint="pip install 'ota-rig[cluster]'") from error
    from rig.sweep.cluster.cluster import Cluster

    client = _client(address)
    try:
        cluster = Cluster(client, address)
        cluster.wait_for_worker()
        yield cluster
    finally:
        with suppress(Exception):  # of a scheduler that is gone already
            client.close(timeout=FAREWELL)


def _check_address(address: str) -> None:
    scheme, separator, where = address.partition("://")
    if not separator or scheme not in SCHEMES:
        raise Misuse(f"--scheduler {address} is not tcp://HOST:PORT or tls://HOST:PORT", hint=f"for example {EXAMPLE}")
    read_address(where, "--scheduler", EXAMPLE)


def _client(address: str) -> Client:
    """A client whose own words are not printed: what is wrong is told in one line."""
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore", VersionMismatchWarning)  # workers are asked for what matters here
    try:
        asyncio.run(_greet(address))
        return Client(address, timeout=GREETING, set_as_default=False)
    except (TypeError, ValueError, FileNotFoundError) as error:  # TLS without certificates, or with some that are none
        hint = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE and so on say where they are"
        raise Misuse(f"--scheduler {address}: {error}", hint=hint) from error
    except (OSError, TimeoutError) as error:
        host, _ = read_address(address.partition("://")[2], "--scheduler", EXAMPLE)
        why = str(error) or "it says nothing"
        raise WorkersLost(f"no scheduler answers at {address}: {why}", hint=f"dask scheduler --host {host}") from error


async def _greet(address: str) -> None:
    """Whether a scheduler is there at all: a client would wait for ever for the first word of who is none."""
    from distributed.comm import connect
    from distributed.security import Security

    how = Security().get_connection_args("client")
    greeted = await asyncio.wait_for(connect(address, timeout=GREETING, **how), 2 * GREETING)
    await greeted.close()

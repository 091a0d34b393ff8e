"""What a board's cloud says of it: events as they come, and faults that carry the board's name."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rig.drivers.control_client import ControlClient, Told
from rig.errors import RigError


@contextmanager
def named(board: str) -> Iterator[None]:
    """What is raised inside carries the board's name, whatever the cloud calls the board."""
    try:
        yield
    except RigError as error:
        error.board = board
        raise


@contextmanager
def heard(client: ControlClient, use: Callable[[Told], None], *, board: str, **of: str) -> Iterator[None]:
    """Hand every event of a board to `use`, on a thread of its own, from before this is entered.

    `of` says whose events the cloud is asked for.
    """

    def listen() -> None:
        with contextlib.suppress(RigError):  # closed, or the cloud is gone
            for event in told:
                use(event)

    with named(board), client.events(patience=None, **of) as told:
        thread = threading.Thread(target=listen, name=f"events of {board}", daemon=True)
        thread.start()
        yield
    thread.join()

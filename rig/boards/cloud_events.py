"""What a board's cloud says of it: events as they come, and faults that carry the board's name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rig.drivers.control_client import ControlClient, JsonObject
from rig.errors import RigError


@contextmanager
def with_board_name(board: str) -> Iterator[None]:
    """What is raised inside carries the board's name, whatever the cloud calls the board."""
    try:
        yield
    except RigError as error:
        error.board = board
        raise


@contextmanager
def forwarding_events(
    client: ControlClient, use: Callable[[JsonObject], None], *, board: str, **of: str
) -> Iterator[None]:
    """Hand every event of a board to `use`, on a thread of its own, from before this is entered.

    What becomes of an exchange that began earlier is left out: a cloud sees late that a board has lost its power, often
    only when the next start answers for the one before. `of` says whose events the cloud is asked for. Raises LabFault
    at the end when events were lost meanwhile.
    """
    lost: list[RigError] = []
    is_over = threading.Event()

    def listen() -> None:
        try:
            for event in events:
                if event.get("began_ns", events.since_ns) >= events.since_ns:
                    use(event)
        except RigError as error:
            if not is_over.is_set():  # else it is we who hung up
                lost.append(error)

    with with_board_name(board), client.events(timeout=None, **of) as events:
        thread = threading.Thread(target=listen, name=f"events of {board}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
    thread.join()
    if lost:
        lost[0].board = board
        raise lost[0]

"""The second attempt: a test whose board failed is run once more on another board, where there is one.

Both results are kept. What the two say of whose fault it is: `rig.evidence.second_attempts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from rig.errors import LabFault, Misdescribed, RigError
from rig.evidence.results import DEVICE_FAULT, MISUSE
from rig.evidence.second_attempts import ATTEMPT, FIRST_PLACE, SECOND
from rig.suites.board_tests import wanted_by
from rig.suites.run_settings import BOARDS, is_engineers_own, notifier_of_run, where_boards_are

if TYPE_CHECKING:
    from rig.lab.acquisition import Boards

#: The place that a test had in its first attempt, while it has its second.
NOT_IN = pytest.StashKey[str]()
#: Whose faults an attempt had, and whether another board may tell more of each.
_FAULTS = pytest.StashKey[list[tuple[str, bool]]]()


def note_failure(item: pytest.Item, fault: str, error: BaseException) -> None:
    """Note what an attempt failed of, which it may do in more than one of its phases."""
    item.stash.setdefault(_FAULTS, []).append((fault, is_of_its_board(fault, error)))


def is_of_its_board(fault: str, error: BaseException) -> bool:
    """Whether another board may tell more of a failure: of a device fault, and of a lab fault of this board.

    It tells nothing of a bug in the test, of misuse, or of a place that is wrongly described.
    """
    return fault == DEVICE_FAULT or (isinstance(error, LabFault) and not isinstance(error, Misdescribed))


def begin_second(item: pytest.Item, properties: list[tuple[str, object]]) -> bool:
    """Make a test that failed ready for its second attempt; False where it is to have none.

    `properties` is what was known of the test before its first attempt.
    """
    place = next((str(value) for name, value in item.user_properties if name == "place"), None)
    faults = item.stash.get(_FAULTS, [])
    if place is None or NOT_IN in item.stash or not _is_worth_it(faults) or _is_ending(item.session):
        return False
    if not _is_another(item, place):
        return False
    item.user_properties[:] = [*properties, (ATTEMPT, SECOND), (FIRST_PLACE, place)]
    item.stash[NOT_IN] = place
    return True


def _is_worth_it(faults: list[tuple[str, bool]]) -> bool:
    """Whether another board may tell more of these faults: the gravest decides."""
    whose = [fault for fault, _ in faults]
    if not faults or MISUSE in whose:
        return False
    return DEVICE_FAULT in whose or all(of_its_board for _, of_its_board in faults)


def _is_ending(session: pytest.Session) -> bool:
    """Whether no further test is to be run: `-x`, or somebody told the run to end."""
    return bool(session.shouldfail or session.shouldstop)


def _is_another(item: pytest.Item, place: str) -> bool:
    """Whether the rack has another healthy board for this test; the one that failed is given back before.

    Whoever has the other board may wait for this one.
    """
    wanted = wanted_by(item)
    if wanted is None or is_engineers_own(item.config):
        return False
    try:
        with _boards(item.config) as boards:
            boards.give_back()
            return boards.has_another(*wanted, but=place)
    except RigError as fault:
        notifier_of_run(item.config).once(str(fault), f"no test is run once more: {fault}")
        return False


@contextmanager
def _boards(config: pytest.Config) -> Iterator[Boards]:
    """This process's boards: after its last test it has given up those that it had."""
    from rig.lab.acquisition import Boards

    if (held := config.stash.get(BOARDS, None)) is not None:
        yield held
    else:
        with Boards(*where_boards_are(config), only=config.option.rig_place, reaps=False) as fresh:
            yield fresh

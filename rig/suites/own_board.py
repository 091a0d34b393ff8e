"""An engineer's own board, which they acquired by hand: `--lg-env` names its environment, `LG_PLACE` its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from rig.errors import Misuse, Unreachable
from rig.suites.report_properties import note_missing
from rig.suites.run_settings import ends_in_one_line

if TYPE_CHECKING:
    from rig.boards.board import Board


def own_board(request: pytest.FixtureRequest, kind: str, tags: Mapping[str, str]) -> Board:
    """The board behind labgrid's own fixture `target`; a test that asks for another is not run here.

    The session ends where the environment does not fit the place, or no coordinator answers: no test could run.
    """
    from rig.drivers.place import place_tags
    from rig.lab.place_tags import check_lacking, check_tags
    from rig.lab.targets import board_of

    target = _target(request)
    own, name = place_tags(target)
    lacking = {key: value for key, value in {"board": kind, **tags}.items() if own.get(key) != value}
    if lacking:
        check_lacking(kind, tags, {name: own})
        words = [f"{tag}={value}" for tag, value in lacking.items()]
        note_missing(request.node, words)
        pytest.skip(f"not run here: {name} has no {' '.join(words)}")
    board = board_of(target, kind)
    check_tags(board)
    return board


def _target(request: pytest.FixtureRequest) -> Any:
    from labgrid.binding import BindingError
    from labgrid.exceptions import InvalidConfigError, NoDriverFoundError, NoResourceFoundError
    from labgrid.remote.client import Error

    place = os.environ.get("LG_PLACE", "its place")
    file = request.config.getoption("lg_env") or os.environ.get("LG_ENV")
    with ends_in_one_line():
        try:
            return request.getfixturevalue("target")
        except (NoResourceFoundError, NoDriverFoundError, BindingError, InvalidConfigError) as error:
            text = str(error).partition(" found in Target")[0]
            hint = "is it for the kind of board that is there, and is the exporter alive?"
            raise Misuse(f"{file} does not fit {place}: {text}", hint=hint) from error
        except (Error, pytest.exit.Exception) as error:  # labgrid's own fixture leaves pytest where its client refuses
            text = str(error).removeprefix("Error: ")
            hint = f"`labgrid-client -p {place} acquire`" if text.endswith("is not acquired") else "set LG_COORDINATOR"
            raise Unreachable(f"labgrid: {text}", board=place, hint=hint) from error

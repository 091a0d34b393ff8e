"""Named checks of the right image for the right board, for its tests and for test_mutants."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from unittest import mock

from rig.errors import Misuse
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.bring_up import recipe_from
from rig.families.spark_core.lab.bring_up import CoreBringUp
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.firmware.run_firmware import NAME_YOURS, refuse_synthetic
from rig.lab import bring_up
from tests.rig.cli import fuzz_verbs
from tests.rig.firmware.own_firmware import image, loaded, the_rigs, written
from tests.rig.lab.lab_in_memory import raises

#: A manifest in which an application is no such thing, and what is said of it.
FAULTY = image("mine", "readme.bin", "spark-core", 'version = "0.2.1"') + '[roles.spark-core]\nnew = "mine"\n'
FAULT = "mine.toml: mine: it is a text file, which no Core would start"
MINE = image("mine", "core.bin", "spark-core", 'version = "build-7"') + '[roles.spark-core]\nnew = "mine"\n'

#: Verbs that give a board what a manifest says, all else being right; nobody is there to be asked for a board.
GIVING = {
    "lab bring-up": "lab bring-up core-01 --coordinator 127.0.0.1:9",
    "lab health": "lab health --coordinator 127.0.0.1:9",
    "deep-update": "deep-update core-01 --consent me --ledger l.jsonl --coordinator 127.0.0.1:9",
}


def verbs_that_reach_boards_of_a_lab_refuse_a_faulty_manifest(folder):
    path = written(folder, FAULTY)
    for verb, words in GIVING.items():
        ended = fuzz_verbs.run([*words.split(), "--manifest", str(path)])
        assert ended.status == 2, verb
        assert FAULT in ended.out, verb


def only_the_rigs_own_recipes_are_noise(folder):
    known = loaded(folder, MINE)
    mine, theirs = ([known.image(name)] for name in ("mine", "core-new"))
    assert not raises(Misuse, lambda: refuse_synthetic(mine, known, {}, "core-01"))
    assert not raises(Misuse, lambda: refuse_synthetic(theirs, known, {"synthetic": "yes"}, "core-01"))
    assert raises(Misuse, lambda: refuse_synthetic(theirs, known, {}, "core-01"))
    assert raises(Misuse, lambda: refuse_synthetic(theirs, the_rigs(), {}, "core-01"))


def an_image_whose_version_is_its_makers_own_runs_on_a_twin(_folder):
    told = []
    assert not raises(Misuse, lambda: told.append(Dialect.of_image("build-7")))
    assert told == [Dialect((0, 2, 1))]
    assert Dialect.of_image("0.3.4") == Dialect((0, 3, 4))


def a_board_that_is_no_twin_is_not_brought_up_with_noise(_folder):
    refused, done = _brought({}), _brought({"synthetic": "yes"})
    assert (refused.board, refused.exit_status, NAME_YOURS in refused.fault) == (None, 2, True)
    assert done.board is not None


def _brought(tags):
    """What comes of the bring-up of a Core with the rig's own images, in a place with these tags."""
    recipe = recipe_from(the_rigs(), release=None, server_key=None, server=None, new_key=False)
    core = SparkCore("core-01", relay=None, mode=None, usb=None, tags=tags)
    boards = mock.MagicMock()
    boards.__enter__.return_value.take.return_value = core
    ending = SimpleNamespace(interruptible=contextlib.nullcontext)
    with (
        mock.patch.object(bring_up, "Boards", return_value=boards),
        mock.patch.object(bring_up, "_ending", ending, create=True),
        mock.patch.object(CoreBringUp, "run", return_value=SimpleNamespace(tags={"generation": "b"})),
    ):
        lab = SimpleNamespace(coordinator="", environment="")
        return bring_up._brought(lab, "core-01", {"spark-core": recipe}, the_rigs().path)

"""What a pytest run was told to use: which rack, and the virtual one where it is that, and which firmware."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from rig import registry
from rig.errors import Misuse, RigError
from rig.files import make_folder
from rig.suites.options import read_numbers

if TYPE_CHECKING:
    from rig.evidence.run_life import OpenRun
    from rig.firmware.expectations import Expectations
    from rig.firmware.manifest import Manifest
    from rig.lab.acquisition import Boards
    from rig.lab.notifier import Notifier
    from rig.rack.rack import VirtualRack
    from rig.suites.handover import CollectedTests, Handover
    from rig.suites.own_report import OwnReport

#: Id of the run, the same in all its workers.
RUN_ID = pytest.StashKey[str]()
#: What the run has and no other, the same in all its workers: two may have one id, which is a time.
RUN_MARK = pytest.StashKey[str]()
#: The folder in which workers of the run leave notes, once there is one.
NOTES = pytest.StashKey[Path]()
#: The virtual rack of a run, where its controller has started one.
RACK: pytest.StashKey[VirtualRack] = pytest.StashKey()
#: What was collected, once that is over.
FOUND: pytest.StashKey[CollectedTests] = pytest.StashKey()
#: How many board tests there are, and how many of them were left out because they take their time.
THERE_ARE = pytest.StashKey[tuple[int, int]]()
#: The boards that a process of a run has acquired, once one was asked for.
BOARDS: pytest.StashKey[Boards] = pytest.StashKey()
#: Faults of boards that could not be brought back when a run began.
LOST: pytest.StashKey[list[RigError]] = pytest.StashKey()
#: The run in its ledger, in the process whose run it is, from its first segment on.
LIFE: pytest.StashKey[OpenRun] = pytest.StashKey()
#: The report of the run, where pytest alone shows it.
OWN_REPORT: pytest.StashKey[OwnReport] = pytest.StashKey()
#: Set where somebody shows the run and looks into its notes.
SHOWN = pytest.StashKey[bool]()
_FIRMWARE: pytest.StashKey[Manifest] = pytest.StashKey()
_EXPECTATIONS: pytest.StashKey[Expectations] = pytest.StashKey()


def chosen_rack(config: pytest.Config) -> str:
    """`virtual`, or the environment file that was named."""
    chosen: str | None = config.getoption("--rack")
    return chosen or "virtual"


def mark_of_run(config: pytest.Config) -> str:
    """What this run has and no other."""
    mark: str | None = getattr(config, "workerinput", {}).get("rig_run_mark")
    return config.stash.setdefault(RUN_MARK, mark or uuid4().hex)


def where_notes_are(config: pytest.Config) -> Path:
    """The folder for notes of this run's processes, whether somebody has made it or not."""
    from rig.lab.notes import path_of_a_run

    path: str | None = getattr(config, "workerinput", {}).get("rig_notes")
    return Path(path) if path is not None else config.stash.get(NOTES, None) or path_of_a_run()


def notes_of_run(config: pytest.Config) -> Path:
    """The folder in which processes of this run leave notes: its controller's, gone with the run."""
    from rig.lab.notes import folder_of_a_run

    if NOTES not in config.stash:
        if hasattr(config, "workerinput"):
            config.stash[NOTES] = make_folder(where_notes_are(config))
        else:
            stack = contextlib.ExitStack()
            config.stash[NOTES] = stack.enter_context(folder_of_a_run())
            config.add_cleanup(stack.close)
    return config.stash[NOTES]


def handover_of(config: pytest.Config) -> Handover:
    """What the workers of this run and their controller tell each other."""
    from rig.suites.handover import Handover

    return Handover(where_notes_are(config))


def notifier_of_run(config: pytest.Config) -> Notifier:
    """How this process tells people something: in notes, where somebody shows the run and looks into them."""
    from rig.lab.notifier import NoteNotifier, StderrNotifier

    is_shown = SHOWN in config.stash or getattr(config, "workerinput", {}).get("rig_is_shown")
    return NoteNotifier(notes_of_run(config)) if is_shown else StderrNotifier()


def begin_ledger(config: pytest.Config) -> None:
    """Say in the report folder that the run goes on; the process whose run it is holds it. Raises Misuse, LabFault."""
    from rig.evidence.run_life import OpenRun, join_run

    if LIFE in config.stash or hasattr(config, "workerinput"):
        join_run(_ledger(config), config.stash[RUN_ID])
    else:
        config.stash[LIFE] = OpenRun.begin(_ledger(config), config.stash[RUN_ID])


def end_ledger(config: pytest.Config) -> None:
    """End the run that this process or its workers began, if any did. Raises Misuse, LabFault."""
    from rig.evidence.run_life import end_joined_run

    if LIFE in config.stash:
        config.stash[LIFE].end()
    else:
        end_joined_run(_ledger(config), config.stash[RUN_ID])


def _ledger(config: pytest.Config) -> Path:
    return Path(config.option.rig_report) / "ledger"


def is_engineers_own(config: pytest.Config) -> bool:
    """Whether an engineer's own target is meant; a rack that was named wins over labgrid's variable in the shell."""
    return bool(config.getoption("lg_env", None) or (os.environ.get("LG_ENV") and not config.getoption("--rack")))


def virtual_places(config: pytest.Config) -> tuple[str, Path]:
    """Coordinator and environment of the virtual rack: the controller's rack in a worker, else one that starts now."""
    of_controller = handover_of(config).rack() if hasattr(config, "workerinput") else None
    if of_controller is not None:
        return of_controller
    rack = virtual_rack(config)
    return rack.coordinator, rack.environment


def where_boards_are(config: pytest.Config) -> tuple[str, Path]:
    """Address of the coordinator, and the environment of its places."""
    from rig.lab.coordinator import coordinator_address

    rack = chosen_rack(config)
    if rack == "virtual":
        return virtual_places(config)
    return coordinator_address(config.getoption("lg_coordinator")), Path(rack)


def bring_boards_back(config: pytest.Config) -> None:
    """Once for a run, before anybody asks for a board; those of a virtual rack have just been started."""
    from rig.lab.acquisition import recover_boards

    if LOST not in config.stash and chosen_rack(config) != "virtual":
        config.stash[LOST] = recover_boards(*where_boards_are(config), notifier_of_run(config))


def chosen_boards(config: pytest.Config) -> dict[str, int] | None:
    """How many boards of each kind the virtual rack has at most; None for as many as tests ask for. Raises Misuse."""
    from rig.rack.boards import read_boards

    return read_boards(config.option.rig_boards, "--rig-boards") if config.option.rig_boards else None


def virtual_rack(config: pytest.Config) -> VirtualRack:
    """The virtual rack of this process, started when it is first asked for and stopped with the run."""
    from rig.rack.plan import RackPlan
    from rig.rack.rack import VirtualRack

    if RACK not in config.stash:
        workers = config.getoption("numprocesses", None) or 1
        found = config.stash.get(FOUND, None)
        plan = RackPlan.for_cases(
            found.wanted if found is not None and not found.takes_any else None,
            workers,
            config.option.rig_manifest,
            every_case=config.option.rig_long,
            boards=chosen_boards(config),
        )
        rack = VirtualRack(plan)
        rack.__enter__()
        config.stash[RACK] = rack
        config.add_cleanup(rack.stop)
    return config.stash[RACK]


def chosen_firmware(config: pytest.Config) -> Manifest:
    """The manifest of the firmware under test, read once. Raises Misuse."""
    from rig.firmware.run_firmware import load_firmware

    if _FIRMWARE not in config.stash:
        config.stash[_FIRMWARE] = load_firmware(config.option.rig_manifest)
    return config.stash[_FIRMWARE]


def chosen_expectations(config: pytest.Config) -> Expectations:
    """What the firmware under test is expected to become, read once. Raises Misuse."""
    from rig.suites.expectations import expectations_of

    if _EXPECTATIONS not in config.stash:
        config.stash[_EXPECTATIONS] = expectations_of(chosen_firmware(config))
    return config.stash[_EXPECTATIONS]


def look_at_options(config: pytest.Config) -> None:
    """What somebody named is looked at before anything is collected; what is wrong ends the session in one line."""
    from rig.lab.environment import own_environment, rack_environment

    option = config.option
    with ends_in_one_line():
        read_numbers(option)
        if option.rig_board is not None:
            registry.checked_kind(option.rig_board)
        if option.rack not in (None, "virtual"):
            rack_environment(Path(option.rack))
        elif option.rig_place is not None:
            raise Misuse("the virtual rack starts the boards that tests ask for", hint="--rig-place is for --rack FILE")
        if option.rig_boards and option.rack not in (None, "virtual"):
            raise Misuse(f"the boards of {option.rack} are its own", hint="--rig-boards is for the virtual rack")
        chosen_boards(config)
        if option.rig_manifest is not None:
            _look_at_firmware(config)
        if own := config.getoption("lg_env", None) or os.environ.get("LG_ENV"):
            own_environment(own)


def _look_at_firmware(config: pytest.Config) -> None:
    """A collection touches no board: it may be of firmware in which something is wrong."""
    from rig.firmware.run_firmware import refuse_faults

    known = chosen_firmware(config)
    if not config.option.collectonly:
        refuse_faults(known)
        chosen_expectations(config)


def begin_report(config: pytest.Config) -> None:
    """Begin the report of a run whose board tests were found, unless somebody else shows it, or it runs none."""
    from rig.suites.own_report import begin_own_report

    if SHOWN not in config.stash and not config.option.collectonly:
        with ends_in_one_line():
            begin_own_report(config)


def begin_controller(config: pytest.Config) -> None:
    """The controller of parallel workers brings boards back and starts the virtual rack, and tells where it is."""
    with ends_in_one_line():
        if is_engineers_own(config):
            raise Misuse("an engineer's own board is one: it cannot serve parallel workers", hint="leave out -n")
        bring_boards_back(config)
        if chosen_rack(config) == "virtual":
            rack = virtual_rack(config)
            handover_of(config).report_rack(rack.coordinator, rack.environment)


@contextmanager
def ends_in_one_line() -> Iterator[None]:
    """A fault in which a session cannot go on ends it in one line and with the rig's exit status: pytest's is 3."""
    try:
        yield
    except RigError as error:
        pytest.exit(f"rig: {error}", returncode=error.exit_status)

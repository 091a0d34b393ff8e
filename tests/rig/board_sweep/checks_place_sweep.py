"""Named checks of test_mutants about the process of one place: control cuts, boards that fail, a lab that spoils."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import ClassVar
from unittest.mock import patch

from rig.board_sweep import worker
from rig.board_sweep.stratum import Fell
from rig.board_sweep.tally import CONTROL, SWEPT
from rig.board_sweep.task import Order, Rules
from rig.board_sweep.verdict import verdict_of
from rig.board_sweep.worker import PlaceSweep
from rig.errors import DeviceFault, LabFault, Unreachable
from rig.gate.policy import Policy
from tests.rig.board_sweep.made_up import GENERATION, PROGRAM, swept, tally_of


class Orders:
    """The other end of a place's process: so many cuts are asked for, and every line is heard."""

    def __init__(self, count: int):
        self._left, self.lines = [Order(number, PROGRAM) for number in range(1, count + 1)], []

    def send(self, said):
        if said.what == "line":
            self.lines.append(said.line)

    def recv(self):
        return self._left.pop(0) if self._left else None

    @property
    def kinds(self) -> list[str]:
        return [line["kind"] for line in self.lines]


def worked(orders, *results, controls=()):
    """What ended the sweep of a place whose cuts and control cuts end so, None for the end of its orders; the sweep.

    What is not told ends well; a result is what a cut fell into, what makes the cut, or an error.
    """
    board = SimpleNamespace(name="core-01", tags=GENERATION, clear_servers=lambda: None)
    rules, made, passes = Rules(0, Policy(control_every=3)), iter(results), iter(controls)
    ledger = SimpleNamespace(append=lambda kind, content: {"kind": kind, **content})
    sweep = PlaceSweep(SimpleNamespace(run_id="r", rules=rules), board, None, ledger, orders)

    def cut(number, stratum):
        end = next(made, Fell.LANDED)
        if isinstance(end, Exception):
            raise end
        return end(number) if callable(end) and not isinstance(end, Fell) else swept(number, end, stratum=stratum)

    def control_cut(_board, _known, _note):
        if (error := next(passes, None)) is not None:
            raise error

    sweep._bench, sweep._cutter = SimpleNamespace(timeline=None), SimpleNamespace(cut=cut)
    real, worker.control_cut = worker.control_cut, control_cut
    try:
        sweep.work()
    except (DeviceFault, LabFault) as error:
        return error, sweep
    finally:
        worker.control_cut = real
    return None, sweep


def a_control_cut_is_made_every_so_many_cuts_and_at_the_end(_folder):
    orders = Orders(7)
    assert worked(orders)[0] is None
    assert orders.kinds == [*[SWEPT] * 3, CONTROL, *[SWEPT] * 3, CONTROL, SWEPT, CONTROL]


def a_board_that_fails_its_control_cut_is_used_no_more(_folder):
    orders = Orders(7)
    error, sweep = worked(orders, controls=(None, LabFault("3 control cuts landed in outside")))
    assert isinstance(error, LabFault)
    assert sweep.is_unfit
    assert orders.kinds[-1] == CONTROL
    assert [cut.number for cut in tally_of(*orders.lines).cuts] == [1, 2, 3]


def a_control_cut_whose_relay_is_gone_says_nothing_of_the_board(_folder):
    orders = Orders(3)
    error, sweep = worked(orders, controls=(Unreachable("no relay"),))
    assert isinstance(error, Unreachable)
    assert not sweep.is_unfit
    assert tally_of(*orders.lines).cuts == [], "and nobody vouches for what came before"


def a_dead_board_ends_its_place_and_counts(_folder):
    orders = Orders(7)
    error, sweep = worked(orders, Fell.LANDED, lambda number: swept(number, dead=True, needed_hand=True))
    assert isinstance(error, DeviceFault)
    assert sweep.is_unfit
    assert verdict_of(tally_of(*orders.lines), Policy(tolerated=1), [PROGRAM], []).status == 1


def a_board_that_does_not_come_back_to_its_known_state_is_unfit(_folder):
    orders = Orders(7)
    error, sweep = worked(orders, Fell.LANDED, DeviceFault("it was written and does not run"))
    assert isinstance(error, DeviceFault)
    assert sweep.is_unfit
    assert tally_of(*orders.lines).cuts == []


def a_place_that_the_lab_spoils_is_given_up(_folder):
    orders = Orders(9)
    error, _ = worked(orders, *[LabFault("the relay is silent")] * 9)
    assert isinstance(error, LabFault)
    assert len(orders.lines) == worker.MOST_SPOILED
    assert tally_of(*orders.lines).counts()[PROGRAM].fell[Fell.MISSED] == worker.MOST_SPOILED


def a_cut_that_the_lab_spoils_is_only_missed(_folder):
    orders = Orders(6)
    assert worked(orders, LabFault("silent"), Fell.LANDED, LabFault("silent"), LabFault("silent"))[0] is None
    assert tally_of(*orders.lines).counts()[PROGRAM].fell[Fell.MISSED] == 3


class MadeUpBoards:
    """A coordinator with one place; whose board was put into quarantine, and why."""

    quarantined: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, *_where, **_how):
        self.quarantined.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        return None

    def take(self, name):
        return SimpleNamespace(name=name, compare_with_manifest=lambda *_: None, enter_readback_mode=lambda: None)

    def quarantine(self, name, reason):
        self.quarantined.append((name, reason))


def quarantined(folder, error: Exception, *, unfit: bool) -> list[tuple[str, str]]:
    """Places in quarantine after one whose sweep ended so, on a board that answers when it is asked."""

    def work():
        raise error

    sweep = SimpleNamespace(begin=lambda _maps: None, work=work, is_unfit=unfit)
    task = SimpleNamespace(
        kind="spark-core", place="core-01", maps={}, manifest=None, segment=folder / "core-01.1.jsonl",
        lab=SimpleNamespace(coordinator="", environment=None),
    )  # fmt: skip
    ending = SimpleNamespace(interruptible=nullcontext)
    with patch.multiple(worker, Boards=MadeUpBoards, PlaceSweep=lambda *_: sweep), suppress(DeviceFault, LabFault):
        worker._sweep_place(task, None, ending)
    return list(MadeUpBoards.quarantined)


def a_board_that_is_unfit_goes_into_quarantine(folder):
    fault = LabFault("3 control cuts landed in outside")
    assert quarantined(folder, fault, unfit=True) == [("core-01", "3 control cuts landed in outside")]


def a_board_whose_firmware_broke_goes_into_quarantine(folder):
    assert quarantined(folder, DeviceFault("it hangs"), unfit=False) == [("core-01", "it hangs")]


def a_board_that_answers_when_the_lab_broke_does_not(folder):
    assert quarantined(folder, LabFault("the relay is silent"), unfit=False) == []
    assert quarantined(folder, Unreachable("no relay"), unfit=False) == []

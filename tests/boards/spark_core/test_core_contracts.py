"""What every driver of a Core must keep to: USB port, update path, RST, console.

On hardware these need an environment file and nothing else; they write to a sector of the external flash that
firmware leaves to users.
"""

from __future__ import annotations

import pytest

from rig.drivers.dfu_host import EraseOrder
from rig.errors import LabFault
from rig.families.spark_core.boards.provisioning import read_core_id
from rig.families.spark_core.formats import flash as layout

pytestmark = pytest.mark.board("spark-core", mode="wired")

SCRATCH, PATTERN = 0x1F_0000, bytes(range(256)) * 10


@pytest.fixture(autouse=True)
def handled_directly(bench):
    """These go past the board to its drivers: whatever it is in afterwards, it is not its known state."""
    yield
    bench.board.known = False


def test_a_device_that_loses_power_is_a_lab_fault_that_names_the_board(bench):
    def read_without_power():
        with bench.board.dfu() as host:
            bench.board.relay.off()
            host.read(layout.APP_ADDRESS, 4096)

    with pytest.raises(LabFault) as lost:
        read_without_power()
    assert lost.value.board == bench.board.name
    bench.board.power_on()


@pytest.mark.parametrize("order", EraseOrder, ids=lambda order: order.value)
def test_what_an_update_path_wrote_it_reads_back_and_every_piece_is_told(bench, order):
    steps = []
    with bench.board.dfu(steps.append) as host:
        host.write(SCRATCH, PATTERN, order)
        assert host.read(SCRATCH, len(PATTERN)) == PATTERN
    written = [progress for progress in steps if progress.phase == "program"]
    assert [progress.done for progress in written] == [1024, 2048, 2560]
    assert sum(progress.phase == "erase" for progress in steps) == 1


def test_a_button_reads_back_what_it_was_told(bench):
    if not bench.board.has_reset:
        pytest.skip("not run here: RST is not wired")
    bench.board.press_reset()
    assert bench.board.observe(bench.board.timing.start) is not None, "nothing on USB once it is fed again"


def test_a_console_is_there_while_the_board_listens_and_every_byte_has_its_moment(bench):
    board = bench.board
    if board.console is None or board.online is not None:
        pytest.skip("not run here: the board has no console at its start")
    board.start()
    board.must.be_alive(board.timing.start)
    core_id = read_core_id(board.console, board=board.name, seconds=board.timing.start)
    assert core_id == board.tags["core_id"]
    stamps = [entry.at_ns for entry in board.console.entries]
    assert stamps == sorted(stamps)
    board.power_off()
    board.must.satisfy("its console is gone", lambda: not board.console.connected, board.timing.off)
    with pytest.raises(LabFault, match="no console"):
        board.console.write(b"i")
    board.power_on()

"""The named checks of test_mutants: each proves one property, and must fail when its fault is planted.

A check takes a folder of its own and asserts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import socket
from types import SimpleNamespace

import usb.core

from rig.control.address import TcpAddress, UnixAddress
from rig.drivers import usbip_backend
from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.errors import DeviceFault, LabFault, Misuse
from rig.evidence import ledger, results
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.formats import dfuse
from rig.recovery.ladder import RescueLadder
from rig.suites import faults
from rig.twin.relay import Relay, Wire
from rig.twin.tears import named_tear
from tests.rig.drivers import test_dfu_host
from tests.rig.evidence import test_ledger
from tests.rig.families.spark_core.power import test_landing
from tests.rig.families.spark_core.twin.models import ROLES, RUNNING_FLAGS, ModelUsb, core_in_memory, into_dfu, settle
from tests.rig.power import test_cut
from tests.rig.stand_ins import Lines, Showing, Ticking


def programming_only_clears_bits(tmp_path):
    memory = core_in_memory().memory.external
    for data in (b"\x0f\x0f", b"\xf0\xf0"):
        run = memory.programming(0x1000, data)
        memory.perform(run, 0, run.count)
    assert memory.peek(0x1000, 2) == b"\x00\x00"


def internal_flash_refuses_what_is_not_blank(tmp_path):
    board = into_dfu(core_in_memory())
    with DfuHost(ModelUsb(board), sleep=board.advance) as host:
        host._download(0, dfuse.pointer_command(layout.APP_ADDRESS))
        host._download(dfuse.FIRST_DATA_BLOCK, b"\x55" * 64)
    assert board.memory.app()[: len(ROLES["old"])] == ROLES["old"].data


def a_cut_after_the_flags_were_erased_strands(tmp_path):
    board = into_dfu(core_in_memory())
    device = ModelUsb(board)
    with DfuHost(device, sleep=device.sleep) as host, contextlib.suppress(LabFault):
        board.memory.journal.fuse = (1, None)
        host.leave(layout.APP_ADDRESS)
        settle(board)
    board.power_on(board.time)
    settle(board)
    assert board.running is None
    assert board.usb.identity == "1d50:607f"


def registers_do_not_survive_a_power_cut(tmp_path):
    board = core_in_memory()
    board.power_on(0)
    board.advance(5)
    board.power_off(5)
    board.power_on(6)
    assert board.dr[1] == 0


def a_board_without_power_is_gone_from_usb(tmp_path):
    board = core_in_memory()
    board.power_on(0)
    board.advance(5)
    assert board.usb is not None
    board.power_off(5)
    assert board.usb is None


def a_crash_is_noticed_by_the_watchdog(tmp_path):
    board = into_dfu(core_in_memory())
    device = ModelUsb(board)
    with DfuHost(device, sleep=device.sleep) as host:
        host.write(layout.APP_ADDRESS, test_dfu_host.NEW.data[:1024] + b"\xaa" * 1024)
        host.leave(layout.APP_ADDRESS)
    settle(board)
    assert board.running == "core-previous"


def an_update_that_did_not_reach_flash_is_noticed(tmp_path):
    board = into_dfu(core_in_memory())
    device = ModelUsb(board)
    port = SimpleNamespace(device=lambda: device, identity=lambda: None)
    driven = SparkCore(
        "core-01", relay=None, mode=None, usb=port, clock=SimpleNamespace(now=lambda: 0, sleep=device.sleep)
    )
    driven.update(ROLES["new"])
    settle(board)
    assert board.running == "core-new"


def a_block_lost_on_the_way_is_a_device_fault(tmp_path):
    board = into_dfu(core_in_memory())
    device = ModelUsb(board)
    lossy = board.memory.internal.perform
    board.memory.internal.perform = lambda run, a, b: lossy(run, a, b) if run.address != 0x0800_5400 else None
    port = SimpleNamespace(device=lambda: device, identity=lambda: None)
    driven = SparkCore(
        "core-01", relay=None, mode=None, usb=port, clock=SimpleNamespace(now=lambda: 0, sleep=device.sleep)
    )
    noticed = False
    try:
        driven.update(ROLES["new"])
    except DeviceFault:
        noticed = True
    assert noticed


def a_relay_channel_moves_its_own_line(tmp_path):
    told = []
    relay = Relay([Wire("power", TcpAddress(host, 1)) for host in "ab"])
    relay._send = lambda wire, request: told.append((wire.address.host, request["on"]))
    relay.switch(1, False)
    assert told == [("b", False)]
    assert relay.closed == [True, False]


def what_a_board_is_told_while_it_is_dialled_arrives_in_order(tmp_path):
    address = UnixAddress(tmp_path / "control.sock")
    relay = Relay([Wire("power", address), Wire("reset", address)])

    async def switch():
        for channel, closed in ((0, False), (1, True), (1, False), (0, True)):
            relay.switch(channel, closed)
        await relay.settled()
        relay.close()

    with socket.socket(socket.AF_UNIX) as board:
        board.bind(str(address.path))
        board.listen()
        asyncio.run(switch())
        with board.accept()[0].makefile() as came:
            lines = [json.loads(line) for line in came]
    assert [list(each.values()) for each in lines] == [
        ["power", False],
        ["reset", True],
        ["reset", False],
        ["power", True],
    ], "the board heard something else than the relay was told"


def power_off_noticed(closed, identity) -> bool:
    lines = Lines(closed, identity)
    try:
        SparkCore("core-01", relay=lines, mode=None, usb=lines, clock=Ticking()).power_off()
    except LabFault:
        return True
    return False


def a_board_that_stays_powered_is_a_lab_fault(tmp_path):
    assert power_off_noticed(False, "1d50:607d"), "another feed, or swapped cables"
    assert power_off_noticed(True, None), "a sticky relay"
    assert not power_off_noticed(False, None)


def poll_times_are_honoured(tmp_path):
    board = into_dfu(core_in_memory())
    device = ModelUsb(board)
    with DfuHost(device, sleep=device.sleep) as host:
        device.slept.clear()
        host.erase(layout.APP_ADDRESS)
    assert device.slept == [0.05]


def all_pages_are_erased_before_the_first_block(tmp_path):
    board = into_dfu(core_in_memory())
    device, seen = ModelUsb(board), []
    with DfuHost(device, sleep=device.sleep, watch=lambda progress: seen.append(progress.phase)) as host:
        host.write(layout.APP_ADDRESS, ROLES["new"].data, EraseOrder.ALL_FIRST)
    assert seen == ["erase"] * test_dfu_host.PAGES + ["program"] * test_dfu_host.PAGES


def a_stall_reaches_the_host_as_errno_32(tmp_path):
    error = usbip_backend._usb_error(OSError(32, "Broken pipe"))
    assert isinstance(error, usb.core.USBError)
    assert error.errno == 32


def a_cut_waits_for_its_delay(tmp_path):
    # Long against what a busy machine may take to wake a thread: a hasty cut must not look like a patient one.
    test_cut.test_the_command_leaves_no_earlier_than_its_delay(1000)


def a_cut_waits_for_its_event(tmp_path):
    test_cut.test_nothing_is_cut_when_nothing_matched()


def a_landing_is_where_the_journal_says(tmp_path):
    for order, k in ((EraseOrder.ALL_FIRST, 5), (EraseOrder.ALL_FIRST, 1000), (EraseOrder.INTERLEAVED, 3000)):
        truth, landing = test_landing.cut_at(order, k, named_tear("prefix", 1))
        assert test_landing.agrees(truth, landing), landing


def a_torn_flags_page_is_a_commit(tmp_path):
    area = ROLES["new"].data.ljust(layout.APP_SIZE, b"\xff")
    write = DfuWrite(area, RUNNING_FLAGS, ROLES["new"].data, EraseOrder.ALL_FIRST)
    assert write.locate(area, b"\xff" * 10).phase == "commit"


def a_changed_ledger_line_is_noticed(tmp_path):
    path = test_ledger.write(tmp_path / "main.jsonl", 3)
    path.write_bytes(path.read_bytes().replace(b'"trial":"1"', b'"trial":"7"'))
    noticed = False
    try:
        list(ledger.read_ledger(path))
    except ledger.Misuse:
        noticed = True
    assert noticed


def rescued(*shown):
    clock = Ticking()
    lines = Showing(clock, *shown)
    board = SparkCore("core-01", relay=lines, mode=lines, usb=lines, reset=lines, clock=clock)
    board.verify_off = board.enter_dfu = lambda: None
    board.update = lambda _image: setattr(lines, "shown_until", [("1d50:607d", math.inf)])
    board.dfu = lambda: contextlib.nullcontext(SimpleNamespace(read=lambda _address, n: ROLES["new"].data.ljust(n)))
    return RescueLadder(board, ROLES, ROLES["old"]).climb(lambda _text: None)


def a_board_that_leaves_dfu_by_itself_is_not_stranded(tmp_path):
    outcome = rescued((None, 4), ("1d50:607f", 8), ("1d50:607d", math.inf))
    assert (outcome.rung, outcome.image) == ("wait", "new")


def only_assertions_and_device_faults_are_the_devices(tmp_path):
    told = [faults._whose_fault(error) for error in (KeyError(), OSError(), LabFault("x"), Misuse("x"))]
    assert told == ["lab fault", "lab fault", "lab fault", "misuse"]
    assert faults._whose_fault(AssertionError()) == faults._whose_fault(DeviceFault("x")) == "device fault"


def a_device_fault_is_never_a_pass(tmp_path):
    assert results.judge([results.TestResult("t", word, 0) for word in ("passed", "device fault")]).status == 1


def misuse_is_hidden_by_no_other_fault(tmp_path):
    seen = [results.TestResult("t", word, 0) for word in ("device fault", "misuse", "lab fault", "passed")]
    assert results.judge(seen).status == 2


def a_short_answer_is_the_devices_fault(tmp_path):
    board = into_dfu(core_in_memory())
    device = ModelUsb(board)
    noticed = False
    with DfuHost(device, sleep=device.sleep) as host:
        device.ctrl_transfer = lambda *_args: b"\0"
        try:
            host._status()
        except DeviceFault:
            noticed = True
    assert noticed


def a_stranded_board_did_not_heal_itself(tmp_path):
    outcome = rescued(("1d50:607f", math.inf))
    assert (outcome.rung, outcome.image, outcome.stranded) == ("reflash", "none", True)

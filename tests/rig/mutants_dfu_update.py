"""Planted faults on the way of an update over DFU: twin, driver, relay, cut, landing, ladder, ledger, verdict."""

from __future__ import annotations

from types import SimpleNamespace

from rig.drivers import dfu_host, usbip_backend
from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.evidence import results, segment
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.mode_button import ModeButton
from rig.families.spark_core.boards.timing import Timing
from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.power.dfu_landing import DfuWrite
from rig.families.spark_core.twin import core, dfu
from rig.families.spark_core.twin.app import application
from rig.power import cut as cut_module
from rig.power.landing import Landing
from rig.suites import faults
from rig.twin import flash
from rig.twin import relay as relay_module
from rig.twin.steps import Work
from tests.rig import checks
from tests.rig.families.spark_core.boards import checks_held
from tests.rig.families.spark_core.twin.models import ROLES


def _save_in_one_go(board, flags):
    """A flags page without a window: erased and written at once."""
    memory = board.memory.internal
    for run in (memory.erasing(layout.FLAGS_ADDRESS), memory.programming(layout.FLAGS_ADDRESS, flags.pack())):
        memory.perform(run, 0, run.count)
    yield Work(memory.programming(layout.FLAGS_ADDRESS + 16, b"\xff\xff"))


def _never_bites(self, seconds):
    return None


def _keep_registers(self, now, *, causes=frozenset({"power-on", "pin"})):
    kept = dict(self.dr)
    REAL_POWER_ON(self, now, causes=causes)
    self.dr.update(kept)


REAL_POWER_ON = core.Core.power_on
REAL_LOCATE = DfuWrite.locate


def _wrong_wire(self, channel, closed):
    self.closed[channel] = closed
    self._send(self.wires[0], self.wires[0].request(closed))


def _let_go_first(mode):
    board = mode._board
    board.power_off()
    with board.buttons.held(mode._wired()):
        began = board.clock.now()
        board.power_on()
        board.clock.sleep(board.timing.mode_hold)
    return board.clock.now() - began


def _blind_switch(self, progress):
    self._trigger_ns = 1
    self._triggered.set()


def _write_nothing(self, address, data):
    return
    yield


MUTANTS = {
    "twin: external flash takes any value": (
        lambda m: m.setattr(flash, "_and", lambda old, new: new),
        checks.programming_only_clears_bits,
    ),
    "twin: internal flash programs over old data": (
        lambda m: m.setattr(flash.Nor, "_program_strictly", lambda self, old, data: data),
        checks.internal_flash_refuses_what_is_not_blank,
    ),
    "twin: flags are saved without a window": (
        lambda m: m.setattr(dfu, "save", _save_in_one_go),
        checks.a_cut_after_the_flags_were_erased_strands,
    ),
    "twin: backup registers survive": (
        lambda m: m.setattr(core.Core, "power_on", _keep_registers),
        checks.registers_do_not_survive_a_power_cut,
    ),
    "twin: USB outlives the supply": (
        lambda m: m.setattr(core.Core, "detach", lambda self: None),
        checks.a_board_without_power_is_gone_from_usb,
    ),
    "twin: the watchdog never bites": (
        lambda m: m.setattr(core.Core, "feed_watchdog", _never_bites),
        checks.a_crash_is_noticed_by_the_watchdog,
    ),
    "twin: every image runs": (
        lambda m: m.setattr(
            core, "application", lambda board, _known: application.application(board, Identity("x", "ok"))
        ),
        checks.a_crash_is_noticed_by_the_watchdog,
    ),
    "twin: DFU writes nothing": (
        lambda m: (
            m.setattr(dfu.DfuFunction, "_write", _write_nothing),
            m.setattr(DfuHost, "read", lambda self, a, n: ROLES["new"].data[:n]),
        ),
        checks.an_update_that_did_not_reach_flash_is_noticed,
    ),
    "driver: what was written is not read back": (
        lambda m: m.setattr(DfuHost, "read", lambda self, address, length: ROLES["new"].data[:length]),
        checks.a_block_lost_on_the_way_is_a_device_fault,
    ),
    "relay: every channel moves the first line": (
        lambda m: m.setattr(relay_module.Relay, "switch", _wrong_wire),
        checks.a_relay_channel_moves_its_own_line,
    ),
    "relay: of what comes while a board is dialled, the last counts": (
        lambda m: m.setattr(relay_module, "_MOST_PENDING", 1),
        checks.what_a_board_is_told_while_it_is_dialled_arrives_in_order,
    ),
    "board: off is believed without a sign": (
        lambda m: m.setattr(SparkCore, "verify_off", lambda self: None),
        checks.a_board_that_stays_powered_is_a_lab_fault,
    ),
    "driver: poll times are ignored": (
        lambda m: m.setattr(dfu_host.DfuHost, "_status", _impatient_status),
        checks.poll_times_are_honoured,
    ),
    "driver: the erase order is ignored": (
        lambda m: m.setattr(dfu_host.DfuHost, "write", _always_interleaved),
        checks.all_pages_are_erased_before_the_first_block,
    ),
    "driver: a stall is told as no such device": (
        lambda m: m.setattr(usbip_backend, "_number", lambda error: 19),
        checks.a_stall_reaches_the_host_as_errno_32,
    ),
    "cut: the delay is ignored": (
        lambda m: m.setattr(cut_module, "time", _hasty_time()),
        checks.a_cut_waits_for_its_delay,
    ),
    "cut: any event fires it": (
        lambda m: m.setattr(cut_module.Cut, "watch", _blind_switch),
        checks.a_cut_waits_for_its_event,
    ),
    "landing: taken from the aim": (
        lambda m: m.setattr(DfuWrite, "locate", _hopeful_locate),
        checks.a_landing_is_where_the_journal_says,
    ),
    "landing: the flags page is not looked at": (
        lambda m: m.setattr(DfuWrite, "locate", lambda self, area, _flags: REAL_LOCATE(self, area, self.flags_before)),
        checks.a_torn_flags_page_is_a_commit,
    ),
    "ledger: the chain is not checked": (
        lambda m: m.setattr(segment.Segment, "_check", lambda self, _raw: None),
        checks.a_changed_ledger_line_is_noticed,
    ),
    "ladder: the first sign is the last": (
        lambda m: m.setattr("rig.families.spark_core.recovery.rescue.poll", lambda *_args, **_named: None),
        checks.a_board_that_leaves_dfu_by_itself_is_not_stranded,
    ),
    "board: nobody measures how long MODE was held": (
        lambda m: m.setattr(Timing, "mode_held_too_long", 1e9),
        checks_held.held(checks_held.hold_is_refused, "b", [6.1]),
    ),
    "board: MODE is let go before the Core listens": (
        lambda m: m.setattr(Timing, "listening_hold", 3.5),
        checks_held.mode_is_held_until_the_core_listens,
    ),
    "board: a late hand lets go of MODE first": (
        lambda m: m.setattr(ModeButton, "_hold_for_dfu", _let_go_first),
        checks_held.held(checks_held.comes_into_dfu, "c", [4.0]),
    ),
    "verdict: every fault is the device's": (
        lambda m: m.setattr(faults, "_whose_fault", lambda _error: "device fault"),
        checks.only_assertions_and_device_faults_are_the_devices,
    ),
    "verdict: all is well": (
        lambda m: m.setattr(results, "judge", lambda _results: results.RunVerdict("passed", 0)),
        checks.a_device_fault_is_never_a_pass,
    ),
    "verdict: a device fault hides misuse": (
        lambda m: m.setattr(results, "MISUSE", "misused"),
        checks.misuse_is_hidden_by_no_other_fault,
    ),
    "driver: short answers are taken as they are": (
        lambda m: m.setattr(DfuHost, "_in", _trusting_in),
        checks.a_short_answer_is_the_devices_fault,
    ),
    "ladder: a board in DFU counts as healed": (
        lambda m: m.setattr("rig.families.spark_core.recovery.rescue.CoreRescue.alive", ("1d50:607f",)),
        checks.a_stranded_board_did_not_heal_itself,
    ),
}


def _trusting_in(self, request, value, length):
    return bytes(self.device.ctrl_transfer(0xA1, request, value, 0, length)).ljust(length, b"\0")


def _impatient_status(self, begun=None):
    from rig.formats.dfuse import GETSTATUS, Status

    return Status.unpack(bytes(self._in(GETSTATUS, 0, 6)))


REAL_WRITE = DfuHost.write


def _always_interleaved(self, address, data, order=None):
    REAL_WRITE(self, address, data, EraseOrder.INTERLEAVED)


def _hasty_time():
    import time

    ahead = SimpleNamespace(calls=0)

    def monotonic():
        ahead.calls += 1
        return time.monotonic() + ahead.calls * 10

    return SimpleNamespace(monotonic=monotonic, monotonic_ns=time.monotonic_ns, sleep=lambda _seconds: None)


def _hopeful_locate(self, area, flags):
    return Landing("program", layout.APP_ADDRESS + len(self.data) // 2, "read-back", "where it was aimed")

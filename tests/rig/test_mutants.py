"""Planted faults: each breaks one thing in a twin, a server, a driver or a reader, and a named check must notice.

A check passes on the real code and fails on the mutant by assertion. A row here is a promise: when a check stops
noticing its fault, this table fails.
"""

from __future__ import annotations

from types import SimpleNamespace

import checks
import mutants_bench
import mutants_boot
import mutants_bounds
import mutants_control
import mutants_core
import mutants_esp
import mutants_esp_app
import mutants_esp_hostile
import mutants_esp_rack
import mutants_esp_releases
import mutants_esp_serial
import mutants_esp_stage
import mutants_evidence
import mutants_https
import mutants_lab
import mutants_probe
import mutants_remote
import mutants_spark
import mutants_spark_api
import mutants_swap
import mutants_timeline
import mutants_trust
import mutants_usb
import mutants_watch
import pytest
from models import ROLES

from rig import plugin
from rig.boards.spark_core import SparkCore
from rig.boards.timing import Timing
from rig.drivers import dfu_host, usbip_backend
from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.evidence import results, segment
from rig.firmware.identify import Identity
from rig.formats import spark_flash as layout
from rig.power import cut as cut_module
from rig.power import landing
from rig.twin import flash
from rig.twin import relay as relay_module
from rig.twin.spark_core import core, dfu
from rig.twin.spark_core.app import application
from rig.twin.steps import Work


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
REAL_LOCATE = landing.DfuWrite.locate


def _wrong_wire(self, channel, closed):
    self.closed[channel] = closed
    self._tell(self.wires[0], self.wires[0].request(closed))


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
        lambda m: m.setattr(landing.DfuWrite, "locate", _hopeful_locate),
        checks.a_landing_is_where_the_journal_says,
    ),
    "landing: the flags page is not looked at": (
        lambda m: m.setattr(
            landing.DfuWrite, "locate", lambda self, area, _flags: REAL_LOCATE(self, area, self.flags_before)
        ),
        checks.a_torn_flags_page_is_a_commit,
    ),
    "ledger: the chain is not checked": (
        lambda m: m.setattr(segment.Segment, "_check", lambda self, _raw: None),
        checks.a_changed_ledger_line_is_noticed,
    ),
    "ladder: the first sign is the last": (
        lambda m: m.setattr("rig.recovery.core_rescue.look_for", lambda *_args, **_named: None),
        checks.a_board_that_leaves_dfu_by_itself_is_not_stranded,
    ),
    "board: nobody measures how long MODE was held": (
        lambda m: m.setattr(Timing, "mode_held_too_long", 1e9),
        checks.a_button_held_too_long_is_a_lab_fault,
    ),
    "verdict: every fault is the device's": (
        lambda m: m.setattr(plugin, "_whose_fault", lambda _error: "device fault"),
        checks.only_assertions_and_device_faults_are_the_devices,
    ),
    "verdict: all is well": (
        lambda m: m.setattr(results, "judge", lambda _results: results.RunVerdict("passed", 0)),
        checks.a_device_fault_is_never_a_pass,
    ),
    "driver: short answers are taken as they are": (
        lambda m: m.setattr(DfuHost, "_in", _trusting_in),
        checks.a_short_answer_is_the_devices_fault,
    ),
    "ladder: a board in DFU counts as healed": (
        lambda m: m.setattr("rig.recovery.core_rescue.CoreRescue.alive", ("1d50:607f",)),
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
    return landing.Landing("program", layout.APP_ADDRESS + len(self.data) // 2, "read-back", "where it was aimed")


TABLES = [
    MUTANTS,
    *(
        module.MUTANTS
        for module in (
            mutants_bench,
            mutants_boot,
            mutants_bounds,
            mutants_control,
            mutants_core,
            mutants_evidence,
            mutants_spark,
            mutants_spark_api,
            mutants_esp,
            mutants_esp_app,
            mutants_esp_hostile,
            mutants_esp_rack,
            mutants_esp_releases,
            mutants_esp_stage,
            mutants_esp_serial,
            mutants_https,
            mutants_lab,
            mutants_trust,
            mutants_usb,
            mutants_swap,
            mutants_probe,
            mutants_timeline,
            mutants_remote,
            mutants_watch,
        )
    ),
]
MUTANTS = {name: row for table in TABLES for name, row in table.items()}


def test_no_row_hides_another():
    assert len(MUTANTS) == sum(map(len, TABLES))


@pytest.mark.parametrize("name", MUTANTS)
def test_the_named_check_passes_without_the_fault(name, tmp_path):
    _, check = MUTANTS[name]
    check(tmp_path)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_named_check_fails_on_the_fault_by_assertion(name, tmp_path, monkeypatch):
    plant, check = MUTANTS[name]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(tmp_path)

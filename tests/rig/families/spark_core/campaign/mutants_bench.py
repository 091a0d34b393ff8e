"""More planted faults for test_mutants: generations, copies, keys, files, the ladder, the lab."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

from rig.campaign import lead
from rig.drivers import console
from rig.evidence import cut_map
from rig.families.spark_core.boards import bring_up
from rig.families.spark_core.boards import keys as core_keys
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.lab import dfu_files
from rig.families.spark_core.power.copy_landing import Copy
from rig.families.spark_core.trust import core_key
from rig.families.spark_core.twin import bootloader, bootloader_a, bootloader_b, bootloader_c, copies, core, dfu
from rig.families.spark_core.twin.steps import Jump
from rig.firmware import releases
from rig.lab import health, notes, reservation, wanted
from rig.power.trigger import Aim
from rig.recovery.ladder import RescueLadder
from tests.rig.families.spark_core.campaign import checks_bench
from tests.rig.power import checks_aim


def _copy_without_the_backup(self, now, then, _backup):
    return REAL_NOT_BEGUN(self, now, then, self.backup_before)


REAL_NOT_BEGUN = Copy._not_begun
REAL_SAVE = copies.save
REAL_RUNGS = RescueLadder.rungs
REAL_USB = checks_bench.Rack.usb
REAL_RELAY = checks_bench.Rack.relay


def _save_unmarked(board, flags):
    if flags.ota != layout.OTA_COPYING:
        yield from REAL_SAVE(board, flags)


def _written_blindly(board, image):
    with board.dfu() as host:
        host.write(layout.FACTORY_ADDRESS, image.data)


def _bare_key(board, key):
    with board.dfu() as host:
        host.write(layout.SERVER_KEY_ADDRESS, key)


def _sticky(self, number):
    relay = REAL_RELAY(self, number)
    relay.off = lambda: None
    return relay


def _unsplit(content, _name):
    return content, None


MUTANTS = {
    "cut: what a relay takes is not learned": (
        lambda m: m.setattr(Aim, "command_after", lambda aim, _lead_ms: aim.delay_ms),
        checks_aim.what_a_relay_took_is_reckoned_with,
    ),
    "cut: each cut that the rig was late with is a try": (
        lambda m: m.setattr(lead, "LATE_MS", 1e9),
        checks_aim.cuts_that_the_rig_was_late_with_are_no_tries,
    ),
    "generation A: a watchdog runs": (
        lambda m: m.setattr(bootloader_a, "Jump", lambda address, at_once: Jump(address, 4998.4, at_once)),
        checks_bench.generation_a_starts_no_watchdog,
    ),
    "generation A: no backup before a factory reset": (
        lambda m: m.setattr(bootloader_a, "backup", checks_bench.nothing),
        checks_bench.generation_a_backs_up_before_a_factory_reset,
    ),
    "generation B: nothing is erased at last": (
        lambda m: m.setattr(bootloader_b, "erase_app", checks_bench.nothing),
        checks_bench.generation_b_erases_the_application_at_the_third_watchdog_reset,
    ),
    "generation C: the factory image is not tried": (
        lambda m: m.setattr(bootloader_c, "bring_factory_image", checks_bench.nothing),
        checks_bench.row("dfu: during the erase", "c"),
    ),
    "generation C: erases as B does": (
        lambda m: m.setitem(bootloader.BOOTLOADERS, "c", bootloader.BOOTLOADERS["b"]),
        checks_bench.generation_c_keeps_the_application_at_the_third_watchdog_reset,
    ),
    "copy: not marked as under way": (
        lambda m: m.setattr(copies, "save", _save_unmarked),
        checks_bench.row("copy: during the restore", "b"),
    ),
    "copy: no backup is taken": (
        lambda m: m.setattr(copies, "backup", checks_bench.nothing),
        checks_bench.row("copy: during the restore", "b"),
    ),
    "twin: option bytes protect nothing": (
        lambda m: m.setattr(dfu.DfuFunction, "_is_locked", lambda self, _address: False),
        checks_bench.a_locked_bootloader_is_not_written,
    ),
    "twin: starts without a bootloader": (
        lambda m: m.setattr(core.Core, "generation", "b"),
        checks_bench.a_core_without_its_bootloader_is_dead,
    ),
    "files: a suffix's CRC is not checked": (
        lambda m: m.setattr(dfu_files, "split_suffix", lambda content, _name: (content[:-16], None)),
        checks_bench.a_damaged_file_is_refused,
    ),
    "files: a suffix is written into flash": (
        lambda m: m.setattr(dfu_files, "split_suffix", _unsplit),
        checks_bench.a_suffix_is_no_part_of_the_image,
    ),
    "releases: the hash is not checked": (
        lambda m: m.setattr(releases, "fetch", lambda source, _sha256, _watch: source.encode()),
        checks_bench.a_release_of_another_hash_is_refused,
    ),
    "keys: only the key is written": (
        lambda m: m.setattr(core_keys, "write_server_key", _bare_key),
        checks_bench.a_new_key_keeps_the_address,
    ),
    "keys: short numbers are let through": (
        lambda m: m.setattr(core_key, "reads_right", lambda _key: True),
        checks_bench.a_key_with_a_short_number_is_not_given_to_a_core,
    ),
    "bring-up: the factory image is not read back": (
        lambda m: m.setattr(bring_up, "write_factory_image", _written_blindly),
        checks_bench.worn_out_flash_is_noticed_while_a_board_is_brought_up,
    ),
    "lab: nobody leaves the queue": (
        lambda m: m.setattr(reservation.Reservation, "__exit__", lambda *_exc: None),
        checks_bench.who_has_waited_leaves_the_queue,
    ),
    "lab: all tidy up at once": (
        lambda m: m.setattr(notes, "one_at_a_time", contextlib.nullcontext),
        checks_bench.one_process_tidies_up_at_a_time,
    ),
    "lab: rare boards are everybody's": (
        lambda m: m.setattr(wanted, "rare_tags", lambda _kind, _tags: {}),
        checks_bench.suites_for_one_rare_board_share_a_worker,
    ),
    "lab: a reason goes into its tag as it is": (
        lambda m: m.setattr(health, "re", SimpleNamespace(sub=lambda _pattern, _by, text: text)),
        checks_bench.a_reason_fits_into_a_tag,
    ),
    "lab: USB cables of two boards are swapped": (
        lambda m: m.setattr(checks_bench.Rack, "usb", lambda self, number: REAL_USB(self, 1 - number)),
        checks_bench.each_board_goes_off_with_its_own_relay,
    ),
    "lab: a relay is sticky": (
        lambda m: m.setattr(checks_bench.Rack, "relay", _sticky),
        checks_bench.each_board_goes_off_with_its_own_relay,
    ),
    "console: the first bytes are dropped": (
        lambda m: m.setattr(console.ConsoleRecorder, "text", property(lambda self: self.entries[-1].data)),
        checks_bench.every_byte_is_recorded,
    ),
    "landing: a copy's backup is not looked at": (
        lambda m: m.setattr(Copy, "_not_begun", _copy_without_the_backup),
        checks_bench.a_copys_landing_is_where_the_journal_says,
    ),
    "ladder: nobody presses RST": (
        lambda m: m.setattr(
            RescueLadder, "rungs", lambda self: (rung for rung in REAL_RUNGS(self) if rung.name != "reset")
        ),
        checks_bench.what_rst_heals_is_healed_by_rst,
    ),
    "ladder: ends with reflashing": (
        lambda m: m.setattr(
            RescueLadder, "rungs", lambda self: (rung for rung in REAL_RUNGS(self) if rung.name != "factory-reset")
        ),
        checks_bench.what_cannot_be_reflashed_is_reset_to_factory,
    ),
    "map: the dead count as stranded": (
        lambda m: m.setattr(cut_map, "outcome_name", lambda _line: "stranded"),
        checks_bench.a_dead_board_is_black_on_the_map,
    ),
}

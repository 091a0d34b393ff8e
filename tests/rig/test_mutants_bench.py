"""Planted faults in what makes the Core complete on the bench: generations, copies, keys, ladder, lab. As test_mutants.

Each row: how the fault is planted, and the named check that passes without it and fails on it by assertion.
"""

from __future__ import annotations

import contextlib
import math
from types import SimpleNamespace

import checks
import pytest
import test_copy_landing
import test_cut_table
from models import MANIFEST, ROLES, ModelUsb, core_in_memory, into_dfu, settle

from rig.boards import core_keys
from rig.boards.spark_core import SparkCore
from rig.drivers import console
from rig.drivers.dfu_host import DfuHost
from rig.errors import DeviceFault, LabFault, Misuse
from rig.evidence import cut_map
from rig.firmware import releases
from rig.formats import spark_flash as layout
from rig.formats.dfu_suffix import DfuSuffix, add_suffix
from rig.formats.spark_keys import ServerRecord
from rig.lab import acquisition, by_hand, health, scheduling
from rig.power.copy_landing import Copy
from rig.recovery.ladder import RescueLadder
from rig.trust import core_key
from rig.twin.spark_core import bootloader_a, bootloader_b, bootloader_c, copies, core, dfu
from rig.twin.spark_core.boot_once import CAUSES
from rig.twin.spark_core.steps import Jump


def raises(error, act) -> bool:
    with contextlib.suppress(error):
        act()
        return False
    return True


def nothing(*_args, **_named):
    yield from ()


# -- checks ------------------------------------------------------------------------------------------------------------


def row(name, generation):
    return lambda _folder: test_cut_table.test_a_cut_ends_as_the_table_says(name, generation)


def generation_a_starts_no_watchdog(_folder):
    board = test_cut_table.shipped("A")
    board.power_on(0)
    board.advance(0.5)
    assert (board.running, board.watchdog_ms) == ("core-old", None)


def generation_a_backs_up_before_a_factory_reset(_folder):
    board = test_cut_table.shipped("A")
    test_cut_table.button_held(board)
    assert board.memory.external.peek(layout.BACKUP_ADDRESS, len(ROLES["old"])) == ROLES["old"].data


def generation_c_keeps_the_application_at_the_third_watchdog_reset(_folder):
    board = test_cut_table.shipped("C")
    board.power_on(0, causes=CAUSES["watchdog"])
    board.dr[1] = 3
    settle(board)
    assert board.memory.app()[: len(ROLES["old"])] == ROLES["old"].data


def generation_b_erases_the_application_at_the_third_watchdog_reset(_folder):
    board = test_cut_table.shipped("B")
    board.power_on(0, causes=CAUSES["watchdog"])
    board.dr[1] = 3
    settle(board)
    assert board.memory.app() == b"\xff" * layout.APP_SIZE


def in_dfu(locked):
    board = into_dfu(core_in_memory())
    board.locked = locked
    return board, ModelUsb(board)


def a_locked_bootloader_is_not_written(_folder):
    board, device = in_dfu(True)
    with DfuHost(device, sleep=device.sleep) as host:
        host.write(layout.INTERNAL_BASE, b"\x00" * 1024)
    assert board.memory.internal.peek(layout.INTERNAL_BASE, 1024) == b"\xff" * 1024


def a_core_without_its_bootloader_is_dead(_folder):
    board, device = in_dfu(False)
    with DfuHost(device, sleep=device.sleep) as host:
        host.write(layout.INTERNAL_BASE, ROLES["new"].data)
    board.power_off(board.time)
    board.power_on(board.time + 1)
    settle(board)
    assert (board.usb, board.running) == (None, None)


def a_damaged_file_is_refused(folder):
    content = add_suffix(ROLES["new"].data, DfuSuffix(0x1D50, 0x607F))
    (folder / "new.dfu").write_bytes(b"x" + content[1:])
    found = SimpleNamespace(identity="1d50:607f")
    assert raises(Misuse, lambda: by_hand.load_file(folder / "new.dfu", found))


def a_suffix_is_no_part_of_the_image(folder):
    (folder / "new.dfu").write_bytes(add_suffix(ROLES["new"].data, DfuSuffix(0x1D50, 0x607F)))
    assert by_hand.load_file(folder / "new.dfu", SimpleNamespace(identity="1d50:607f")).data == ROLES["new"].data


def a_release_of_another_hash_is_refused(folder):
    (folder / "core.bin").write_bytes(b"firmware")
    assert raises(Misuse, lambda: releases.fetch(str(folder / "core.bin"), "0" * 64, lambda _come, _total: None))


def driven(device):
    port = SimpleNamespace(device=lambda: device, identity=lambda: "1d50:607f")
    clock = SimpleNamespace(now=lambda: 0, sleep=device.sleep)
    return SparkCore("core-01", relay=None, mode=None, usb=port, clock=clock)


def a_new_key_keeps_the_address(_folder):
    _, device = in_dfu(False)
    board = driven(device)
    core_keys.write_server_record(board, ServerRecord(bytes(294), "cloud.example"))
    core_keys.write_server_key(board, b"\x01" * 294)
    assert core_keys.read_server_record(board) == ServerRecord(b"\x01" * 294, "cloud.example")


def a_key_with_a_short_number_is_not_given_to_a_core(_folder):
    def key(bits):
        half = dict.fromkeys(("p", "q", "dmp1", "dmq1", "iqmp"), 1 << 511)
        return SimpleNamespace(private_numbers=lambda: SimpleNamespace(d=1 << bits, **half))

    assert core_key.reads_right(key(1023))
    assert not core_key.reads_right(key(1007))


class Coordinator:
    """Two places; somebody has the second."""

    def __init__(self, **tags):
        self.tags = {"board": "spark-core", "health": "ok", **tags}
        self.mine = set()

    def places(self):
        def place(holder):
            return SimpleNamespace(tags=self.tags, acquired=holder, reservation=None)

        return {"core-01": place("me" if "core-01" in self.mine else None), "core-02": place("somebody")}

    def acquire(self, name):
        self.mine.add(name)

    def release(self, name):
        self.mine.discard(name)


def boards_of(coordinator):
    boards = acquisition.Boards("nowhere:1", "none", patience=0)
    boards._coordinator = coordinator
    return boards


def a_board_in_quarantine_is_not_handed_out(_folder):
    boards = boards_of(Coordinator(health="quarantine"))
    assert raises(LabFault, lambda: boards._fitting("spark-core", {}))


def of_two_boards_none_is_kept_when_one_is_taken(_folder):
    coordinator = Coordinator()
    boards = boards_of(coordinator)
    assert boards._take_free(boards._fitting("spark-core", {}), 2) is None
    assert coordinator.mine == set()


def suites_for_one_rare_board_share_a_worker(_folder):
    assert scheduling.rare({"timing": "real", "generation": "b"}) == "timing=real,b"
    assert scheduling.rare({"generation": "b"}) == ""


def a_reason_fits_into_a_tag(_folder):
    told = {}
    health.quarantine(
        SimpleNamespace(tag=lambda _name, **tags: told.update(tags)), "core-01", "no rung\nheals it = dead"
    )
    assert told["health"] == "quarantine"
    assert not set(told["reason"]) & set(" \n=")


def every_byte_is_recorded(_folder):
    link = SimpleNamespace(read=iter([b"boot", b" log"]).__next__, close=lambda: None)
    recorder = console.ConsoleRecorder("nowhere", 1)
    with contextlib.suppress(StopIteration):
        recorder._listen(link, None)
    assert recorder.text == b"boot log"


def a_copys_landing_is_where_the_journal_says(_folder):
    for k in (60, 200, 3000, 57_000):
        truth = test_copy_landing.JOURNALS["ota", "B"].operation(k)
        landing = test_copy_landing.cut_at("ota", "B", k, None)
        assert test_copy_landing.agrees(truth, landing), (k, landing)


class Rack:
    """Two boards in memory, each on its own relay channel and USB cable, unless somebody wired them otherwise."""

    def __init__(self):
        self.cores = [core_in_memory(), core_in_memory()]
        for board in self.cores:
            board.power_on(0)
            board.advance(5)

    def relay(self, number):
        core = self.cores[number]
        state = SimpleNamespace(closed=True)

        def off():
            state.closed = False
            core.power_off(core.time)

        return SimpleNamespace(off=off, get=lambda: state.closed, on=lambda: None)

    def usb(self, number):
        core = self.cores[number]
        return SimpleNamespace(identity=lambda: core.usb.identity if core.usb is not None else None)


def each_board_goes_off_with_its_own_relay(_folder):
    rack = Rack()
    for number in (0, 1):
        board = SparkCore(
            f"core-0{number}", relay=rack.relay(number), mode=None, usb=rack.usb(number), clock=checks.Ticking()
        )
        assert not raises(LabFault, board.power_off), "swapped cables, another feed, or a sticky relay"


def rescued_by(heals):
    """The outcome of a board in DFU that runs once the button or tool named is used."""
    clock = checks.Ticking()
    lines = checks.Showing(clock, ("1d50:607f", math.inf))
    board = SparkCore("core-01", relay=lines, mode=lines, usb=lines, reset=lines, clock=clock)
    board.verify_off = board.enter_dfu = lambda: None
    board.dfu = lambda: contextlib.nullcontext(SimpleNamespace(read=lambda _address, n: ROLES["old"].data.ljust(n)))

    def fails(_image):
        raise DeviceFault("reads back different")

    board.update = fails
    real = getattr(board, heals)

    def heal(*args, **named):
        real(*args, **named)
        lines.shown_until = [("1d50:607d", math.inf)]

    setattr(board, heals, heal)
    return RescueLadder(board, ROLES, ROLES["old"]).climb(lambda _text: None)


def what_rst_heals_is_healed_by_rst(_folder):
    assert rescued_by("press_reset").rung == "reset"


def what_cannot_be_reflashed_is_reset_to_factory(_folder):
    assert rescued_by("factory_reset").rung == "factory-reset"


def a_dead_board_is_black_on_the_map(_folder):
    line = {
        "kind": "cut", "trial": "1", "path": "dfu", "order": "all-first", "to_size": 10, "to_address": 0x0800_5000,
        "landing": {"phase": "program", "address": 0x0800_5004, "known_by": "read-back", "detail": ""},
        "outcome": {"became": "dead"},
    }  # fmt: skip
    assert "dead: 1" in cut_map.draw_cut_map([line], "map")


# -- faults ------------------------------------------------------------------------------------------------------------


def _copy_without_the_backup(self, now, then, _backup):
    return REAL_NOT_BEGUN(self, now, then, self.backup_before)


REAL_NOT_BEGUN = Copy._not_begun
REAL_SAVE = copies.save
REAL_RUNGS = RescueLadder.rungs
REAL_TAKE_FREE = acquisition.Boards._take_free
REAL_USB = Rack.usb
REAL_RELAY = Rack.relay


def _save_unmarked(board, flags):
    if flags.ota != layout.OTA_COPYING:
        yield from REAL_SAVE(board, flags)


def _bare_key(board, key):
    with board.dfu() as host:
        host.write(layout.SERVER_KEY_ADDRESS, key)


def _keep_some(self, fitting, count):
    release, self._coordinator.release = self._coordinator.release, lambda _name: None
    try:
        return REAL_TAKE_FREE(self, fitting, count)
    finally:
        self._coordinator.release = release


def _sticky(self, number):
    relay = REAL_RELAY(self, number)
    relay.off = lambda: None
    return relay


def _unsplit(content, _name):
    return content, None


MUTANTS = {
    "generation A: a watchdog runs": (
        lambda m: m.setattr(bootloader_a, "Jump", lambda address: Jump(address, 4998.4)),
        generation_a_starts_no_watchdog,
    ),
    "generation A: no backup before a factory reset": (
        lambda m: m.setattr(bootloader_a, "backup", nothing),
        generation_a_backs_up_before_a_factory_reset,
    ),
    "generation B: nothing is erased at last": (
        lambda m: m.setattr(bootloader_b, "erase_app", nothing),
        generation_b_erases_the_application_at_the_third_watchdog_reset,
    ),
    "generation C: the factory image is not tried": (
        lambda m: m.setattr(bootloader_c, "bring_factory_image", nothing),
        row("dfu: during the erase", "C"),
    ),
    "generation C: erases as B does": (
        lambda m: m.setattr(bootloader_c, "nothing", copies.erase_app),
        generation_c_keeps_the_application_at_the_third_watchdog_reset,
    ),
    "copy: not marked as under way": (
        lambda m: m.setattr(copies, "save", _save_unmarked),
        row("copy: during the restore", "B"),
    ),
    "copy: no backup is taken": (
        lambda m: m.setattr(copies, "backup", nothing),
        row("copy: during the restore", "B"),
    ),
    "twin: option bytes protect nothing": (
        lambda m: m.setattr(dfu.DfuFunction, "_is_locked", lambda self, _address: False),
        a_locked_bootloader_is_not_written,
    ),
    "twin: starts without a bootloader": (
        lambda m: m.setattr(core.Core, "generation", "B"),
        a_core_without_its_bootloader_is_dead,
    ),
    "files: a suffix's CRC is not checked": (
        lambda m: m.setattr(by_hand, "split_suffix", lambda content, _name: (content[:-16], None)),
        a_damaged_file_is_refused,
    ),
    "files: a suffix is written into flash": (
        lambda m: m.setattr(by_hand, "split_suffix", _unsplit),
        a_suffix_is_no_part_of_the_image,
    ),
    "releases: the hash is not checked": (
        lambda m: m.setattr(releases, "fetch", lambda source, _sha256, _watch: source.encode()),
        a_release_of_another_hash_is_refused,
    ),
    "keys: only the key is written": (
        lambda m: m.setattr(core_keys, "write_server_key", _bare_key),
        a_new_key_keeps_the_address,
    ),
    "keys: short numbers are let through": (
        lambda m: m.setattr(core_key, "_width", lambda _number: 128),
        a_key_with_a_short_number_is_not_given_to_a_core,
    ),
    "lab: quarantine is ignored": (
        lambda m: m.setattr(acquisition, "is_quarantined", lambda _tags: False),
        a_board_in_quarantine_is_not_handed_out,
    ),
    "lab: some of several boards are kept": (
        lambda m: m.setattr(acquisition.Boards, "_take_free", _keep_some),
        of_two_boards_none_is_kept_when_one_is_taken,
    ),
    "lab: rare boards are everybody's": (
        lambda m: m.setattr(scheduling, "RARE_TAGS", {}),
        suites_for_one_rare_board_share_a_worker,
    ),
    "lab: a reason goes into its tag as it is": (
        lambda m: m.setattr(health, "re", SimpleNamespace(sub=lambda _pattern, _by, text: text)),
        a_reason_fits_into_a_tag,
    ),
    "lab: USB cables of two boards are swapped": (
        lambda m: m.setattr(Rack, "usb", lambda self, number: REAL_USB(self, 1 - number)),
        each_board_goes_off_with_its_own_relay,
    ),
    "lab: a relay is sticky": (
        lambda m: m.setattr(Rack, "relay", _sticky),
        each_board_goes_off_with_its_own_relay,
    ),
    "console: the first bytes are dropped": (
        lambda m: m.setattr(console.ConsoleRecorder, "text", property(lambda self: self.entries[-1].data)),
        every_byte_is_recorded,
    ),
    "landing: a copy's backup is not looked at": (
        lambda m: m.setattr(Copy, "_not_begun", _copy_without_the_backup),
        a_copys_landing_is_where_the_journal_says,
    ),
    "ladder: nobody presses RST": (
        lambda m: m.setattr(
            RescueLadder, "rungs", lambda self: (rung for rung in REAL_RUNGS(self) if rung.name != "reset")
        ),
        what_rst_heals_is_healed_by_rst,
    ),
    "ladder: ends with reflashing": (
        lambda m: m.setattr(
            RescueLadder, "rungs", lambda self: (rung for rung in REAL_RUNGS(self) if rung.name != "factory-reset")
        ),
        what_cannot_be_reflashed_is_reset_to_factory,
    ),
    "map: the dead count as stranded": (
        lambda m: m.setattr(cut_map, "outcome_name", lambda _line: "stranded"),
        a_dead_board_is_black_on_the_map,
    ),
}


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


def test_the_manifest_of_the_faults_is_the_rigs_own():
    assert MANIFEST.image("core-full").data == test_copy_landing.FULL

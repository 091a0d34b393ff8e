"""More named checks of test_mutants: generations, copies, keys, files, the ladder, the lab. As checks.py."""

from __future__ import annotations

import contextlib
import math
import threading
from types import SimpleNamespace

from rig.drivers import console
from rig.drivers.dfu_host import DfuHost
from rig.errors import DeviceFault, LabFault, Misuse
from rig.evidence import cut_map
from rig.families.spark_core.boards import bring_up
from rig.families.spark_core.boards import keys as core_keys
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.campaign.update_paths import CORE_PATHS
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.lab import dfu_files
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.families.spark_core.trust import core_key
from rig.families.spark_core.twin.boot_once import CAUSES
from rig.firmware import releases
from rig.formats.dfu_suffix import DfuSuffix, add_suffix
from rig.lab import health, notes, reservation, wanted
from rig.recovery.ladder import RescueLadder
from tests.rig.families.spark_core.power import test_copy_landing
from tests.rig.families.spark_core.twin import test_cut_table
from tests.rig.families.spark_core.twin.misread_key import misread_key
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, settle
from tests.rig.stand_ins import Showing, Ticking
from tests.rig.waiting import HANGS


def raises(error, act) -> bool:
    with contextlib.suppress(error):
        act()
        return False
    return True


def nothing(*_args, **_named):
    yield from ()


def row(name, generation):
    return lambda _folder: test_cut_table.test_a_cut_ends_as_the_table_says(name, generation)


def generation_a_starts_no_watchdog(_folder):
    board = test_cut_table.shipped("a")
    board.power_on(0)
    board.advance(0.5)
    assert (board.running, board.watchdog_ms) == ("core-old", None)


def generation_a_backs_up_before_a_factory_reset(_folder):
    board = test_cut_table.shipped("a")
    test_cut_table.button_held(board)
    assert board.memory.external.read(layout.BACKUP_ADDRESS, len(ROLES["old"])) == ROLES["old"].data


def generation_c_keeps_the_application_at_the_third_watchdog_reset(_folder):
    board = test_cut_table.shipped("c")
    board.power_on(0, causes=CAUSES["watchdog"])
    board.dr[1] = 3
    settle(board)
    assert board.memory.app()[: len(ROLES["old"])] == ROLES["old"].data


def generation_b_erases_the_application_at_the_third_watchdog_reset(_folder):
    board = test_cut_table.shipped("b")
    board.power_on(0, causes=CAUSES["watchdog"])
    board.dr[1] = 3
    settle(board)
    assert board.memory.app() == b"\xff" * layout.APP_SIZE


def in_dfu(locked):
    board = into_dfu(core_in_memory())
    board.locked = locked
    return board, UsbInMemory(board)


def a_locked_bootloader_is_not_written(_folder):
    board, device = in_dfu(True)
    with DfuHost(device, sleep=device.sleep) as host:
        host.write(layout.INTERNAL_BASE, b"\x00" * 1024)
    assert board.memory.internal.read(layout.INTERNAL_BASE, 1024) == b"\xff" * 1024


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
    assert raises(Misuse, lambda: dfu_files.load_file(folder / "new.dfu", found))


def a_suffix_is_no_part_of_the_image(folder):
    (folder / "new.dfu").write_bytes(add_suffix(ROLES["new"].data, DfuSuffix(0x1D50, 0x607F)))
    (piece,) = dfu_files.load_file(folder / "new.dfu", SimpleNamespace(identity="1d50:607f"))
    assert piece.image.data == ROLES["new"].data


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
    assert core_key.core_public_key(core_key._private_der(misread_key())) is None


def suites_for_one_rare_board_share_a_worker(_folder):
    assert wanted.rare("spark-core", {"timing": "real", "generation": "b"}) == "timing=real,b"
    assert wanted.rare("spark-core", {"generation": "b"}) == ""


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
        recorder._listen(link)
    assert recorder.text == b"boot log"


def a_copys_landing_is_where_the_journal_says(_folder):
    for k in (60, 200, 3000, 57_000):
        truth = test_copy_landing.JOURNALS["ota", "b"].operation(k)
        landing = test_copy_landing.cut_at("ota", "b", k, None)
        assert test_copy_landing.agrees(truth, landing), (k, landing)


def worn_out_flash_is_noticed_while_a_board_is_brought_up(_folder):
    core, device = in_dfu(False)
    core.memory.external.perform = lambda _run, _begin, _end: None
    assert raises(DeviceFault, lambda: bring_up.write_factory_image(driven(device), ROLES["full"]))


def who_has_waited_leaves_the_queue(_folder):
    queue = set()
    coordinator = SimpleNamespace(
        address="nowhere:1", reserve=lambda _tags: queue.add("token") or "token", cancel_reservation=queue.remove
    )
    with reservation.Reservation(coordinator, {}):
        assert queue == {"token"}
    assert not queue


def one_process_tidies_up_at_a_time(_folder):
    inside, over = threading.Event(), threading.Event()

    def second():
        with notes.one_at_a_time("test:1"):
            inside.set()
        over.set()

    with notes.one_at_a_time("test:1"):
        threading.Thread(target=second, daemon=True).start()
        assert not inside.wait(0.3)
    assert over.wait(HANGS)


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
        board = SparkCore(f"core-0{number}", relay=rack.relay(number), mode=None, usb=rack.usb(number), clock=Ticking())
        assert not raises(LabFault, board.power_off), "swapped cables, another feed, or a sticky relay"


def board_in_dfu(heals):
    """A board in DFU that runs once the button or tool named is used, and what climbs it."""
    clock = Ticking()
    lines = Showing(clock, ("1d50:607f", math.inf))
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
    return board, RescueLadder(board, ROLES, ROLES["old"])


def rescued_by(heals):
    """Its outcome."""
    _, ladder = board_in_dfu(heals)
    return ladder.climb(lambda _text: None)


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
    assert "dead: 1" in cut_map.draw_cut_map([line], CORE_PATHS["dfu"], "map")

"""More named checks of test_mutants: bootloaders by generation, their DFU, control requests. As checks.py."""

from __future__ import annotations

from rig.drivers.dfu_host import DfuHost
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.sweep.usb_in_memory import UsbInMemory
from rig.families.spark_core.twin.boot_once import settle, start
from rig.families.spark_core.twin.core import Core
from tests.rig.families.spark_core.twin import test_cut_table, test_usb_requests
from tests.rig.families.spark_core.twin.models import CATALOGUE, ROLES
from tests.rig.families.spark_core.twin.test_cut_table import shipped


def row(name, generation):
    return lambda _folder: test_cut_table.test_a_cut_ends_as_the_table_says(name, generation)


def request(name, identity="dfu"):
    return lambda _folder: test_usb_requests.test_a_request_is_answered_as_the_library_does(name, identity)


def started(generation, *, flags=None, ota=b"", held_ms=0, **how):
    """A Core whose start has settled, and how; flash work takes no time."""
    memory = shipped(generation, flags=flags, ota=ota).memory
    core = Core(memory, CATALOGUE.identify, generation=generation, time_scale=0)
    start(core, hold_ms=held_ms, **how)
    return core, settle(core, hold_ms=held_ms)


def told(core):
    return [event.name for event in core.events if event.name != "power-on"]


def with_stack(core, pointer):
    """The same Core with another stack pointer in its application."""
    memory = core.memory.internal
    page = memory.read(layout.APP_ADDRESS, 1024)
    memory.perform(memory.erasing(layout.APP_ADDRESS), 0, 1)
    memory.perform(memory.programming(layout.APP_ADDRESS, pointer.to_bytes(4, "little") + page[4:]), 0, 512)
    return core


def stack_nowhere(generation, pointer=0x3001_0028):
    core = with_stack(shipped(generation), pointer)
    start(core)
    return settle(core), told(core)


def generation_a_goes_to_an_image_whose_stack_is_nowhere(_folder):
    assert stack_nowhere("a") == ("hang", ["jump:mixed"])


def generation_c_falls_over_a_stack_that_is_nowhere(_folder):
    assert stack_nowhere("c") == ("lockup", ["lockup"])


def a_later_c_lets_the_watchdog_see_a_stack_that_is_nowhere(_folder):
    assert stack_nowhere("c301")[1][:3] == ["jump:mixed", "watchdog-reset", "jump:mixed"]


def a_stack_pointer_is_whole_words(_folder):
    assert stack_nowhere("b", 0x2000_5003)[1][:2] == ["jump:mixed", "watchdog-reset"]


def standby_leaves_its_register_blank(_folder):
    core, outcome = started("c", cause="software", dr={9: 0xA5A5})
    assert (outcome, core.dr[9], core.operations) == ("standby", 0xFFFF, 0)


def generation_a_knows_no_standby(_folder):
    core, outcome = started("a", cause="software", dr={9: 0xA5A5})
    assert (outcome, core.dr[9]) == ("app", 0xA5A5)


def generation_c_saves_cause_version_and_mode_apart(_folder):
    core, _ = started("c")
    assert [(run.kind, run.count) for run in core.memory.journal.runs] == [("erase", 1), ("prog", 9)] * 3


READY = SystemFlags(nvmem=0, ota=layout.OTA_READY, flashed=0)
SEEN = SystemFlags(11, 0, layout.OTA_READY, 0, startup_mode=0, features=0xF0, reset_cause=0x0C00_0000, size=18)


def a_watchdog_reset_clears_no_request(_folder):
    core, _ = started("c", flags=READY, ota=ROLES["new"].data, cause="watchdog", dr={1: 9})
    assert told(core)[0] == "magenta"


def a_watchdog_reset_cleared_requests_until_0_6_0(_folder):
    core, outcome = started("c8", flags=READY, ota=ROLES["new"].data, cause="watchdog", dr={1: 9})
    assert (outcome, core.running) == ("app", "core-old")


def an_early_c_keeps_no_features(_folder):
    core, _ = started("c3", flags=SEEN, ota=ROLES["new"].data)
    assert core.memory.flags18()[13] == 0


def a_request_for_safe_mode_is_known_since_0_4_6(_folder):
    for generation, mode in (("c4", 0), ("c5", 1)):
        core, _ = started(generation, cause="software", dr={1: 0x5AFE})
        assert core.memory.flags18()[12] == mode


def button(generation, held_ms):
    core, _ = started(generation, flags=SystemFlags(11, 1, layout.OTA_RUN, 0, startup_mode=0, size=18), held_ms=held_ms)
    return told(core), core.memory.flags18()[12]


def the_button_is_counted_by_a_slow_tick(_folder):
    assert button("c", 1005) == (["jump:core-old"], 0)
    assert button("c8", 1005) == (["magenta", "jump:core-old"], 1)


def the_button_shows_each_colour(_folder):
    assert button("c", 11_000)[0][:5] == ["magenta", "yellow", "green", "white", "white"]


def on_the_way_to_dfu_safe_mode_is_written_down(_folder):
    assert button("c", 4000) == (["magenta", "yellow", "yellow"], 1)
    assert button("c8", 4000)[1] == 0


def one_second_of_mode_forgets_an_update(_folder):
    for generation, first in (("c", "magenta"), ("c3", "magenta")):
        core, _ = started(generation, flags=READY, ota=ROLES["new"].data, held_ms=2000)
        assert told(core)[0] == first
        assert (core.running == "core-new") == (generation == "c3")


def a_bad_factory_slot_is_restored_for_ever(_folder):
    core = shipped("c")
    for memory, address in ((core.memory.internal, layout.APP_ADDRESS), (core.memory.external, layout.FACTORY_ADDRESS)):
        memory.perform(memory.erasing(address), 0, 1)
    start(core)
    assert (settle(core), set(told(core))) == ("loop", {"red", "reset"})


def dfu_of_generation_c_forgets_errors(_folder):
    core = into_dfu(shipped("c"))
    device = UsbInMemory(core)
    with DfuHost(device, sleep=device.sleep) as host:
        core.memory.internal.error = True
        host.write(layout.APP_ADDRESS, ROLES["new"].data)
        assert host.read(layout.APP_ADDRESS, len(ROLES["new"])) == ROLES["new"].data


def dfu_of_generation_c_answers_until_it_leaves(_folder):
    core = into_dfu(shipped("c"))
    device = UsbInMemory(core)
    with DfuHost(device, sleep=device.sleep) as host:
        host.leave(layout.APP_ADDRESS)
        while core.busy and core.step():
            pass
        assert core.usb is not None
        status = device.ctrl_transfer(0xA1, 3, 0, 0, 6)
        device.sleep(0.4)
        assert (status[4], core.usb is not None) == (8, True)

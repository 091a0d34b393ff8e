"""More planted faults for test_mutants: bootloaders by generation and edition, their DFU, control requests."""

from __future__ import annotations

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin import bootloader, bootloader_a, bootloader_c, copies, mode_button_c, standby
from rig.families.spark_core.twin.dfu import PLAIN
from rig.families.spark_core.twin.flags import save
from rig.families.spark_core.twin.mode_button_c import BY_SYSTICK, Hold, HoldUntil044
from rig.families.spark_core.twin.steps import Jump
from rig.families.spark_core.twin.usb_function import UsbFunction
from tests.rig.families.spark_core.twin import checks_boot as of_boot

REAL_TOLD = UsbFunction._device_request


def instead(name, other):
    """One generation's bootloader in the place of another's."""
    return lambda m: m.setitem(bootloader.BOOTLOADERS, name, bootloader.BOOTLOADERS[other])


def _at_once(board, flags, edition):
    flags.firmware_version, flags.startup_mode = edition.version, 0
    yield from save(board, flags)


def _careful(board, flags, colour):
    if layout.plausible_first_word(board.memory.external.read(layout.FACTORY_ADDRESS, 4)):
        yield from copies.restore(board, layout.FACTORY_ADDRESS)


def _takes_any_feature(self, setup):
    return setup.request in (1, 3) or REAL_TOLD(self, setup)


def _clears_what_is_clear(self, setup):
    return setup.request == 1 or REAL_TOLD(self, setup)


def _over_without_safe_mode(self):
    self.modes.safe = self.modes.safe and not self.modes.dfu
    yield from ()


MUTANTS = {
    "a2013: marks a copy": (
        lambda m: m.setattr(bootloader_a, "install_unmarked", copies.install),
        of_boot.row("copy: during the restore", "a2013"),
    ),
    "a: marks no copy": (instead("a", "a2013"), of_boot.row("copy: during the restore", "a")),
    "a: looks where the stack is": (
        lambda m: m.setattr(bootloader_a, "Jump", lambda address, at_once: Jump(address)),
        of_boot.generation_a_goes_to_an_image_whose_stack_is_nowhere,
    ),
    "a: knows standby": (instead("a", "b"), of_boot.generation_a_knows_no_standby),
    "b: a stack pointer counts by the byte": (
        lambda m: m.setattr(layout, "stack_in_ram", lambda pointer: pointer <= 0x2000_5000),
        of_boot.a_stack_pointer_is_whole_words,
    ),
    "standby: DR9 is cleared": (
        lambda m: m.setattr(standby, "CLEARED", 0),
        of_boot.standby_leaves_its_register_blank,
    ),
    "c: one save for all it notes": (
        lambda m: m.setattr(bootloader_c, "note_start", _at_once),
        of_boot.generation_c_saves_cause_version_and_mode_apart,
    ),
    "c: a watchdog reset clears requests": (instead("c", "c8"), of_boot.a_watchdog_reset_clears_no_request),
    "c8: a watchdog reset clears none": (instead("c8", "c"), of_boot.a_watchdog_reset_cleared_requests_until_0_6_0),
    "c3: keeps byte 13": (instead("c3", "c7"), of_boot.an_early_c_keeps_no_features),
    "c4: takes a request for safe mode": (instead("c4", "c5"), of_boot.a_request_for_safe_mode_is_known_since_0_4_6),
    "c: jumps at once": (instead("c", "c301"), of_boot.generation_c_falls_over_a_stack_that_is_nowhere),
    "c of 1.1: does not jump at once": (
        instead("c301", "c201"),
        of_boot.a_later_c_lets_the_watchdog_see_a_stack_that_is_nowhere,
    ),
    "c: the button is counted by the millisecond": (
        lambda m: m.setattr(Hold, "seconds", BY_SYSTICK),
        of_boot.the_button_is_counted_by_a_slow_tick,
    ),
    "c: the button shows no colour": (
        lambda m: m.setattr(mode_button_c, "show", lambda *_what: None),
        of_boot.the_button_shows_each_colour,
    ),
    "c: DFU ends safe mode": (
        lambda m: m.setattr(Hold, "over", _over_without_safe_mode),
        of_boot.on_the_way_to_dfu_safe_mode_is_written_down,
    ),
    "c: a second of MODE forgets nothing": (
        lambda m: m.setattr(Hold, "safe_mode", HoldUntil044.safe_mode),
        of_boot.one_second_of_mode_forgets_an_update,
    ),
    "c: looks at the factory slot": (
        lambda m: m.setattr(bootloader_c, "bring_factory_image", _careful),
        of_boot.a_bad_factory_slot_is_restored_for_ever,
    ),
    "c: DFU keeps errors": (
        lambda m: m.setattr(bootloader_c, "manner", lambda _edition: PLAIN),
        of_boot.dfu_of_generation_c_forgets_errors,
    ),
    "c: DFU leaves at once": (
        lambda m: m.setattr(bootloader_c, "manner", lambda _edition: PLAIN),
        of_boot.dfu_of_generation_c_answers_until_it_leaves,
    ),
    "usb: any feature of the device is taken": (
        lambda m: m.setattr(UsbFunction, "_device_request", _takes_any_feature),
        of_boot.request("SET_FEATURE test mode"),
    ),
    "usb: a feature that is not set is cleared": (
        lambda m: m.setattr(UsbFunction, "_device_request", _clears_what_is_clear),
        of_boot.request("CLEAR_FEATURE remote wakeup that is not set"),
    ),
    "usb: an endpoint that is not there has a status": (
        lambda m: m.setattr(UsbFunction, "_has_endpoint", lambda self, _address: True),
        of_boot.request("GET_STATUS of endpoint 1 in"),
    ),
    "usb: an address is taken at any time": (
        lambda m: m.setattr(UsbFunction, "configured", False),
        of_boot.request("SET_ADDRESS once configured"),
    ),
    "usb: a listening Core has three interfaces": (
        lambda m: m.setattr("rig.families.spark_core.twin.app.listening.ListeningFunction.highest_interface", 2),
        of_boot.request("GET_STATUS of interface 2", "listening"),
    ),
}

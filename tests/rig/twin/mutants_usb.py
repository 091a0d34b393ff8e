"""Planted faults for test_mutants: USB neighbours, leaving DFU, DfuSe containers, a relay's password."""

from __future__ import annotations

from types import SimpleNamespace

import usb.core
import usb.util
from aiohttp import web

from rig.drivers import dfu_devices, shelly, usb_device, usbip_backend
from rig.drivers.dfu_host import DfuHost
from rig.errors import Misuse
from rig.families.spark_core.firmware import image as core_image
from rig.families.spark_core.lab import dfu as by_hand
from rig.families.spark_core.lab import dfu_files
from rig.formats import dfuse_file
from rig.twin import digest_guard
from rig.twin import shelly as shelly_server
from tests.rig.twin import checks_usb

REAL_LEAVE, REAL_DESCRIBE, REAL_LAYOUT = DfuHost.leave, dfu_devices.describe, dfu_devices.parse_layout
REAL_PLAIN = dfuse_file.plain_image


def _nosy(device):
    with DfuHost(device):
        return REAL_DESCRIBE(device)


def _strict(text):
    if not text.rstrip("\0 ").endswith(tuple("abcdefg")):
        raise Misuse(text)
    return REAL_LAYOUT(text)


def _raise(_self, error):
    raise error


def _to_the_application(path, file, _found, _address):
    return (dfu_files.Piece(checks_usb.APP, dfu_files._image(path, file.elements[0].data)),)


def _first_image(content, name):
    element = dfuse_file.DfuseFile.parse(content, name).elements[0]
    return element.data, None, element.address


@web.middleware
async def _hand_on(request, handler):
    return await handler(request)


def _all_at_once(backend=None):
    return usb.core.find(find_all=True, backend=backend)


def _fail(_exported):
    raise usb.core.USBError("busy")


MUTANTS = {
    "usb: strings are read as if every device had good ones": (
        lambda m: m.setattr(dfu_devices, "read_string", lambda device, index, _all: usb.util.get_string(device, index)),
        checks_usb.core_is_meant_beside("strings that stall"),
    ),
    "usb: one device that fails ends the list": (
        lambda m: (
            m.setattr(dfu_devices, "every_device", _all_at_once),
            m.setattr(usbip_backend, "_as_listed", _fail),
        ),
        checks_usb.core_is_meant_beside("somebody who has it imported"),
    ),
    "usb: any device in DFU mode may be meant": (
        lambda m: m.setattr(by_hand, "DFU", ""),
        checks_usb.core_is_meant_beside("no serial number"),
    ),
    "usb: nobody says how to get permission": (
        lambda m: m.setattr(dfu_devices, "usb_fault", lambda error, phase, _device: usb_device.usb_fault(error, phase)),
        checks_usb.a_device_nobody_may_open_is_listed_with_its_rule,
    ),
    "usb: a list talks DFU to everybody": (
        lambda m: m.setattr(dfu_devices, "describe", _nosy),
        checks_usb.a_list_disturbs_nobody,
    ),
    "usb: a layout must end its name": (
        lambda m: m.setattr(dfu_devices, "parse_layout", _strict),
        checks_usb.a_neighbour_with_a_foreign_tail_can_be_driven,
    ),
    "dfu: every interface has the number 0": (
        lambda m: m.setattr(
            DfuHost, "_interface", property(lambda _self: 0, lambda _self, _number: None), raising=False
        ),
        checks_usb.an_interface_is_driven_by_its_number,
    ),
    "dfu: every memory is read by setting 0": (
        lambda m: m.setattr(DfuHost, "_alternate_of", lambda self, _address: self._alternates[0]),
        checks_usb.a_memory_is_read_by_its_own_setting,
    ),
    "leave: a board must have the last word": (
        lambda m: m.setattr(DfuHost, "_gone", _raise),
        checks_usb.a_board_that_left_without_a_word_was_updated,
    ),
    "leave: whoever is gone from a bench has left": (
        lambda m: m.setattr(DfuHost, "leave", lambda self, address: REAL_LEAVE(self, address) or True),
        checks_usb.a_board_that_lost_its_supply_while_it_left_was_not_updated,
    ),
    "leave: whoever is gone by hand has left": (
        lambda m: m.setattr(by_hand, "_see_it_return", lambda _found: None),
        checks_usb.a_board_that_died_while_it_left_is_no_success,
    ),
    "files: a container's CRC is not checked": (
        lambda m: m.setattr(dfuse_file, "split_suffix", lambda content, _name: (content[:-16], checks_usb.CORE)),
        checks_usb.a_changed_container_is_refused,
    ),
    "files: every element is the application": (
        lambda m: m.setattr(dfu_files, "_pieces", _to_the_application),
        checks_usb.an_element_goes_where_it_says,
    ),
    "files: elements may lie anywhere": (
        lambda m: m.setattr(dfu_files, "_check_target", lambda _path, _target, _found: None),
        checks_usb.an_element_outside_of_its_memory_is_refused,
    ),
    "files: a page is erased for each of its elements": (
        lambda m: m.setattr(dfu_files, "page_at", lambda _segments, _address: (0, 0)),
        checks_usb.elements_that_share_a_page_are_one_write,
    ),
    "files: the first of several images will do": (
        lambda m: m.setattr(core_image, "plain_image", _first_image),
        checks_usb.several_images_are_no_plain_one,
    ),
    "files: a container's address does not matter": (
        lambda m: m.setattr(core_image, "plain_image", lambda content, name: (*REAL_PLAIN(content, name)[:2], None)),
        checks_usb.a_bootloader_in_a_container_is_no_application,
    ),
    "relay: any password will do": (
        lambda m: m.setattr(digest_guard, "hmac", SimpleNamespace(compare_digest=lambda _said, _right: True)),
        checks_usb.a_guessed_password_does_not_get_in,
    ),
    "relay: what was sent once may be sent again": (
        lambda m: m.setattr(digest_guard.DigestGuard, "_is_fresh", lambda _self, _nonce, _count: True),
        checks_usb.a_recorded_request_does_not_get_in_again,
    ),
    "relay: nobody is asked": (
        lambda m: m.setattr(
            shelly_server, "DigestGuard", lambda _password, _realm: SimpleNamespace(middleware=_hand_on)
        ),
        checks_usb.a_relay_asks_who_does_not_know_its_password,
    ),
    "driver: a password goes as Basic": (
        lambda m: m.setattr(shelly, "HTTPDigestAuth", lambda user, password: (user, password)),
        checks_usb.the_driver_knows_the_way,
    ),
    "driver: a password may be everybody's": (
        lambda m: m.setattr(shelly, "read_secret", lambda path: path.read_text()),
        checks_usb.a_password_that_others_can_read_is_refused,
    ),
}

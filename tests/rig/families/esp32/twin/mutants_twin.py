"""Planted faults of an ESP32 for test_mutants: its loaders and its chip, its boot choice, images and signatures."""

from __future__ import annotations

from dataclasses import replace

from rig.families.esp32.formats import boot as esp_boot
from rig.families.esp32.formats import boot_table as esp_boot_table
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats import signature as esp_signature
from rig.families.esp32.formats.boot import Program
from rig.families.esp32.formats.loader import Op
from rig.families.esp32.formats.otadata import Record, State
from rig.families.esp32.formats.signature import SignatureBlock
from rig.families.esp32.twin import boot, circuit, loader
from rig.families.esp32.twin.circuit import ResetCircuit
from rig.families.esp32.twin.efuses import Efuses
from rig.families.esp32.twin.flasher_stub import FlasherStub
from rig.families.esp32.twin.loader import Answer, Loader
from rig.families.esp32.twin.rom_loader import RomLoader
from rig.families.esp32.twin.serial_port import SerialPort
from rig.families.esp32.twin.stub import Stub
from tests.rig.families.esp32.firmware import checks_images as of_images
from tests.rig.families.esp32.firmware import test_pins as test_esp_pins
from tests.rig.families.esp32.formats import checks_choice as of_choice
from tests.rig.families.esp32.lab import checks_rack as of_rack
from tests.rig.families.esp32.twin import checks_loader as of_loader

# -- loaders, chip and circuit -----------------------------------------------------------------------------------------

REAL_REPLY, REAL_CONTENTS, REAL_STUB_CONTENTS = Loader.reply, RomLoader._contents, Stub.contents
REAL_LINES, REAL_SHOW = ResetCircuit.set, SerialPort.show
REAL_ROM, REAL_FUSES = boot.rom_loader, Efuses.reset


def _reply_eightfold(self, op, answer, code=0, detail=0):
    for _ in range(8 if op == Op.GET_SECURITY_INFO else 1):
        REAL_REPLY(self, op, answer, code, detail)


def _erase_later(self, offset, erase, room):
    self._at, self._room, self._to_erase = offset, room, (offset, erase)
    return Answer()


def _erase_at_the_end(self, request):
    return Answer(before=self.work(self.board.memory.erasing_in_blocks(*self._to_erase)))


def _acknowledge_after_writing(self, request):
    return Answer(before=self._noting(self._under_way().write(self.block(request))))


def _stub_stays(board):
    if any(event.name == "stub" for event in board.events):
        yield from FlasherStub(board).run()
    yield from REAL_ROM(board)


def _keep(name):
    """A start of the chip that leaves one of the controller's fields as it was."""

    def reset(self):
        kept = getattr(self, name, None)
        REAL_FUSES(self)
        if kept is not None:
            setattr(self, name, kept)

    return reset


LOADER = {
    "esp32 circuit: EN rises 10 ms after its pull ends": (
        lambda m: m.setattr(circuit.ResetCircuit.__init__, "__defaults__", (0.01,)),
        of_loader.classic_reset_enters_the_loader,
    ),
    "esp32 circuit: both lines together pull EN": (
        lambda m: m.setattr(
            ResetCircuit, "set", lambda self, dtr, rts, now: REAL_LINES(self, dtr and not rts, rts, now)
        ),
        of_loader.opening_and_closing_a_port_disturbs_nothing,
    ),
    "esp32 bridge: it outlives its board's power": (
        lambda m: m.setattr(SerialPort, "show", lambda self, _there: REAL_SHOW(self, True)),
        of_rack.a_bridge_is_gone_with_its_boards_power,
    ),
    "esp32 chip: the stub survives a power cut": (
        lambda m: m.setattr(boot, "rom_loader", _stub_stays),
        of_rack.ram_does_not_survive_a_power_cut,
    ),
    "esp32 chip: what waits to be burned survives a power cut": (
        lambda m: m.setattr(Efuses, "reset", _keep("_written")),
        of_rack.what_waits_to_be_burned_does_not_survive_a_power_cut,
    ),
    "esp32 chip: the eFuses' shadow survives a power cut": (
        lambda m: m.setattr(Efuses, "reset", _keep("_shown")),
        of_rack.what_was_burned_is_read_after_a_power_cut,
    ),
    "esp32 loader: operation 14 is answered eight times": (
        lambda m: m.setattr(loader.Loader, "reply", _reply_eightfold),
        of_loader.an_unknown_operation_is_refused_once,
    ),
    "esp32 loader: operation 14 is answered eight times, and esptool sees it": (
        lambda m: m.setattr(loader.Loader, "reply", _reply_eightfold),
        of_loader.esptool_tells_the_chip,
    ),
    "esp32 loader: the ROM's digest is of another region": (
        lambda m: m.setattr(RomLoader, "_contents", lambda self, at, size: REAL_CONTENTS(self, at + 0x1000, size)),
        of_loader.a_digest_is_of_the_region_asked_for,
    ),
    "esp32 loader: the stub's digest is of another region": (
        lambda m: m.setattr(Stub, "contents", lambda self, at, size: REAL_STUB_CONTENTS(self, at + 0x1000, size)),
        of_loader.a_digest_is_of_the_region_asked_for,
    ),
    "esp32 loader: the ROM erases at the end": (
        lambda m: (m.setattr(RomLoader, "_erase_for", _erase_later), m.setattr(RomLoader, "_end", _erase_at_the_end)),
        of_loader.the_rom_erases_before_data_come,
    ),
    "esp32 loader: checksums are not looked at": (
        lambda m: m.setattr(loader.Loader, "payload", lambda _self, request: request.block()),
        of_loader.a_block_with_a_wrong_checksum_changes_nothing,
    ),
    "esp32 loader: the stub writes before it acknowledges": (
        lambda m: m.setattr(Stub, "_data", _acknowledge_after_writing),
        of_loader.a_reply_says_what_has_been_done,
    ),
    "esp32 loader: the stub says that it is the ROM": (
        lambda m: m.setattr(FlasherStub, "dialect", RomLoader.dialect),
        of_loader.sync_tells_the_rom_from_the_stub,
    ),
}


# -- the boot choice ---------------------------------------------------------------------------------------------------

REAL_STORE = esp_boot._Boot._store


def _upwards_first(*args):
    # The walk down is the only range with a step.
    return range(args[0], args[0] + 1) if len(args) == 3 and args[2] == -1 else range(*args)


def _rewrite_without_erase(where, sector, record):
    yield Program(where.offset + sector * otadata.SECTOR, record.pack())


def _older_record_wins(records, eligible):
    return next((index for index in (0, 1) if eligible[index]), None)


def _any_version(self, _partition):
    yield from ()
    return True


def _erase_nothing(_row, _flash_size):
    yield from ()
    return "yes"


class _NoState:
    """The states, none of which is NEW."""

    PENDING_VERIFY, ABORTED, VALID, NEW = State.PENDING_VERIFY, State.ABORTED, State.VALID, -1


def _store_where_the_crc_is_good(self, records, index, state):
    return REAL_STORE(self, records, index, state) if not records[index].initial else ()


def _forget_to_write_aborted(self, records, index, state):
    if state != State.ABORTED:
        yield from REAL_STORE(self, records, index, state)
    records[index] = replace(records[index], state=state)


BOOT = {
    "esp32 boot: the CRC is ignored": (
        lambda m: m.setattr(Record, "usable", property(lambda self: not self.blank_or_bad)),
        of_choice.row_6_a_torn_record_is_old,
    ),
    "esp32 boot: ABORTED is not honoured": (
        lambda m: m.setattr(Record, "blank_or_bad", property(lambda self: self.seq == otadata.BLANK)),
        of_choice.an_unconfirmed_image_is_given_up,
    ),
    "esp32 boot: ABORTED is not written": (
        lambda m: m.setattr(esp_boot._Boot, "_store", _forget_to_write_aborted),
        of_choice.an_unconfirmed_image_is_given_up,
    ),
    "esp32 boot: the slots after a broken one are tried first": (
        lambda m: m.setattr(esp_boot, "range", _upwards_first, raising=False),
        of_choice.a_broken_slot_falls_back_downwards_first,
    ),
    "esp32 boot: a record is rewritten without an erase": (
        lambda m: m.setattr(esp_boot, "_rewrite", _rewrite_without_erase),
        of_choice.a_record_is_rewritten_after_an_erase,
    ),
    "esp32 boot: the first usable record decides": (
        lambda m: m.setattr(otadata, "newest", _older_record_wins),
        of_choice.row_7_a_wrong_state_is_new_and_unmonitored,
    ),
    "esp32 boot: a new image is not watched": (
        lambda m: m.setattr(esp_boot, "State", _NoState),
        of_choice.an_unconfirmed_image_is_given_up,
    ),
    "esp32 boot: blank records stay blank": (
        lambda m: m.setattr(Record, "initial", property(lambda self: False)),
        of_choice.row_14_without_records_factory_or_slot_0_first,
    ),
    "esp32 boot: a torn pending record is left alone": (
        lambda m: m.setattr(esp_boot._Boot, "_store", _store_where_the_crc_is_good),
        of_choice.pending_is_given_up_before_its_crc_is_looked_at,
    ),
    "esp32 boot: old secure versions start": (
        lambda m: m.setattr(esp_boot._Boot, "_new_enough", _any_version),
        lambda _folder: test_esp_pins.test_a_slot_older_than_the_fuse_is_passed_over(),
    ),
    "esp32 boot: the factory reset erases nothing": (
        lambda m: m.setattr(esp_boot_table, "erase_partition", _erase_nothing),
        lambda _folder: test_esp_pins.test_the_factory_reset_pin_erases_and_the_choice_is_made_again(),
    ),
}


# -- images and signatures ---------------------------------------------------------------------------------------------

REAL_HEADER, REAL_CHECK = esp_image.Header.unpack, esp_image.check_header
REAL_UNPACK, REAL_BLOCKS = SignatureBlock.unpack, esp_signature.read_blocks


class _OneKey:
    """A block whose key is everybody's."""

    key_digest = b""

    def __init__(self, block):
        self.block = block

    def __bool__(self):
        return self.block is not None

    def signs(self, digest):
        return self.block is not None and self.block.signs(digest)


def _any_chip(header, offset, chip, release):
    return REAL_CHECK(replace(header, chip_id=chip.chip_id), offset, chip, release)


def _any_revision(header, offset, chip, release):
    return REAL_CHECK(replace(header, min_revision=0), offset, chip, release)


IMAGES = {
    "esp32 image: the checksum is not compared": (
        lambda m: m.setattr(esp_image._Walk, "_checksum", lambda self: None),
        of_choice.an_image_without_digest_is_held_to_its_checksum,
    ),
    "esp32 image: the digest is not compared": (
        lambda m: m.setattr(esp_image.Header, "unpack", lambda raw: replace(REAL_HEADER(raw), hashed=False)),
        of_choice.a_damaged_image_is_not_started,
    ),
    "esp32 image: the chip is not compared": (
        lambda m: m.setattr(esp_image, "check_header", _any_chip),
        of_images.variant("wrong-chip"),
    ),
    "esp32 image: the revision is not compared": (
        lambda m: m.setattr(esp_image, "check_header", _any_revision),
        of_images.variant("min-rev-300"),
    ),
    "esp32 signature: any key is trusted": (
        lambda m: m.setattr(SignatureBlock, "unpack", classmethod(lambda _cls, raw: _OneKey(REAL_UNPACK(raw)))),
        of_images.signed_variant("wrong-key"),
    ),
    "esp32 signature: it is not verified": (
        lambda m: m.setattr(SignatureBlock, "signs", lambda self, digest: True),
        of_images.signed_variant("flipped-after-signing"),
    ),
    "esp32 signature: the last block counts": (
        lambda m: m.setattr(
            esp_signature, "read_blocks", lambda *where: [one for one in REAL_BLOCKS(*where) if one][::-1] or [None]
        ),
        of_images.signed_variant("right-key-second"),
    ),
}

MUTANTS = LOADER | BOOT | IMAGES

"""esp_ota_ops: an update is begun, written, ended and chosen for the next start, flash operation by flash operation.

Generators of the board's flash work, in the order and with the refusals of ESP-IDF's esp_ota_ops.c. What a record of
otadata becomes is in rig.families.esp32.formats.otadata.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats import header as esp_header
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.boot_config import SecureVersion
from rig.families.esp32.formats.idf_client import (
    ERASES_ONE_AHEAD,
    RESUME_WAITS_FOR_CONFIRMATION,
    TELLS_FAILED_VERIFICATION,
)
from rig.families.esp32.formats.otadata import SECTOR, Record, Rewrite, State
from rig.families.esp32.formats.partition_table import TABLE_OFFSET, TABLE_SIZE, Partition, PartitionTable, TableRefused
from rig.families.esp32.formats.signature import verify_update
from rig.families.esp32.twin.app.esp_error import (
    FAIL,
    INVALID_ARG,
    INVALID_SIZE,
    OTA_PARTITION_CONFLICT,
    OTA_ROLLBACK_FAILED,
    OTA_ROLLBACK_INVALID_STATE,
    OTA_SMALL_SEC_VER,
    OTA_VALIDATE_FAILED,
    EspError,
)
from rig.families.esp32.twin.memory import BeyondFlash
from rig.families.esp32.twin.steps import Board
from rig.twin.flash import Run
from rig.twin.steps import Program, Step, Work


@dataclass(frozen=True, slots=True)
class Erase:
    """What beginning an update erases: `size` bytes rounded up to sectors, 0 for the whole slot."""

    size: int


#: The factory's application runs in none.
NO_SLOT = -1
#: What the log says of an image whose secure version is lower than the eFuses'.
TOO_OLD = (
    "This a new partition can not be booted due to a secure version is lower than stored in efuse. "
    "Partition will be erased."
)
#: Nothing is erased at the beginning, and every sector just before the first byte that goes into it.
SEQUENTIAL = None


class Ota:
    """What a running application can do with the slots of its board."""

    def __init__(self, board: Board, running: Partition, behaviour: EspBehaviour):
        self.board, self.running, self.behaviour = board, running, behaviour
        self.release = behaviour.idf_release
        try:
            self.table = PartitionTable.parse(self.read(TABLE_OFFSET, TABLE_SIZE), self.board.memory.size)
        except TableRefused:
            self.table = PartitionTable(())

    def read(self, offset: int, length: int) -> bytes:
        """Flash as the application sees it: nothing beyond its end."""
        return self.board.memory.flash.read(offset, length) if offset + length <= self.board.memory.size else b""

    # -- which slots there are ---------------------------------------------------------------------------------------

    def next_slot(self) -> Partition:
        """The slot that the next update goes into: the one after the running one. Raises EspError."""
        number = -1 if self.running.slot is None else self.running.slot
        target = self.table.slot((number + 1) % self.table.slots) if self.table.slots else None
        if target is None or target == self.running:
            raise EspError(FAIL)
        return target

    @property
    def pending(self) -> bool:
        """Whether the running application is on probation."""
        record = self._active()
        return record is not None and record.state == State.PENDING_VERIFY and self._is_running(record)

    # -- updates -----------------------------------------------------------------------------------------------------

    def begin(self, target: Partition, erase: Erase | None) -> Generator[Step, bool, Update]:
        """esp_ota_begin. Raises EspError."""
        self._check_target(target)
        self._check_probation()
        if erase is not SEQUENTIAL:
            if erase.size > target.size:
                raise EspError(INVALID_SIZE)
            yield from perform(self.board.memory.erasing_in_blocks(target.offset, erase.size or target.size))
        if self.behaviour.invalidates_at_begin:
            yield from self._forget_inactive()
        return Update(self, target, written=0, sequential=erase is SEQUENTIAL)

    def resume(self, target: Partition, erase: Erase | None, written: int) -> Update:
        """esp_ota_resume: go on after `written` bytes; nothing is erased. Raises EspError."""
        self._check_target(target)
        if self.release.does(RESUME_WAITS_FOR_CONFIRMATION):
            self._check_probation()
        if written > target.size:
            raise EspError(INVALID_ARG)
        return Update(self, target, written=written, sequential=erase is SEQUENTIAL)

    def set_boot(self, target: Partition) -> Program:
        """esp_ota_set_boot_partition: choose what starts next. Raises EspError."""
        image = self.verified(target)
        where = self.table.otadata
        if where is None:
            raise EspError(FAIL)
        if target.slot is None:
            yield from perform(self.board.memory.erasing(where.offset, otadata.SIZE))
            return
        if self.behaviour.anti_rollback and image.secure_version < self.board.chip.secure_version:
            self.board.say(f"E esp_ota_ops: {TOO_OLD}")
            yield from perform(self.board.memory.erasing_in_blocks(target.offset, target.size))
            raise EspError(OTA_SMALL_SEC_VER)
        state = State.NEW if self.behaviour.rollback else State.UNDEFINED
        slots = self.table.slots
        yield from self._rewrite(otadata.choose_slot(self._records(), target.slot, slots, state, self.release))
        self.board.event(f"chosen:{target.label}")

    def verified(self, target: Partition) -> esp_image.Image:
        """Check the image in a slot, signature included. Raises EspError."""
        chip, release = self.board.chip.model, self.release
        if self.behaviour.signed:
            verdict = verify_update(self.read, target, self.running, chip, release)
            image, lines = verdict.image, verdict.console
        else:
            image = esp_image.verify(self.read, target.offset, target.size, chip, release)
            lines = image.console(loading=False)
        for line in lines:
            self.board.say(line)
        if image.refused:
            raise EspError(OTA_VALIDATE_FAILED)
        return image

    # -- probation ---------------------------------------------------------------------------------------------------

    def mark_valid(self) -> Program:
        """esp_ota_mark_app_valid_cancel_rollback. Raises EspError."""
        try:
            rewrite = otadata.mark_valid(self._records())
        except otadata.NoActiveRecord as error:
            raise EspError(FAIL) from error
        if rewrite is None:
            return
        yield from self._rewrite(rewrite)
        if self.behaviour.anti_rollback:
            self._advance()
        self.board.event("confirmed")

    def mark_invalid(self) -> Program:
        """esp_ota_mark_app_invalid_rollback_and_reboot, without the restart. Raises EspError."""
        records = self._records()
        if otadata.active(records) is None:
            raise EspError(FAIL)
        if not self._can_roll_back():
            self.board.say("E esp_ota_ops: Rollback is not possible, do not have any suitable apps in slots")
            raise EspError(OTA_ROLLBACK_FAILED)
        yield from self._rewrite(otadata.mark_invalid(records))

    # -- within ------------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Burn the running application's secure version. Raises EspError where the eFuses have no room for it."""
        chip, found = self.board.chip, esp_image.read_description(self.read, self.running.offset)
        fuse = SecureVersion(lambda: chip.secure_version, chip.raise_secure_version)
        for line in fuse.raise_to(found.secure_version) if found is not None else ():
            self.board.say(line)
            raise EspError(INVALID_ARG)

    def _check_target(self, target: Partition) -> None:
        if target.slot is None:
            raise EspError(INVALID_ARG)
        if target == self.running:
            raise EspError(OTA_PARTITION_CONFLICT)

    def _check_probation(self) -> None:
        if self.behaviour.rollback and self.pending:
            self.board.say("E esp_ota_ops: Running app has not confirmed state (ESP_OTA_IMG_PENDING_VERIFY)")
            raise EspError(OTA_ROLLBACK_INVALID_STATE)

    def _forget_inactive(self) -> Program:
        where = self.table.otadata
        if where is None:
            return
        running = NO_SLOT if self.running.slot is None else self.running.slot
        sector = otadata.forgotten_at_begin(self._records(), running, self.table.slots)
        if sector is not None:
            yield from perform(self.board.memory.erasing(where.offset + sector * SECTOR, SECTOR))

    def _can_roll_back(self) -> bool:
        """Whether the other record leads to a sound image, or else, without anti-rollback, there is a factory's."""
        records = self._records()
        other = records[1 - (otadata.active(records) or 0)]
        anti_rollback = self.behaviour.anti_rollback
        target = self.table.slot(other.slot(self.table.slots)) if other.usable else None
        if not other.usable and not anti_rollback:
            target = self.table.factory
        if target is None:
            return False
        model, release = self.board.chip.model, self.release
        image = esp_image.verify(self.read, target.offset, target.size, model, release)
        new_enough = not anti_rollback or image.secure_version >= self.board.chip.secure_version
        return image.refused is None and new_enough

    def _records(self) -> tuple[Record, Record]:
        where = self.table.otadata
        if where is None:
            return otadata.read_records(b"")
        return otadata.read_records(self.read(where.offset, otadata.SIZE))

    def _active(self) -> Record | None:
        records = self._records()
        number = otadata.active(records)
        return None if number is None else records[number]

    def _is_running(self, record: Record) -> bool:
        return bool(self.table.slots) and record.slot(self.table.slots) == self.running.slot

    def _rewrite(self, rewrite: Rewrite) -> Program:
        where = self.table.otadata
        if where is None:
            raise EspError(FAIL)
        at = where.offset + rewrite.sector * SECTOR
        yield from perform(self.board.memory.erasing(at, SECTOR))
        yield from perform(self.board.memory.programming(at, rewrite.record.pack()))


class Update:
    """An update that was begun: what is written, and how far."""

    def __init__(self, ota: Ota, target: Partition, *, written: int, sequential: bool):
        self.target, self.written = target, written
        self._ota, self._sequential = ota, sequential

    def write(self, data: bytes) -> Program:
        """esp_ota_write: the sectors it enters are erased first, even for an image that is then refused.

        Raises EspError.
        """
        if not data:
            return
        if self.written + len(data) > self.target.size:
            raise EspError(INVALID_SIZE)
        memory, end = self._ota.board.memory, self.written + len(data)
        if self._sequential:
            entered = -(-self.written // SECTOR) * SECTOR
            until = self._erased_for(end)
            if until > self.target.size:
                raise EspError(INVALID_SIZE)
            yield from perform(memory.erasing(self.target.offset + entered, until - entered))
        if self.written == 0 and data[0] != esp_header.MAGIC:
            line = f"E esp_ota_ops: OTA image has invalid magic byte (expected 0xE9, saw 0x{data[0]:02x})"
            self._ota.board.say(line)
            raise EspError(OTA_VALIDATE_FAILED)
        yield from perform(memory.programming(self.target.offset + self.written, data))
        self.written = end

    def _erased_for(self, end: int) -> int:
        """How far a write up to `end` erases: to the end of the last sector, and in older releases of the next one."""
        if self._ota.release.does(ERASES_ONE_AHEAD):
            return (end // SECTOR + 1) * SECTOR
        return -(-end // SECTOR) * SECTOR

    def end(self) -> None:
        """esp_ota_end: check the whole image; nothing is written. Raises EspError."""
        if not self.written:
            raise EspError(INVALID_ARG)
        try:
            self._ota.verified(self.target)
        except EspError:
            if self._ota.release.does(TELLS_FAILED_VERIFICATION):
                self._ota.board.say("E esp_ota_ops: New image failed verification")
            raise


def perform(runs: Iterable[Run]) -> Program:
    """Flash work, run by run. Raises EspError before any of it where it goes beyond the end of flash."""
    try:
        work = list(runs)
    except BeyondFlash as error:
        raise EspError(INVALID_ARG) from error
    for run in work:
        yield Work(run)

"""Planted faults in an ESP32's loader and reset circuit: each is noticed by a named check, by assertion."""

from __future__ import annotations

import checks_esp_loader as checks
import pytest

from rig.formats.esp_loader import Op
from rig.twin.esp32 import circuit, loader
from rig.twin.esp32.loader import Answer
from rig.twin.esp32.rom_loader import RomLoader
from rig.twin.esp32.stub import Stub

REAL = {"reply": loader.Loader.reply, "contents": RomLoader._contents, "stub_contents": Stub._contents}


def _reply_eightfold(self, op, answer, code=0):
    for _ in range(8 if op == Op.GET_SECURITY_INFO else 1):
        REAL["reply"](self, op, answer, code)


def _erase_later(self, offset, erase, room):
    self._at, self._room, self._to_erase = offset, room, (offset, erase)
    return Answer()


def _erase_at_the_end(self, request):
    return Answer(before=self.work(self.board.memory.erasing_in_blocks(*self._to_erase)))


def _erases_at_the_end(m):
    m.setattr(RomLoader, "_erase_for", _erase_later)
    m.setattr(RomLoader, "_end", _erase_at_the_end)


def _acknowledge_after_writing(self, request):
    return Answer(before=self._write(self._acceptable(request)[: self._left]))


MUTANTS = {
    "EN rises 10 ms after its pull ends": (
        lambda m: m.setattr(circuit.ResetCircuit.__init__, "__defaults__", (0.01,)),
        checks.classic_reset_enters_the_loader,
    ),
    "operation 14 is answered eight times": (
        lambda m: m.setattr(loader.Loader, "reply", _reply_eightfold),
        checks.an_unknown_operation_is_refused_once,
    ),
    "operation 14 is answered eight times, and esptool sees it": (
        lambda m: m.setattr(loader.Loader, "reply", _reply_eightfold),
        checks.esptool_tells_the_chip,
    ),
    "the ROM's digest is of another region": (
        lambda m: m.setattr(RomLoader, "_contents", lambda self, at, size: REAL["contents"](self, at + 0x1000, size)),
        checks.a_digest_is_of_the_region_asked_for,
    ),
    "the stub's digest is of another region": (
        lambda m: m.setattr(Stub, "_contents", lambda self, at, size: REAL["stub_contents"](self, at + 0x1000, size)),
        checks.a_digest_is_of_the_region_asked_for,
    ),
    "the ROM erases at the end": (_erases_at_the_end, checks.the_rom_erases_before_data_come),
    "checksums are not looked at": (
        lambda m: m.setattr(loader.Loader, "payload", lambda _self, request: request.block()),
        checks.a_block_with_a_wrong_checksum_changes_nothing,
    ),
    "the stub writes before it acknowledges": (
        lambda m: m.setattr(Stub, "_data", _acknowledge_after_writing),
        checks.a_reply_says_what_has_been_done,
    ),
    "the stub says that it is the ROM": (
        lambda m: m.setattr(Stub, "dialect", RomLoader.dialect),
        checks.sync_tells_the_rom_from_the_stub,
    ),
}


@pytest.mark.parametrize("check", {check for _plant, check in MUTANTS.values()}, ids=lambda check: check.__name__)
def test_the_twin_as_it_is_passes(check):
    check()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_fault_is_noticed(name, monkeypatch):
    plant, check = MUTANTS[name]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()

"""Planted faults of an ESP32's stubs, memory and line for test_mutants."""

from __future__ import annotations

from rig.families.esp32.twin import ram
from rig.families.esp32.twin.download import Download
from rig.families.esp32.twin.flasher_stub import FlasherDownload, FlasherStub
from rig.families.esp32.twin.legacy_stub import LegacyDownload, LegacyStub
from rig.families.esp32.twin.line import Line
from rig.families.esp32.twin.loader import Answer, Loader, Refused, WayOut
from rig.families.esp32.twin.ram import Ram
from rig.families.esp32.twin.stub import Stub
from rig.families.esp32.twin.uploads import Uploads
from tests.rig.families.esp32.twin import checks_serial as of_serial
from tests.rig.families.esp32.twin import test_line as test_esp_line

REAL_SEND, REAL_PLACE, REAL_LEGACY = Line.send, ram._place, LegacyStub.send_contents
REAL_STUB, REAL_LEGACY_INIT = FlasherStub.__init__, LegacyStub.__init__


def _window_of_frames(self, offset, size, frame, window):
    """64 frames ahead of the host's totals, as the request seems to ask for."""
    yield from REAL_LEGACY(self, offset, size, frame, window * frame)


def _in_order(address):
    """The mirror as it would be were it none."""
    word = REAL_PLACE(address)
    return address - 0x400A0000 + 0x3FFE0000 if 0x400A0000 <= address < 0x400C0000 else word


def _at_the_newest_rate(self, data, rate):
    """Every byte that waits takes the rate of now."""
    self._waiting = type(self._waiting)((waiting, rate) for waiting, _ in self._waiting)
    REAL_SEND(self, data, rate)


def _as_it_comes(self, packed):
    return (yield from self.write(self._inflater.decompress(packed)))


def _no_digest(self, offset, size, frame, window):
    real, sent = self.send, []
    self.send = lambda payload: sent.append(payload) or (real(payload) if len(payload) != 16 else None)
    yield from REAL_LEGACY(self, offset, size, frame, window)
    self.send = real


def _starts_flash(self, board):
    REAL_STUB(self, board)
    self.handlers[0xD3] = lambda _request: Answer(way_out=WayOut.RUN, silent=True)


def _every_reason(self, board):
    """Codes as they are."""
    REAL_LEGACY_INIT(self, board)
    self.handlers[0xD1], self.handlers[0x13] = self._erase_region, self._md5


def _erase_first(self, request):
    Stub._begin_deflated(self, request)
    return Answer(before=self.work(self.download.erase_next()))


def _told_to_all(self, request):
    if self._failed:
        code, self._failed = self._failed, 0
        raise Refused(code)
    return Loader.handle(self, request)


def _a_client_that_negotiates_anew_is_answered_in_time(_folder):
    for stub in ("stub", "legacy"):
        test_esp_line.test_a_client_that_negotiates_its_port_anew_in_mid_stream_gets_every_byte_in_time(
            stub, pace=2_000, least=3_000_000
        )


MUTANTS = {
    "esp32 line: all that is sent comes at once": (
        lambda m: m.setattr(Line, "_seconds", lambda self, rate: 1e-12),
        of_serial.what_the_chip_says_comes_at_the_lines_rate,
    ),
    "esp32 line: a reply has the rate that it announces": (
        lambda m: m.setattr(Line, "send", _at_the_newest_rate),
        of_serial.a_reply_comes_at_the_rate_it_was_sent_at,
    ),
    "esp32 line: it goes on without the board": (
        lambda m: m.setattr(Line, "cut", lambda self: None),
        of_serial.a_board_that_loses_power_says_nothing_more,
    ),
    "esp32 stub: 64 frames are under way": (
        lambda m: m.setattr(FlasherStub, "send_contents", _window_of_frames),
        _a_client_that_negotiates_anew_is_answered_in_time,
    ),
    "esp32 legacy stub: 64 frames are under way": (
        lambda m: m.setattr(LegacyStub, "send_contents", _window_of_frames),
        _a_client_that_negotiates_anew_is_answered_in_time,
    ),
    "esp32 legacy stub: a read that is given up has no digest": (
        lambda m: m.setattr(LegacyStub, "send_contents", _no_digest),
        of_serial.a_read_that_is_given_up_ends_in_a_digest,
    ),
    "esp32 memory: nothing is kept": (
        lambda m: m.setattr(Ram, "write", lambda self, address, value: None),
        of_serial.memory_keeps_what_is_written,
    ),
    "esp32 memory: it survives a power cut": (
        lambda m: m.setattr(Ram, "lose", lambda self: None),
        of_serial.memory_is_lost_with_the_supply,
    ),
    "esp32 memory: the mirror runs forwards": (
        lambda m: m.setattr(ram, "_place", _in_order),
        of_serial.the_upper_half_of_ram_is_mirrored_last_word_first,
    ),
    "esp32 memory: the ROM can be written": (
        lambda m: m.setattr(ram, "RAM", (*ram.RAM, *ram.ROM)),
        of_serial.the_rom_can_be_dumped_and_stays_as_it_is,
    ),
    "esp32 memory: the ROM is empty": (
        lambda m: m.setattr(ram, "ROM", ()),
        of_serial.the_rom_can_be_dumped_and_stays_as_it_is,
    ),
    "esp32 loader: whatever is uploaded is a stub": (
        lambda m: m.setattr(Uploads, "greets", True),
        of_serial.an_application_in_ram_is_no_stub,
    ),
    "esp32 stub: its refusals look like the ROM's": (
        lambda m: m.setattr(Stub, "status", lambda self, code, detail: bytes([1 if code else 0, code])),
        of_serial.a_stubs_code_comes_first,
    ),
    "esp32 legacy stub: every reason has its code": (
        lambda m: m.setattr(LegacyStub, "__init__", _every_reason),
        of_serial.the_legacy_stub_gives_one_code_for_many_reasons,
    ),
    "esp32 stub: a failed write is not told of": (
        lambda m: m.setattr(FlasherStub, "note", lambda self, code: None),
        of_serial.the_stub_tells_a_failed_write_once_whatever_is_asked,
    ),
    "esp32 legacy stub: a failed write is told to whatever is asked": (
        lambda m: m.setattr(LegacyStub, "handle", _told_to_all),
        of_serial.the_legacy_stub_tells_a_failed_write_with_every_block,
    ),
    "esp32 stub: it starts what is in flash": (
        lambda m: m.setattr(FlasherStub, "__init__", _starts_flash),
        of_serial.the_stub_starts_nothing_and_restarts_nothing,
    ),
    "esp32 stub: it restarts after a download": (
        lambda m: m.setattr(FlasherStub, "_end", lambda self, request: Answer(way_out=WayOut.RESET)),
        of_serial.the_stub_starts_nothing_and_restarts_nothing,
    ),
    "esp32 legacy stub: it looks at a packet's length": (
        lambda m: m.setattr(LegacyStub, "heard", Loader.heard),
        of_serial.the_legacy_stub_believes_the_length_in_a_head,
    ),
    "esp32 stub: what is inflated is written as it comes": (
        lambda m: m.setattr(Download, "inflate", _as_it_comes),
        of_serial.what_is_inflated_is_written_together,
    ),
    "esp32 legacy stub: it erases no further than it writes": (
        lambda m: m.setattr(LegacyDownload, "needs_erasing", lambda self, until: self.erased < until),
        of_serial.the_legacy_stub_erases_what_the_next_byte_needs,
    ),
    "esp32 stub: blank sectors are erased too": (
        lambda m: m.setattr(FlasherDownload, "_dirty", True),
        of_serial.the_stub_leaves_blank_sectors_alone,
    ),
    "esp32 stub: a download begins when flash is erased": (
        lambda m: m.setattr(FlasherStub, "_begin_deflated", _erase_first),
        of_serial.nothing_is_erased_before_the_first_block_is_acknowledged,
    ),
    "esp32 legacy stub: a new rate is what was asked for": (
        lambda m: m.setattr(LegacyStub, "_change_baud", lambda self, request: self.changing_to(request.words(2)[0])),
        of_serial.the_legacy_stub_reckons_a_rate_from_the_old_one,
    ),
}

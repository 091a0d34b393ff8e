"""Named checks of test_mutants: a pinboard in memory, cut at any operation of its update, and its landings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.rig.families import pinboards  # first: it puts the package on the path

from pinboard import formats, programs, twin  # isort: skip
from pinboard.formats import APP, FLAG, REQUEST_SIZE, ROOM, SECTOR, STAGE, pack  # isort: skip
from pinboard.memory import PinboardMemory  # isort: skip
from pinboard.power import Update  # isort: skip

from rig.firmware.expectations import Expectations, Situation
from rig.firmware.manifest import Image
from rig.firmware.outcomes import Became, compare
from rig.firmware.seeded_bytes import seeded_bytes
from rig.lab import lab
from rig.lab.targets import environment_for
from rig.power.landing import Landing
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import TEARS
from rig.sweep.family import sweeps_of
from rig.twin.flash import Run
from rig.twin.tears import ERASE_TEARS, PROGRAM_TEARS, named_tear
from tests.rig.sweep.whole_starts import answers_of, every_cut

#: An image that ends within its second sector.
OLD, NEW, CRASHING = (
    Image(f"pinboard-{name}", "pinboard", version, pack(version, seeded_bytes(version, 1500)), runs)
    for name, version, runs in (("old", "1.0", "ok"), ("new", "1.1", "ok"), ("crashing", "1.2", "crashes"))
)
BY_DATA = {image.data: image for image in (OLD, NEW, CRASHING)}
#: Operations of an update until it is downloaded, asked for (two words), forgotten (one), and copied: each of the two
#: sectors is erased and written whole.
WORDS = SECTOR // 4
DOWNLOADED = len(NEW) // 4
REQUESTED, FORGOTTEN = DOWNLOADED + 2, DOWNLOADED + 3
COPIED = FORGOTTEN + 2 * (1 + WORDS)
ERASES = (FORGOTTEN, FORGOTTEN + 1 + WORDS)


class Board(twin.Pinboard):
    """A pinboard in its known state that notes what it says."""

    def __init__(self):
        memory = PinboardMemory()
        super().__init__(memory, BY_DATA.get, time_scale=0)
        before, behind = b"\xff" * APP, b"\xff" * (memory.flash.size - APP - len(OLD))
        memory.flash.load(before + OLD.data + behind)
        self.said: list[str] = []
        self.on_output = lambda data: self.said.extend(data.decode().splitlines())

    def is_told(self, line: str) -> list[str]:
        """What it says to a line, with what it does until it waits for the next one."""
        already = len(self.said)
        self.received(f"{line}\n".encode(), self.time)
        self.settle()
        return self.said[already:]

    def settle(self) -> None:
        """Let it do what it does until it waits, loses its supply, or has crashed a few times."""
        for _ in range(200):
            if not self.step():
                return

    def starts(self, *, button: bool = False) -> str | None:
        """Feed it, and see what it is then: what answers, None for nothing."""
        self.button = button
        self.power_on(self.time)
        self.settle()
        return (self.is_told("hello")[-1:] or [None])[0]

    def takes(self, image: Image) -> None:
        """Update it as people do, as far as it comes."""
        for offset in range(0, len(image), SECTOR):
            self.is_told(f"data {offset:x} {image.data[offset : offset + SECTOR].hex()}")
        self.is_told(f"commit {len(image):x}")

    def flash(self, address: int, length: int = ROOM) -> bytes:
        """What lies there."""
        return self.memory.flash.read(address, length)


@dataclass(frozen=True)
class Trial:
    """One cut: the operation that it fell into, where it is read off, and what the board became."""

    truth: str
    operation: Run
    landing: Landing
    became: Became


def trial(k: int, tear: str | None) -> Trial:
    """An update to the new image that is cut before operation `k`, or in it."""
    board = Board()
    assert board.starts() == "app 1.0"
    board.memory.journal.fuse = k, named_tear(tear, k) if tear is not None else None
    runs = []
    numbered = board.memory.journal.number
    board.memory.journal.number = lambda run: runs.append(numbered(run)) or runs[-1]
    board.takes(NEW)
    assert not board.powered, "it was not cut"
    (run,) = (run for run in runs if run.first <= k < run.first + run.count)
    before = OLD.data.ljust(ROOM, b"\xff")
    left = board.flash(APP), board.flash(FLAG, REQUEST_SIZE), board.flash(STAGE)
    shown = board.starts()
    became = {"app 1.0": Became("old", "self"), "app 1.1": Became("new", "self")}.get(shown, STRANDED)
    return Trial(phase_of(k), run.operation(k), Update(before, NEW.data).locate(*left), became)


STRANDED = Became("stranded", "reflash")


def phase_of(k: int) -> str:
    """The phase that an operation of the update belongs to."""
    ends = {"download": DOWNLOADED, "commit": REQUESTED, "forget": FORGOTTEN, "copy": COPIED}
    return next(phase for phase, end in ends.items() if k < end)


def trials() -> Iterator[Trial]:
    """Cuts all over an update: each of those that are few, some of those that are many."""
    many = [*range(3, DOWNLOADED, 31), *range(FORGOTTEN, COPIED, 31), *ERASES]
    for k in (*many, *range(DOWNLOADED, FORGOTTEN)):
        for tear in (None, *(ERASE_TEARS if k in ERASES else PROGRAM_TEARS)):
            yield trial(k, tear)


def a_landing_is_where_the_journal_says(_folder):
    landed = [each for each in trials() if each.landing.landed]
    for each in landed:
        assert each.landing.phase == each.truth, each
        assert abs(each.landing.address - each.operation.address) < SECTOR, each
    assert {each.truth for each in landed} == {"download", "commit", "forget", "copy"}, "each phase can be told"


def it_becomes_what_its_expectations_say(_folder):
    with pinboards.known():
        expectations = Expectations.load(pinboards.MANIFEST.with_name("expectations.toml"))
    for each in trials():
        if each.landing.landed:
            expected = expectations.expected(Situation("pinboard", formats.TCP, each.landing.phase, "unknown"))
            assert compare(expected.became, each.became) == "same", each


def what_nobody_cuts_arrives(_folder):
    board = Board()
    board.starts()
    board.takes(NEW)
    assert board.is_told("hello") == ["app 1.1"]
    assert board.operations == COPIED


def a_crashing_application_answers_nobody(_folder):
    board = Board()
    board.starts()
    board.takes(CRASHING)
    assert board.running is None
    assert not [line for line in board.is_told("hello") if line != "boot"]


def without_power_it_is_silent(_folder):
    board = Board()
    board.starts()
    board.power_off(board.time)
    assert board.is_told("hello") == []


def its_reader_changes_nothing(_folder):
    board = Board()
    board.starts()
    board.memory.journal.fuse = REQUESTED, None
    board.takes(NEW)
    before = board.memory.flash.dump()
    assert board.starts(button=True) == "reader"
    assert board.is_told(f"read {APP:x} 4") == [f"read {APP:x} {OLD.data[:4].hex()}"]
    assert board.memory.flash.dump() == before


def commands_know_how_it_is_reached(_folder):
    with pinboards.known():
        found = environment_for(lab.Lab.named("127.0.0.1:1", None).environment, "pinboard")
    assert "PinboardDriver" in found.read_text()


def what_is_no_request_is_refused(_folder):
    board = Board()
    board.starts(button=True)
    wrong = ("read x 4", "write ffff00 00", "write 0 zz", "write 10 00", f"write 0 {'00' * (SECTOR + 1)}")
    assert [board.is_told(line) for line in wrong] == [["error"]] * len(wrong)
    assert programs.image_in(board.flash(APP)) == OLD.data


def every_cut_is_swept_as_a_board_that_is_started_whole(_folder):
    with pinboards.known():
        images = {"old": OLD, "new": NEW}
        scenario = sweeps_of("pinboard").scenario("tcp", {}, images)
        found = ChunkSweep(scenario, TEARS, seed=0).sweep_all()
        assert answers_of(found.spans) == every_cut(scenario, TEARS, seed=0)
        assert {span.settled.became for span in found.spans} == {"old", "new", "empty"}

"""What somebody asks of a run of suites: one record, and the words that pytest takes for it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from rig.errors import Misuse
from rig.evidence.testbed import VIRTUAL_RACK
from rig.files import is_there
from rig.firmware.checkout import ROOT, part

#: pytest's plugins that no board suite needs; each worker would take a second to load them.
UNUSED_PLUGINS = ("cacheprovider", "hypothesispytest", "benchmark")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run as it is asked for; nothing is looked up before the run begins."""

    #: `virtual`, or a labgrid environment file.
    rack: str = VIRTUAL_RACK
    #: HOST:PORT of the coordinator of `rack`; None for LG_COORDINATOR.
    coordinator: str | None = None
    #: The report folder, new or empty; None for one that is named after the time.
    report: Path | None = None
    #: The manifest of the firmware under test; None for the rig's own.
    manifest: Path | None = None
    #: Files, folders or tests (`FILE::TEST`) to run; none for the rig's own suites.
    files: tuple[str, ...] = ()
    #: pytest's expression over names, for only some of them.
    keyword: str | None = None
    #: Only tests for boards of this kind; None for all.
    board: str | None = None
    #: How many boards of which kinds the virtual rack has at most, as `KIND=N`; none for as many as tests ask for.
    boards: tuple[str, ...] = ()
    #: Only the board in this place of `rack`; None for all.
    place: str | None = None
    #: How often each test runs.
    repeat: int = 1
    #: Seconds that a test may take; None for no limit.
    timeout: float | None = None
    #: Seconds to wait for boards that others hold; None for the usual minute.
    wait: float | None = None
    #: How many boards work at once, at most.
    workers: int = 1
    #: Whether what takes its time runs too.
    long: bool = False
    #: Whether boards may be destroyed that no place calls expendable.
    allow_destructive: bool = False
    #: File to write what boards become into, as a baseline; None to compare with what is expected.
    record: Path | None = None
    #: Whether that file may be there already.
    replace: bool = False
    #: Which coverage the run must have, as `all`, `N%` or a file of cases; None for whatever it comes to.
    require: str | None = None
    #: More options for pytest.
    extra: tuple[str, ...] = ()

    @property
    def is_virtual(self) -> bool:
        """Whether the run starts its own rack."""
        return self.rack == VIRTUAL_RACK

    @property
    def is_everything(self) -> bool:
        """Whether all of the rig's own suites are meant, as far as `long` goes."""
        return not (self.files or self.keyword or self.board or self.boards or self.extra)

    @property
    def selection(self) -> str:
        """Which tests are meant, in words: for the head of the report."""
        suites = shlex.join(self.files) if self.files else "the rig's suites"
        extent = "every case" if self.long else "the quick selection"
        limits = {"board": self.board, "place": self.place, "repeat": self.repeat if self.repeat > 1 else None}
        narrowed = [f"--{option}={value}" for option, value in limits.items() if value is not None]
        narrowed += [f"--boards={text}" for text in self.boards]
        narrowed += [*(["-k", self.keyword] if self.keyword else []), *self.extra]
        return f"{suites}, {extent}" + (f", {shlex.join(narrowed)}" if narrowed else "")

    def pytest_words(self, manifest: Path) -> list[str]:
        """pytest's arguments for these tests with the firmware of `manifest`. Raises Misuse for a file that is not.

        Options have their values in the same word: pytest takes a word of its own for a file while it looks for its
        root folder, which is before it knows our options.
        """
        return [
            *(self._own_suites() if not self.files else self._files()),
            *("-p", "rig.plugin", f"--rack={self.rack}", f"--rig-manifest={manifest}"),
            *(["-k", self.keyword] if self.keyword else []),
            *(f"--rig-boards={text}" for text in self.boards),
            *(["--rig-long"] if self.long else []),
            *(["--rig-allow-destructive"] if self.allow_destructive else []),
            *(["--rig-record"] if self.record is not None else []),
            *(f"--rig-{option}={value}" for option, value in self._limits().items() if value is not None),
            *self.extra,
        ]

    def _limits(self) -> dict[str, object]:
        return {
            "board": self.board,
            "place": self.place,
            "repeat": self.repeat,
            "timeout": self.timeout,
            "wait": self.wait,
        }

    def _own_suites(self) -> list[str]:
        return [
            str(part("tests", "boards")),
            *("--rootdir", str(ROOT), "-c", str(part("pyproject.toml"))),
            *(word for plugin in UNUSED_PLUGINS for word in ("-p", f"no:{plugin}")),
            *("-o", "addopts=--strict-markers"),
        ]

    def _files(self) -> list[str]:
        """Somebody's own files: pytest finds their configuration as it does without us."""
        for name in self.files:
            if not is_there(Path(name.partition("::")[0])):
                raise Misuse(f"{name}: no such file", hint="`rig run` without files runs the rig's own suites")
        return list(self.files)


def files_and_options(words: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files and pytest's options of a command line `FILE… -- OPTIONS`: files come first, options begin with a dash."""
    first = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    return tuple(words[:first]), tuple(words[first:])

"""The bench: a board in a known state, a trial, a cut, the landing, the outcome, a line in the ledger."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from rig import registry
from rig.boards.board import Board, Contents, tier_of
from rig.campaign.landed_capsule import capsule_of
from rig.campaign.strata import BoardSweeps
from rig.campaign.trial import Trial
from rig.drivers.progress import Progress
from rig.errors import DeviceFault, LabFault, RigInterference
from rig.evidence.ledger import Ledger
from rig.evidence.time_spent import KNOWN, LANDING, OUTCOME, UPDATE, TimeSpent
from rig.evidence.timeline import Timeline
from rig.firmware.manifest import Image
from rig.firmware.outcomes import Became
from rig.power.cut import Cut, Fired
from rig.power.landing import Landing
from rig.recovery.ladder import Outcome, RescueLadder, restore_known_state

B = TypeVar("B", bound=Board)
_numbers = itertools.count(1)
#: The phase of a landing that nobody could read back.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a trial; `left` is the flash that tells the landing, as the cut left it."""

    landing: Landing
    left: Contents
    outcome: Outcome
    #: Its line in the ledger.
    line: dict[str, Any]
    #: How long after the command was to leave the relay had answered.
    took_ms: float

    @property
    def area(self) -> bytes:
        """Where the image goes, as the cut left it: the first of the stretches that tell the landing."""
        return next(iter(self.left.values()))


class Bench(Generic[B]):
    """A board, the images it may come back with, and the books: what trials are made on.

    `roles` must name `old`, the golden image every trial starts from, and may name new, previous and factory;
    `variant` is the manifest's name for this role set, empty for the one it has no name for.
    `spent` is told what takes time.
    """

    def __init__(
        self,
        board: B,
        roles: Mapping[str, Image],
        ledger: Ledger,
        timeline: Timeline,
        *,
        run_id: str,
        variant: str = "",
        spent: TimeSpent | None = None,
    ):
        self.board = board
        self.roles = dict(roles)
        self.golden = self.roles["old"]
        self.timeline = timeline
        self.ledger = ledger
        self._run_id, self._variant = run_id, variant
        self.spent = spent or TimeSpent()
        self._seed = int(board.tags.get("seed", "0"))
        self._segment = ledger.path.stem
        #: Why this board must not be used any more; None while it may.
        self.given_up: str | None = None

    def give_up(self, reason: str) -> None:
        """Give the board up: it is not brought back to its known state, and goes into quarantine."""
        self.given_up = reason

    def restore_known_state(self) -> None:
        """Bring the board to its known state. Raises DeviceFault when it cannot be brought back."""
        restore_known_state(self.board, self.roles)

    def outcome_unattended(self, seconds: float, **roles: Image) -> Became:
        """What the board becomes within `seconds` while nobody does anything; `roles` are images beyond the bench's."""
        return RescueLadder(self.board, {**self.roles, **roles}, self.golden).outcome_unattended(seconds)

    def run(self, trial: Trial[B], *, lead_ms: float = 0.0) -> TrialResult:
        """Make one trial; the relay's command leaves `lead_ms` before what it aims at.

        Raises LabFault when power, relay or USB did not do what the cut needs, and RigInterference when the rig may
        have changed what tells landing or outcome.
        """
        self.timeline.note("rig", f"aim: {trial.aim}")
        with self.spent.on(KNOWN):
            self.restore_known_state()
            trial.prepare(self.board)
            before = self.board.read_flash(trial.landing_stretches)
        number = f"{self._run_id}-{self._segment}-{next(_numbers)}"
        content = self._content(trial, number)
        self.ledger.append("intent", content)
        with self.spent.on(UPDATE):
            fired = self._cut(trial, lead_ms)
            self.board.verify_off()
        with self.spent.on(LANDING):
            landing, left = self._landing(trial, before)
        self.timeline.note("rig", f"landing: {landing.phase} {landing.detail}")
        with self.spent.on(OUTCOME):
            self.board.power_off()
        free_ns = time.monotonic_ns()
        ladder = RescueLadder(self.board, {**self.roles, **trial.roles}, self.golden)
        with self.spent.on(OUTCOME):
            outcome = ladder.climb(lambda text: self.timeline.note("usb", text))
        line = self.ledger.append(
            "cut",
            {
                **content,
                "landing": landing.to_dict(),
                "off": fired.to_dict(),
                "on": {"free_ns": free_ns},
                "outcome": outcome.to_dict(),
                "capsule": self._capsule(trial, landing, outcome),
            },
        )
        took_ms = (fired.answered_ns - fired.trigger_ns) / 1e6 - trial.aim.command_after(lead_ms)
        return TrialResult(landing, left, outcome, line, took_ms)

    def _landing(self, trial: Trial[B], before: Contents) -> tuple[Landing, Contents]:
        """Where the cut fell, and the flash that tells it: unknown when nothing answers any more that could read it.

        Raises RigInterference.
        """
        try:
            self.board.enter_readback_mode()
            left = self.board.read_flash(trial.landing_stretches)
        except RigInterference:
            raise
        except (DeviceFault, LabFault) as error:
            return Landing(UNKNOWN, None, "inferred", error.message), {}
        return trial.locate(before, left), left

    def _content(self, trial: Trial[B], number: str) -> dict[str, Any]:
        tags = self.board.tags
        return {
            "run": self._run_id,
            "trial": number,
            "tier": tier_of(self.board),
            "place": self.board.name,
            "board": self.board.kind,
            "generation": tags.get("generation", "unknown"),
            "path": trial.path,
            "order": trial.order.value,
            "phase": trial.aim.phase,
            "variant": self._variant,
            "from": self.golden.sha256,
            "from_name": self.golden.name,
            "to": trial.target.sha256,
            "to_name": trial.target.name,
            "to_size": len(trial.target),
            "to_address": trial.landing_stretches[0][0],
            "aim": trial.aim.to_dict(),
            "seed": self._seed,
        }

    def _cut(self, trial: Trial[B], lead_ms: float) -> Fired:
        """Update until the supply is gone. Raises LabFault when it did not go."""
        with Cut(self.board.relay.contact(), trial.aim, lead_ms=lead_ms) as cut:

            def watch(progress: Progress) -> None:
                cut.watch(progress)
                if progress.phase == "read":
                    return
                self.timeline.note(
                    "host", f"{progress.phase} {progress.address:#010x} {progress.done}/{progress.total}"
                )

            lost: LabFault | None = None
            try:
                trial.start(self.board, watch)
            except LabFault as error:
                lost = error
        if cut.fired is None:
            raise lost or LabFault(
                f"the update ended without anything that {trial.aim} aims at",
                board=self.board.name,
                phase=trial.aim.phase,
            )
        self.timeline.note("relay", "opened", ns=cut.fired.command_ns)
        self.board.history.add_action(f"cut its power, aimed at {trial.aim.phase} over {trial.path}")
        return cut.fired

    def _capsule(self, trial: Trial[B], landing: Landing, outcome: Outcome) -> str:
        """One line that a replay on the model needs; empty where the model has no such update."""
        sweeps = cast(BoardSweeps, registry.family(self.board.kind).campaign.board_sweeps)
        brought = {} if trial.target in trial.roles.values() else {"new": trial.target}
        roles = {**self.roles, **brought, **trial.roles}
        return capsule_of(self.board.kind, sweeps, trial, self.board.tags, roles, landing, outcome)

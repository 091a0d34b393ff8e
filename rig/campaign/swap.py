"""A swap of servers' identities under a board that runs: how a scenario is played, and what comes of it.

Where it is played is a ScenarioSetup: a board in its place, as its family makes one, or a model in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from rig.boards.server_log import ServerLog
from rig.errors import LabFault, Misuse
from rig.trust.expectation import AnyScenario, Expected, Reach

Kind = TypeVar("Kind", bound=AnyScenario)
Playable = TypeVar("Playable", bound=AnyScenario, contravariant=True)


class ScenarioUnavailable(Misuse):
    """Nobody has what a scenario on this board needs: the message says what a manifest lacks."""


class ScenarioSetup(Protocol[Playable]):
    """One board that looks for updates when it is told to, and servers that show it what it is to meet."""

    def show(self, scenario: Playable, *, after: bool) -> dict[str, str]:
        """Show the identities of before the swap from now on, or those of after it, and what else it says of servers.

        Returns the sha256 of what is shown, by host: of a leaf, or of a public key.
        """

    def look(self) -> ServerLog:
        """Let the board look for updates, with nothing to be had; returns what its servers saw."""

    def fetch(self, meanwhile: Callable[[], None]) -> bool:
        """Offer an update and let the board look; half-way, do `meanwhile`. Whether it came to run."""

    def power_off(self) -> None:
        """Take the supply away."""

    def cut_fetch(self) -> None:
        """Offer an update, let the board look, and take the supply away when half of it is on the way."""

    def update(self) -> bool:
        """Offer an image that does not run yet, and let the board look. Whether it came to run."""

    def rescue_by_cable(self) -> None:
        """Write firmware to the board that trusts what its servers show now."""

    def runs(self) -> bool:
        """Whether the firmware that ran before runs still: started anew, it is there and nothing else is."""


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """What came of a scenario, as servers saw it and the board showed itself."""

    before: Expected
    after: Expected
    #: What the operator's log shows of it, before and after: versions reported, and what they were answered.
    check_ins: tuple[list[tuple[str, int]], list[tuple[str, int]]]
    #: Whether an image arrived that was on its way; None where none was.
    arrived: bool | None
    #: Whether the former firmware runs on, where no image arrived.
    runs_on: bool
    #: Whether an update reaches the board in the end: by itself, or by the scenario's way back.
    updated: bool
    #: How a board that went dark was brought back: `swap-back` or `cable`; empty where nobody had to.
    route: str
    #: sha256 of what was shown before and after, by host.
    identities: dict[str, dict[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "before": str(self.before),
            "after": str(self.after),
            "check_ins": {"before": self.check_ins[0], "after": self.check_ins[1]},
            "arrived": self.arrived,
            "runs_on": self.runs_on,
            "updated": self.updated,
            "route": self.route,
            "identities": self.identities,
        }


def play(scenario: Kind, setup: ScenarioSetup[Kind]) -> ScenarioResult:
    """Play a scenario on a board that is in its known state, and bring it back by the scenario's way.

    Raises LabFault when a server did not show what it was to show: then nothing is known of the board.
    """
    identities = {"before": setup.show(scenario, after=False)}
    seen_before = setup.look()
    before = _reached(seen_before, identities["before"])

    def swap() -> None:
        identities["after"] = {**identities["before"], **setup.show(scenario, after=True)}

    arrived = _swap_when(scenario, setup, swap)
    seen_after = setup.look()
    after = _reached(seen_after, identities["after"])
    runs_on = True if arrived else setup.runs()
    route = ""
    if after.reach is Reach.DARK:
        if scenario.back == "cable" or before.reach is Reach.DARK:  # whom nothing over the air ever reached
            route = "cable"
            setup.rescue_by_cable()
        else:
            route = "swap-back"
            setup.show(scenario, after=False)
    updated = setup.update()
    check_ins = (seen_before.check_ins, seen_after.check_ins)
    return ScenarioResult(before, after, check_ins, arrived, runs_on, updated, route, identities)


def _reached(seen: ServerLog, shown: dict[str, str]) -> Expected:
    """How far a board came, at servers that showed what they were to show. Raises LabFault where they did not."""
    for shook in seen.handshakes:
        host, identity = shook["host"], shook["identity"]
        if identity is not None and identity != shown.get(host, identity):
            raise LabFault(
                f"{host} showed sha256 {identity[:16]}…, not {shown[host][:16]}…", hint="the swap did not take place"
            )
    return observed(seen)


def observed(seen: ServerLog) -> Expected:
    """How far a board came when it looked for updates, by what its servers saw: no word of its console counts."""
    if not seen.requests:
        return Expected(Reach.DARK, seen.failures)
    if not seen.failures:
        return Expected(Reach.SERVED)
    hosts = [str(shook["host"]) for shook in seen.handshakes if shook["outcome"] == "completed"]
    return Expected(Reach.FAILS_OVER, seen.failures, hosts[-1] if hosts else "nobody")


def _swap_when(scenario: Kind, setup: ScenarioSetup[Kind], swap: Callable[[], None]) -> bool | None:
    """Swap at the scenario's moment; whether an image that was on its way arrived."""
    match scenario.when:
        case "mid-download" | "between-pieces":
            return setup.fetch(swap)
        case "off":
            setup.power_off()
        case "during-cut":
            setup.cut_fetch()
        case "idle":
            pass
    swap()
    return None

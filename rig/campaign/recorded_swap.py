"""A swap under a board, and what the ledger keeps of it: how it ended, and one line that plays it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rig.campaign.swap import Kind, ScenarioResult, ScenarioSetup, play
from rig.campaign.swap_capsule import SwapCapsule
from rig.evidence.ledger import Ledger


def play_recorded(
    scenario: Kind, setup: ScenarioSetup[Kind], ledger: Ledger, line: Mapping[str, Any], capsule: SwapCapsule | None
) -> ScenarioResult:
    """Play a scenario, and write down what came of it; `line` is what else the ledger keeps.

    The field `capsule` is empty where nothing plays it again. Raises LabFault as `play` does, and writes nothing then.
    """
    played = play(scenario, setup)
    told = {"remark": scenario.remark, "capsule": str(capsule.of(played)) if capsule is not None else ""}
    ledger.append("swap", {**line, **told, **played.to_dict()})
    return played

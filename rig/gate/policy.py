"""What a release must keep to: how many boards may need a hand after a cut, by kind, path and phase, and how surely.

A policy is a TOML file::

    confidence = 0.95
    bound = "anytime"        # or "planned", which is looked at once, when the cuts that were planned are made
    tolerated = 0.01         # largest rate of boards that need a hand, in each phase that is not named below
    control_every = 20       # cuts between two control cuts of a board

    [phases.KIND.PATH]       # phases by a kind of board and one of its paths
    program = 1.0            # here every board may need a hand

A board that no rung heals is tolerated nowhere.
"""

from __future__ import annotations

import tomllib
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rig.errors import Misuse
from rig.files import MOST_TEXT, read_text
from rig.gate.statistics import Bound, Prior, clopper_pearson_upper, e_value_upper

#: A rate that somebody tolerates: 1 is all.
Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
#: What `--until` takes for the policy that is built in.
DEFAULT = "default"


class Policy(BaseModel):
    """One policy; without anything said it is the one that is built in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confidence: float = Field(default=0.95, ge=0.5, le=0.999999)
    bound: Literal["planned", "anytime"] = "anytime"
    #: Of the anytime bound, a and b of its Beta distribution.
    prior: tuple[_Positive, _Positive] = Prior()
    tolerated: Rate = 0.01
    #: How many boards that need a hand a planned number of cuts allows for.
    planned_failures: int = Field(default=0, ge=0, le=1000)
    control_every: int = Field(default=20, ge=1, le=100_000)
    phases: dict[str, dict[str, dict[str, Rate]]] = Field(default_factory=dict)

    @classmethod
    def named(cls, name: str) -> Policy:
        """That of a file, or the one that is built in. Raises Misuse that names the field."""
        return cls() if name == DEFAULT else cls.read(Path(name))

    @classmethod
    def read(cls, path: Path) -> Policy:
        """That of a file. Raises Misuse that names the field."""
        try:
            return cls.model_validate(tomllib.loads(read_text(path, MOST_TEXT)))
        except ValidationError as error:
            first = error.errors()[0]
            raise Misuse(
                f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}", hint="rig/gate/README.md"
            ) from None
        except (ValueError, RecursionError) as error:
            raise Misuse(f"{path} is no TOML: {' '.join(str(error).split())}") from None

    def tolerates(self, kind: str, path: str, phase: str) -> float:
        """The largest rate of boards that need a hand there."""
        return self.phases.get(kind, {}).get(path, {}).get(phase, self.tolerated)

    def upper(self) -> Bound:
        """The bound that it asks for: of failures and cuts."""
        if self.bound == "planned":
            return partial(clopper_pearson_upper, confidence=self.confidence)
        return partial(e_value_upper, confidence=self.confidence, prior=Prior(*self.prior))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return self.model_dump(mode="json")

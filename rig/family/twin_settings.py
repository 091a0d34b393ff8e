"""What is told of any twin that is served, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSettings:
    """One twin, as people name it: its folder, its control port, its pace, and the firmware it knows.

    `control` is `unix:PATH` or `HOST:PORT`, which wants the token in `token_file`; None is a socket in `state`. All
    other ports are on `host`. `seed` draws what a power cut leaves, `manifest` is None for the rig's own.
    """

    state: Path
    control: str | None = None
    token_file: Path | None = None
    host: str = "127.0.0.1"
    time_scale: float = 1.0
    powered: bool = True
    seed: int = 0
    manifest: Path | None = None

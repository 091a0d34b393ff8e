"""The option that says whether a twin begins with its supply on."""

from __future__ import annotations

import enum


class Power(enum.StrEnum):
    """Whether the board begins with its supply on."""

    on = "on"
    off = "off"

"""What the timing of every kind of board has in common."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rig.errors import Misdescribed

#: Added to every deadline: what the host, the network and the relay may take.
MARGIN_SECONDS = 2.0


def number_of(tags: Mapping[str, str], name: str, default: str) -> float:
    """A tag's number, which is at least 0. Raises Misdescribed."""
    text = tags.get(name, default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise Misdescribed(f"the tag {name}={text} is no number of at least 0")
    return number

"""What every HTTP server of the rig's tells aiohttp: how long clients may be silent, and how much they may say."""

from __future__ import annotations

import logging
from typing import Any

from rig.limits import Limits

#: A line of a request's head, in bytes: no client's is longer, whatever its path says.
LONGEST_FIELD = 4096
#: What one connection too many is told.
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def http_settings(limits: Limits, longest_field: int = LONGEST_FIELD) -> dict[str, Any]:
    """Arguments for aiohttp's connections; what a client sends is not unpacked, for a little may become a lot."""
    return {
        "access_log": None,
        "auto_decompress": False,
        "keepalive_timeout": limits.idle,
        "lingering_time": 1.0,
        "max_line_size": longest_field,
        "max_field_size": longest_field,
    }


def silenced(server: str) -> logging.Logger:
    """A log for aiohttp that is not kept: what clients send is no trouble of ours, and may hold a token."""
    quiet = logging.getLogger(f"{server}.http")
    quiet.setLevel(logging.CRITICAL)
    return quiet

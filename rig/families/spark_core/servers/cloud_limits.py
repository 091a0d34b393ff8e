"""What a Spark cloud allows Cores and those who ask it over HTTP."""

from __future__ import annotations

from rig.limits import KIB, MIB, Limits

#: 200 Cores, each with a connection that died beside the one that lives, and as many strangers as knock within the 30
#: seconds that a step of the handshake may take.
DEVICES = Limits(2048, 640, 2 * MIB, 64 * KIB, 30.0)
#: Streams of events, and some who ask beside them. A body is an image and its form.
API = Limits(128, 512 * KIB, 64 * MIB, 64 * KIB, 15.0)

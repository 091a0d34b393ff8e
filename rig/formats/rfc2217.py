"""What serial ports over telnet (RFC 2217) ask and tell beside what pyserial knows of."""

from __future__ import annotations

#: What a server calls itself: asked for, and told.
SIGNATURE, SERVER_SIGNATURE = b"\x00", b"\x64"
#: What the server of a twin calls itself. It is a word of the server's, as ser2net has one: a chip never says it.
TWIN_SIGNATURE = b"rig twin"

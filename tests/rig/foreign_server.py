"""Somebody else's server where a cloud's control port is to be: it says one line to each who asks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stranger(folder: Path, *lines: bytes) -> Iterator[str]:
    """While inside, whoever asks is told these lines, and waited for; yields the address."""

    def serve() -> None:
        with contextlib.suppress(OSError):  # the socket is closed when nobody will ask any more
            while True:
                peer, _ = listening.accept()
                with peer, contextlib.suppress(OSError):
                    peer.recv(1 << 16)
                    peer.sendall(b"".join(line + b"\n" for line in lines))
                    peer.recv(1 << 16)

    path = folder / "stranger.sock"
    with socket.create_server(str(path), family=socket.AF_UNIX) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield f"unix:{path}"

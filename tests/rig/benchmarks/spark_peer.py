"""The least that updates a Core, to measure a cloud against: one blocking socket, no checks, nothing told.

`python spark_peer.py SERVER_KEY CORE_KEYS` prints `{"port": …}`, then answers JSON lines: `{"do": "online", "core": …}`
and `{"do": "flash", "core": …, "image": FILE, "chunk_size": …, "fast": …}`. Any other peer speaks the same.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from rig.families.spark_core.formats.coap import Code, Message, Type, path
from rig.families.spark_core.formats.handshake import BLOCK_SIZE, Credentials, answer, read_introduction
from rig.families.spark_core.formats.messages import UpdateBegin, chunk_options


class Peer:
    """Serves one Core at a time."""

    def __init__(self, key_file: str, core_keys: str):
        self.key = serialization.load_pem_private_key(Path(key_file).read_bytes(), None)
        self.core_keys = Path(core_keys)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.online = False
        self.mid = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            self.sock = self.listener.accept()[0]
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.file = self.sock.makefile("rb")
            self.sock.sendall(os.urandom(40))
            told = read_introduction(self.key, self.file.read(BLOCK_SIZE))
            core_key = self.core_keys / f"{told.core_id.hex()}.pub.pem"
            if not core_key.exists():
                self.sock.close()
                continue
            credentials = Credentials(os.urandom(40))
            public = serialization.load_pem_public_key(core_key.read_bytes())
            self.sealer, self.opener = credentials.sealer(), credentials.opener()
            self.sock.sendall(answer(self.key, public, credentials))
            self.heard()
            self.say(Type.NON, Code.POST, path(b"h"))
            self.online = True

    def say(self, kind, code, options=(), payload=None) -> tuple[int, bytes]:
        self.mid = self.mid % 0xFFFF + 1
        token = bytes([self.mid % 255 + 1])
        self.sock.sendall(self.sealer.seal(Message(kind, code, self.mid, token, options, payload).pack()))
        return self.mid, token

    def heard(self) -> Message:
        length = int.from_bytes(self.file.read(2), "big")
        return Message.parse(self.opener.open(self.file.read(length)))

    def answered(self, token: bytes) -> None:
        while self.heard().token != token:
            pass

    def flash(self, image: bytes, chunk_size: int, fast: bool) -> float:
        self.online = False
        began = time.monotonic()
        chunks = [image[at : at + chunk_size].ljust(chunk_size, b"\0") for at in range(0, len(image), chunk_size)]
        begin = UpdateBegin(len(image), chunk_size, fast).pack()
        self.answered(self.say(Type.CON, Code.POST, path(b"u"), begin)[1])
        for at, chunk in enumerate(chunks):
            options = chunk_options(chunk, at if fast else None)
            _, token = self.say(Type.CON, Code.POST, options, chunk)
            if not fast:
                self.answered(token)
        mid, _ = self.say(Type.CON, Code.PUT, path(b"u"))
        while self.heard().mid != mid:
            pass
        return time.monotonic() - began


def main() -> None:
    peer = Peer(*sys.argv[1:])
    print(json.dumps({"port": peer.listener.getsockname()[1]}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "online":
            told = {"online": peer.online}
        else:
            image = Path(asked["image"]).read_bytes()
            told = {"ok": True, "transfer_seconds": peer.flash(image, asked["chunk_size"], asked["fast"])}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()

"""Giving a Core a network over its serial console, as its owner does (reference §5.1)."""

from __future__ import annotations

import re
import time

from rig.clock import Clock, Deadline, poll
from rig.drivers.console import ConsoleRecorder
from rig.errors import DeviceFault

#: The console is looked at four times a second, and saving takes seven.
ANSWER_SECONDS, SAVING_SECONDS = 3.0, 10.0
UNSECURED, WPA2 = b"0", b"3"
CORE_ID = re.compile(rb"Your (?:core|device) id is\s+(\w+)")


def read_core_id(console: ConsoleRecorder, *, board: str, seconds: float) -> str:
    """The id a Core in listening mode tells. Raises DeviceFault."""
    _connected(console, board, seconds)
    since = time.monotonic_ns()
    console.write(b"i")
    if not _says(console, CORE_ID.pattern + rb"\r\n", since):
        raise DeviceFault("does not tell its id", board=board, phase="provision")
    said = b"".join(entry.data for entry in console.entries if entry.at_ns >= since)
    match = CORE_ID.search(said)
    assert match is not None
    return match[1].decode()


def give_network(console: ConsoleRecorder, ssid: str, password: str, *, board: str, seconds: float) -> None:
    """Bring a Core in listening mode, that has its console within `seconds`, into a network. Raises DeviceFault."""
    _connected(console, board, seconds)
    since = time.monotonic_ns()
    console.write(b"w")
    dialogue = [
        (rb"SSID: $", ssid.encode() + b"\r"),
        (rb"WPA2: $", WPA2 if password else UNSECURED),
        *([(rb"Password: $", password.encode() + b"\r")] if password else []),
    ]
    for prompt, typed in dialogue:
        if not _says(console, prompt, since):
            raise DeviceFault(f"does not ask for {prompt.decode().strip('$ :')}", board=board, phase="provision")
        since = time.monotonic_ns()
        console.write(typed)
    deadline = Deadline(SAVING_SECONDS, Clock())
    while console.connected and deadline.left():
        console.wait_for_more(console.size, 0.2)
    if console.connected:
        raise DeviceFault("stays in listening mode", board=board, phase="provision", hint="was the network saved?")


def _says(console: ConsoleRecorder, pattern: bytes, since_ns: int) -> bool:
    """Whether a pattern comes in time for an answer, which a busy machine has more of."""
    deadline = Deadline(ANSWER_SECONDS, Clock())
    while left := deadline.left():
        if console.wait_for(pattern, seconds=left, since_ns=since_ns) is not None:
            return True
    return False


def _connected(console: ConsoleRecorder, board: str, seconds: float) -> None:
    if not poll(lambda: console.connected, seconds=seconds, clock=Clock()):
        raise DeviceFault("shows no console", board=board, phase="provision", hint="is it in listening mode?")

"""The serial console of a Core in listening mode: `i` tells its id, `w` asks for a network (reference §5.1).

It is looked at four times a second, and a dialogue that was begun blocks until it is over.
"""

from __future__ import annotations

import math
from collections.abc import Generator

from rig.families.spark_core.twin.steps import Board
from rig.twin.steps import Listen, Program, Step, Timer

POLL_SECONDS = 0.25
LONGEST_SSID, LONGEST_PASSWORD = 32, 64
SAVING_SECONDS = 7.0
UNSECURED = b"0"
_ENDS, _ERASES = b"\r\n", b"\b\x7f"

Typed = Generator[Step, bool, bytes]


def listen_for_credentials(board: Board) -> Program:
    """Serve the console until somebody has given a network's credentials."""
    while True:
        while not board.console.received:
            yield Listen(math.inf)
        yield Timer(POLL_SECONDS)
        letter = bytes(board.console.received[:1])
        del board.console.received[:1]
        if letter == b"i":
            board.console.say(b"Your core id is " + board.uid.hex().encode() + b"\r\n")
        elif letter == b"w":
            yield from _ask_for_network(board)
            return


def _ask_for_network(board: Board) -> Program:
    board.console.say(b"SSID: ")
    ssid = yield from _line(board, LONGEST_SSID)
    security = b""
    while security not in (b"0", b"1", b"2", b"3"):
        board.console.say(b"Security 0=unsecured, 1=WEP, 2=WPA, 3=WPA2: ")
        security = yield from _line(board, 1)
    if security != UNSECURED:
        board.console.say(b"Password: ")
        yield from _line(board, LONGEST_PASSWORD)
    board.console.say(b"Saving your credentials takes about 7 seconds.\r\n\r\n")
    yield Timer(SAVING_SECONDS)
    board.radio.add_profile(ssid.decode("latin-1"))
    board.console.say(b"Saved. The Core joins the network now.\r\n\r\nWelcome.\r\n")


def _line(board: Board, longest: int) -> Typed:
    """A line with echo and backspace; it ends on CR, on LF, or when it is as long as it may be."""
    line = bytearray()
    console = board.console
    while True:
        while not console.received:
            yield Listen(math.inf)
        letter = bytes(console.received[:1])
        del console.received[:1]
        if letter in (_ENDS[:1], _ENDS[1:]):
            break
        if letter in (_ERASES[:1], _ERASES[1:]):
            if line:
                del line[-1:]
                console.say(b"\b \b")
            continue
        line += letter
        console.say(letter)
        if len(line) >= longest:
            break
    console.say(b"\r\n")
    return bytes(line)

"""What runs on a pinboard: its bootloader, the reader that is there while its button is held, and its application."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol

from pinboard.formats import (
    APP,
    FLAG,
    FLASH_SIZE,
    REQUEST,
    REQUEST_SIZE,
    ROOM,
    SECTOR,
    STAGE,
    image_in,
    request,
    sectors,
    version_of,
)
from pinboard.memory import PinboardMemory
from rig.firmware.manifest import Image
from rig.twin.steps import Delay, Idle, Listen, Program, Reset, Timer, Work

#: From power-on until the bootloader looks around, and until an application crashes that does.
START_SECONDS, CRASH_SECONDS = 0.1, 0.1


class Board(Protocol):
    """What a program sees of the board it runs on."""

    memory: PinboardMemory
    button: bool
    running: str | None
    find: Callable[[bytes], Image | None]

    def say(self, line: str) -> None:
        """Send a line."""

    def next_line(self) -> str | None:
        """The next line that came whole; None while there is none."""


def bootloader(board: Board) -> Program:
    """Copy what was downloaded where that was asked for, and start what is there.

    It forgets what it was asked for before it has done so. A cut in the copy leaves half an image that nobody repairs.
    """
    yield Delay(START_SECONDS)
    board.say("boot")
    if board.button:
        yield from reader(board)
    flag = board.memory.flash.read(FLAG, REQUEST_SIZE)
    if flag[:4] == REQUEST:
        yield from forget(board)
        yield from copy(board, min(int.from_bytes(flag[4:], "little"), ROOM))
    image = image_in(board.memory.flash.read(APP, ROOM))
    if image is None:
        yield from conversation(board, lambda _words: iter(["empty"]))
    else:
        yield from application(board, image)


def forget(board: Board) -> Program:
    """Nothing is to be copied any more."""
    yield Work(board.memory.flash.programming(FLAG, bytes(len(REQUEST))))


def copy(board: Board, length: int) -> Program:
    """Copy so many bytes of what was downloaded over the application."""
    for number in range(sectors(length)):
        board.say(f"copy {number + 1}/{sectors(length)}")
        offset = number * SECTOR
        yield from rewrite(board, APP + offset, board.memory.flash.read(STAGE + offset, SECTOR))


def rewrite(board: Board, address: int, data: bytes) -> Program:
    """Erase a sector that is not blank, and write what is to be there."""
    flash = board.memory.flash
    if flash.read(address, SECTOR) != b"\xff" * SECTOR:
        yield Work(flash.erasing(address))
    yield Work(flash.programming(address, data + b"\xff" * (-len(data) % flash.unit)))


def application(board: Board, image: bytes) -> Program:
    """Say what it is, and take updates: a sector at a time, and then what asks the bootloader to copy them."""
    known = board.find(image)
    runs = known.runs if known is not None else "ok"
    if runs == "crashes":
        yield Timer(CRASH_SECONDS)
        yield Reset()
    if runs == "hangs":
        yield Idle()
    board.running = version_of(image)

    def does(words: list[str]) -> Iterator[str | Program]:
        match words:
            case ["hello"]:
                yield f"app {board.running}"
            case ["data", offset, data]:
                yield rewrite(board, *_sector(offset, data, STAGE, STAGE + ROOM))
                yield f"stored {offset}"
            case ["commit", length]:
                size = int(length, 16)
                if image_in(board.memory.flash.read(STAGE, ROOM)[:size]) is None:
                    raise ValueError("no image was downloaded")
                yield f"committing {length}"
                yield ask_for_copy(board, size)

    yield from conversation(board, does)


def ask_for_copy(board: Board, length: int) -> Program:
    """Write down what is to be copied, its length first, and start anew."""
    flash, asked = board.memory.flash, request(length)
    if flash.read(FLAG, REQUEST_SIZE) != b"\xff" * REQUEST_SIZE:
        yield Work(flash.erasing(FLAG))
    yield Work(flash.programming(FLAG + 4, asked[4:]))
    yield Work(flash.programming(FLAG, asked[:4]))
    yield Reset()


def reader(board: Board) -> Program:
    """Let somebody read flash, and write it; nothing is changed by itself."""

    def does(words: list[str]) -> Iterator[str | Program]:
        match words:
            case ["hello"]:
                yield "reader"
            case ["read", address, length]:
                at, _ = _sector(address, "", 0, FLASH_SIZE)
                yield f"read {address} {board.memory.flash.read(at, min(int(length, 16), SECTOR)).hex()}"
            case ["write", address, *data]:
                yield rewrite(board, *_sector(address, "".join(data), 0, FLASH_SIZE))
                yield f"written {address}"

    yield from conversation(board, does)


def conversation(board: Board, does: Callable[[list[str]], Iterator[str | Program]]) -> Program:
    """Do what each line asks for that comes: `does` tells answers, and the work before them."""
    while True:
        line = board.next_line()
        if line is None:
            yield Listen(math.inf)
            continue
        try:
            for part in does(line.split()):
                if isinstance(part, str):
                    board.say(part)
                else:
                    yield from part
        except ValueError:
            board.say("error")


def _sector(address: str, data: str, begin: int, end: int) -> tuple[int, bytes]:
    """Where a sector is, counted from `begin`, and what goes there. Raises ValueError for what is none."""
    at, content = begin + int(address, 16), bytes.fromhex(data)
    if not begin <= at <= end - SECTOR or at % SECTOR or len(content) > SECTOR:
        raise ValueError(f"{address} is no sector")
    return at, content

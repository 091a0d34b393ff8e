"""Checks of the virtual relay: channels, and boards that are being dialled, each with a planted fault."""

from __future__ import annotations

import asyncio
import json
import socket

from rig.control.address import TcpAddress, UnixAddress
from rig.twin.relay import Relay, Wire


def a_relay_channel_moves_its_own_line(tmp_path):
    told = []
    relay = Relay([Wire("power", TcpAddress(host, 1)) for host in "ab"])
    relay._send = lambda wire, request: told.append((wire.address.host, request["on"]))
    relay.switch(1, False)
    assert told == [("b", False)]
    assert relay.closed == [True, False]


def what_a_board_is_told_while_it_is_dialled_arrives_in_order(tmp_path):
    address = UnixAddress(tmp_path / "control.sock")
    relay = Relay([Wire("power", address), Wire("reset", address)])

    async def switch():
        for channel, closed in ((0, False), (1, True), (1, False), (0, True)):
            relay.switch(channel, closed)
        await relay.settled()
        relay.close()

    with socket.socket(socket.AF_UNIX) as board:
        board.bind(str(address.path))
        board.listen()
        asyncio.run(switch())
        with board.accept()[0].makefile() as came:
            lines = [json.loads(line) for line in came]
    assert [list(each.values()) for each in lines] == [
        ["power", False],
        ["reset", True],
        ["reset", False],
        ["power", True],
    ], "the board heard something else than the relay was told"

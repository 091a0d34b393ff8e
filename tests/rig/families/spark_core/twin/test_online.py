"""A Core that is online, in memory: what keeps its connection, what ends it, and what its button does meanwhile."""

from __future__ import annotations

import pytest

from rig.families.spark_core.formats.coap import Code, Type
from rig.families.spark_core.twin.app.hang_up import HangUp
from rig.twin.tcp import Link
from tests.rig.families.spark_core.twin.checks_online import Talk, online_core


def test_a_silent_server_is_pinged_after_fifteen_seconds_and_left_after_ten_more():
    talk = Talk("0.2.1")
    assert talk.pass_time(14.9) == []
    (ping,) = talk.pass_time(0.2)
    assert (ping.type, ping.code) == (Type.CON, Code.EMPTY)
    assert talk.pass_time(9.8) == []
    with pytest.raises(HangUp):
        talk.pass_time(0.3)


def test_nothing_is_pinged_while_an_update_is_under_way():
    talk = Talk("0.2.1")
    talk.begin()
    told = [message for _ in range(9) for message in talk.pass_time(3)]
    assert {message.path for message in told} == {b"c"}, "it asks for its chunk, and for nothing else"


def test_a_server_that_says_nothing_in_a_handshake_is_waited_for_twenty_seconds():
    board, orders = online_core()
    board.network("data", bytes(40), board.time)
    board.advance(board.time + 19.9)
    assert "handshake:-1" not in [event.name for event in board.events]
    board.advance(board.time + 0.2)
    assert "handshake:-1" in [event.name for event in board.events]
    assert board.radio.link is Link.OPEN, "it shakes hands again on the same connection"
    board.advance(board.time + 21)
    assert "close" in [order for order, _ in orders], "its ping was not answered for ten seconds"


#: MODE held for so many seconds while the application runs: whether it listens, and whether it still knows its network.
HELD = {2.9: (False, True), 3.5: (True, True), 10.5: (True, False)}


@pytest.mark.parametrize("seconds", HELD)
def test_mode_held_while_online_makes_the_core_listen_and_then_forget(seconds):
    board, _ = online_core()
    board.press_mode(True, board.time)
    board.advance(board.time + seconds)
    board.press_mode(False, board.time)
    board.advance(board.time + 21)  # a handshake that waits for its server is in the way for so long
    assert (board.console.open, bool(board.radio.eeprom.profiles)) == HELD[seconds]


def test_a_server_that_cannot_be_reached_twice_resets_the_radio():
    board, orders = online_core()
    for _ in range(3):
        board.network("lost", b"", board.time)
        while board.radio.link is not Link.CONNECTING:
            assert board.step()
    assert [order for order, _ in orders].count("connect") == 4

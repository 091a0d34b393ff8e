"""A device learns the time by SNTP, over real UDP: the true one, or what a test wants it to believe."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.formats import sntp
from rig.servers.time_server import TimeServer
from rig.twin.network import Routes
from rig.twin.network_time import NetworkTime
from tests.rig.waiting import HANGS

#: The count of NTP begins anew in 2036, and what lies before 1968 is taken for what comes then (RFC 4330 §3).
ERA = st.floats(0, 4e9)


@given(ERA, st.floats(0, 2e9))
def test_a_reply_tells_the_time_and_whose_question_it_answers(now, asked_at):
    answer = sntp.reply(sntp.request(asked_at), now)
    assert sntp.read_reply(answer) == pytest.approx(now, abs=1e-6)
    assert answer[24:32] == sntp.request(asked_at)[40:48]


@given(st.binary(max_size=100))
def test_what_is_no_packet_is_neither_answered_nor_believed(data):
    answer = sntp.reply(data, 1.0)
    assert (answer is not None) == (len(data) >= 48 and data[0] & 7 == 3)
    told = sntp.read_reply(data)
    assert told is None or (len(data) >= 48 and data[0] & 7 == 4 and data[1] != 0)


async def learned(server: TimeServer, port: int, address: str) -> float:
    device = NetworkTime(Routes(named={"pool.ntp.org": ("127.0.0.1", port)}), address)
    try:
        told = device()
        for _ in range(200):
            if (now := told()) is not None:
                return now
            await asyncio.sleep(0.01)
        raise AssertionError("nobody answered")
    finally:
        device.close()


def test_one_client_can_be_told_another_time_than_all_others():
    async def ask() -> list[float]:
        server = TimeServer()
        port = await server.start("127.0.0.1", 0)
        server.set("127.0.88.1", 0.0)
        server.set("127.0.88.2", 2_500_000_000.0)
        told = [await learned(server, port, f"127.0.88.{last}") for last in (1, 2, 3)]
        server.set("127.0.88.1", None)
        told.append(await learned(server, port, "127.0.88.1"))
        await server.close()
        return told

    in_1970, in_2049, here, again = asyncio.run(ask())
    assert (round(in_1970), round(in_2049)) == (0, 2_500_000_000)
    assert here == pytest.approx(time.time(), abs=5)
    assert again == pytest.approx(time.time(), abs=5)


def test_without_a_server_for_the_time_it_is_the_true_one():
    assert NetworkTime(Routes(), None)()() == pytest.approx(time.time(), abs=1)


class SlowTimeServer(TimeServer):
    """Answers the first question, with a time of 1970, when the next is asked; and that one only a while later."""

    held: tuple[bytes, tuple[str, int]] | None = None

    def datagram_received(self, data, addr):
        if self.held is None:
            self.held = data, addr
            return
        self._transport.sendto(sntp.reply(self.held[0], 0.0), self.held[1])
        asyncio.get_running_loop().call_later(0.2, super().datagram_received, data, addr)


def test_an_answer_from_before_a_restart_is_nobodys():
    async def ask():
        server = SlowTimeServer()
        port = await server.start("127.0.0.1", 0)
        device = NetworkTime(Routes(named={"pool.ntp.org": ("127.0.0.1", port)}), None)
        device()()  # asked, and then the supply fails
        while server.held is None:
            await asyncio.sleep(0.01)
        told = device()
        while (now := told()) is None:
            await asyncio.sleep(0.01)
        device.close()
        await server.close()
        return now

    now = asyncio.run(asyncio.wait_for(ask(), HANGS))
    assert now > 1_000_000_000, "it took the answer to a question of another life"

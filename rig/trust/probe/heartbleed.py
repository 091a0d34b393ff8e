"""Whether an endpoint leaks its memory by heartbeats (CVE-2014-0160): asked harmlessly, of whoever takes any hello.

Why it is harmless is said at `rig.formats.tls_heartbeat`. It is for endpoints that somebody named, and for no others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from rig.formats.tls_heartbeat import Heartbeats, HeartbeatTest
from rig.formats.tls_old_hello import OLDER, SHORT, SHORT_AND_OLDER, SSL_3, WIDE, Hello
from rig.formats.tls_records import Malformed
from rig.ports import format_address
from rig.trust.look.busy_aware_timeout import BusyAwareTimeout
from rig.trust.look.dialling import connect, sni_name
from rig.trust.look.refusal import Refusal

#: How long a server may be silent to two heartbeats.
ANSWER_SECONDS = 3.0
#: Hellos for whoever answers none before them, all of a step at once; whether for who did not mind the version.
STEPS = (((WIDE,), False), (SHORT, True), (OLDER, False), (SHORT_AND_OLDER, True))
#: Of several answers the worst counts.
_WORST = (Heartbeats.VULNERABLE, Heartbeats.SILENT, Heartbeats.CORRECT, Heartbeats.NONE)
Said = Heartbeats | Refusal


async def heartbeats(
    address: tuple[str, int], name: str | None, *, seconds: float = 10.0, answer_seconds: float = ANSWER_SECONDS
) -> Heartbeats:
    """What the endpoint at `address` (host name or IP address, port) makes of heartbeats, dialled as `name`, and then
    without one: the worst of both.

    Each hello may take `seconds`, and there are more of them where the first is not answered (`STEPS`): who is silent
    to all of them takes four times as long. Raises Refusal
    where none was answered up to the question, which is no verdict; Misuse for what cannot be dialled. `is_of_version`
    tells whether that was for the versions alone.
    """
    dialled, ask = sni_name(name), _Asking(address, seconds, answer_seconds)
    said = await ask.until_answered(dialled)
    if dialled is not None and said is not Heartbeats.VULNERABLE:
        # Who comes without a name may meet another server, and an older one.
        other = await ask.until_answered(None)
        if other is Heartbeats.VULNERABLE or not isinstance(said, Refusal):
            said = _worst([said, other])
    if isinstance(said, Refusal):
        raise said
    return said


def is_of_version(refusal: Refusal) -> bool:
    """Whether a server said that it takes no version we offer: if it takes TLS 1.3, it has no heartbeats to leak by."""
    return refusal.alert is not None and refusal.alert.name == "protocol_version"


def _is_silent(refusals: Sequence[Refusal]) -> bool:
    """Whether somebody waited in vain."""
    return any(one.kind == "timeout" for one in refusals)


def _worst(said: Sequence[Said]) -> Said:
    """Of verdicts the worst; what this machine had no time for is none, and a refusal only where all refuse."""
    lost = [one for one in said if isinstance(one, Refusal) and one.kind == "busy"]
    verdicts = [one for one in _WORST if one in said]
    if verdicts and (not lost or verdicts[0] in (Heartbeats.VULNERABLE, Heartbeats.SILENT)):
        return verdicts[0]
    refusals = [*lost, *(one for one in said if isinstance(one, Refusal))]
    return next((one for one in refusals if not is_of_version(one)), refusals[0])


class _Asking:
    """Asks one endpoint, a connection for each hello."""

    def __init__(self, address: tuple[str, int], seconds: float, answer_seconds: float):
        self._address, self._seconds, self._answer_seconds = address, seconds, answer_seconds
        self._where = format_address(*address)

    async def until_answered(self, name: str | None) -> Said:
        """Step by step; a refusal for something else than the version where there is one.

        Who was silent is asked at once all that is left: he is waited for twice, and not once a step.
        """
        refusals: list[Refusal] = []
        steps = list(STEPS)
        while steps:
            step, keeps_version = steps.pop(0)
            if keeps_version and all(map(is_of_version, refusals)):
                continue
            if _is_silent(refusals):
                step, steps = (*step, *(hello for more, _ in steps for hello in more)), []
            said = await self.all_of(step, name)
            # That there is no SSL 3.0 is told by an alert of suites.
            told_why = (one for hello, one in zip(step, said, strict=True) if hello.version != SSL_3)
            refusals += [one for one in told_why if isinstance(one, Refusal)]
            if not all(isinstance(one, Refusal) for one in said):
                return _worst(said)
            if not any(one.is_answered or one.kind == "timeout" for one in refusals):
                break
        return _worst(refusals)

    async def all_of(self, hellos: Sequence[Hello], name: str | None) -> Sequence[Said]:
        """What is said to each, all at once."""
        return await asyncio.gather(*(self._one(hello, name) for hello in hellos))

    async def _one(self, hello: Hello, name: str | None) -> Said:
        test, timeout = HeartbeatTest(name, os.urandom(96), hello), BusyAwareTimeout(self._seconds)
        try:
            async with timeout:
                await self._talk(test)
        except TimeoutError:
            if timeout.is_lost:
                return Refusal("busy", f"{self._where} was not asked for heartbeats: this machine is too busy")
            test.ended()
            if test.verdict is None:
                return Refusal("timeout", f"{self._where} did not come to heartbeats in {self._seconds:g} s")
        except Malformed as error:
            return Refusal("not TLS", f"{self._where} answered a hello with what is no TLS: {error}")
        except Refusal as refusal:
            return refusal
        if test.alert is not None:
            return Refusal("alert", f"{self._where} refused a hello with heartbeats: {test.alert}", test.alert)
        if test.verdict is None:
            return Refusal("closed", f"{self._where} hung up before it was asked for a heartbeat")
        return test.verdict

    async def _talk(self, test: HeartbeatTest) -> None:
        """Until it is over, or the server is. Raises Refusal, Malformed, TimeoutError."""
        reader, writer = await connect(self._address)
        try:
            while not test.is_over:
                if sent := test.to_send():
                    writer.write(sent)
                data = await self._read(reader, is_asking=test.is_asking)
                if not data:
                    test.ended()
                    return
                test.feed(data)
        except OSError:
            test.ended()
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, *, is_asking: bool) -> bytes:
        """What comes next; nothing when the server hung up, or is silent to the question for too long."""
        if not is_asking:
            return await reader.read(16384)
        try:
            async with BusyAwareTimeout(self._answer_seconds):
                return await reader.read(16384)
        except TimeoutError:
            return b""

"""Ways to tell somebody of an alert: a webhook, a command. One alert at a time; queues and retries are not here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Protocol

from rig.errors import LabFault
from rig.trust.watch.config import Command, Webhook
from rig.trust.watch.memory import Alert

if TYPE_CHECKING:
    from aiohttp import ClientSession

#: What is kept of a command's complaints.
MOST_SAID = 4096


class Undelivered(LabFault):
    """Nobody took the alert, or nobody said so."""


class Channel(Protocol):
    """One receiver."""

    @property
    def name(self) -> str:
        """What it is called in the config."""

    async def send(self, alert: Alert) -> None:
        """Tell of an alert; back when the receiver has taken it. Raises Undelivered."""

    async def close(self) -> None:
        """Hang up."""


def channel(plan: Webhook | Command) -> Channel:
    """The channel of a config's table. Raises Misuse for an environment variable that is not set."""
    return WebhookChannel(plan) if isinstance(plan, Webhook) else CommandChannel(plan)


class WebhookChannel:
    """POSTs each alert as JSON; any answer from 200 to 299 says that it was taken. Redirections are not followed."""

    def __init__(self, plan: Webhook):
        self.name = plan.name
        self._url, self._headers = plan.address()
        self._timeout = plan.timeout
        self._session: ClientSession | None = None

    async def send(self, alert: Alert) -> None:
        """Tell of an alert. Raises Undelivered; neither the URL nor a header is in its text."""
        import aiohttp

        if self._session is None:
            limits = aiohttp.ClientTimeout(total=self._timeout)
            self._session = aiohttp.ClientSession(timeout=limits, headers=self._headers)
        headers = {"Content-Type": "application/json", "Idempotency-Key": alert.alert}
        content = alert.model_dump_json().encode()
        try:
            async with self._session.post(self._url, data=content, headers=headers, allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    raise Undelivered(f"{self.name} answered {answer.status}")
        except TimeoutError:
            raise Undelivered(f"{self.name} did not answer in {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Undelivered(f"{self.name} cannot be told: {type(error).__name__}") from None

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class CommandChannel:
    """Starts the command for each alert, with its JSON on standard input; no shell reads it."""

    def __init__(self, plan: Command):
        self.name = plan.name
        self._argv, self._timeout = plan.argv, plan.timeout

    async def send(self, alert: Alert) -> None:
        """Tell of an alert. Raises Undelivered for any exit status but 0, and where it takes too long."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=pipe, stdout=nothing, stderr=pipe, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise Undelivered(f"{self.name} cannot be started: {error}") from None
        try:
            async with asyncio.timeout(self._timeout):
                said = await self._hand_over(process, alert.model_dump_json().encode() + b"\n")
        except TimeoutError:
            raise Undelivered(f"{self.name} did not end in {self._timeout:g} s") from None
        finally:
            # Whatever it started and left behind goes with it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode != 0:
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise Undelivered(f"{self.name} ended with {process.returncode}{': ' + last[0] if last else ''}")

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _hand_over(self, process: asyncio.subprocess.Process, content: bytes) -> bytes:
        """Feed it, and read the end of what it says until it ends."""
        assert process.stdin is not None
        assert process.stderr is not None
        with contextlib.suppress(OSError):  # it need not read it
            process.stdin.write(content)
            process.stdin.close()
        said = b""
        while more := await process.stderr.read(MOST_SAID):
            said = (said + more)[-MOST_SAID:]
        await process.wait()
        return said

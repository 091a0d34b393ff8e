"""The worker processes of the nginxes on a server, and whether those of before a reload still take connections."""

from __future__ import annotations

from rig.clock import Clock, Deadline
from rig.errors import LabFault
from rig.trust.remote.session import Session

#: What tells a worker, and the parent of every process, as `file:line`. A server without /proc tells nothing.
LOOK = "grep -saH -e '^nginx: worker process' -e '^PPid:' /proc/[0-9]*/cmdline /proc/[0-9]*/status"
LEAVING = "is shutting down"
EVERY_SECONDS = 0.02


class Workers:
    """Who of a server's nginxes takes connections, as a `session` there sees it."""

    def __init__(self, session: Session, clock: Clock):
        self._session, self._clock = session, clock

    def taking(self) -> dict[int, int]:
        """Each worker that takes new connections, with its master: process ids. Empty where the server tells none."""
        workers, parents = set[int](), dict[int, int]()
        for line in self._session.run(["sh", "-c", LOOK]).out.splitlines():
            file, _, text = line.partition(":")
            pid = int(file.split("/")[2])
            if text.startswith("PPid:"):
                parents[pid] = int(text.removeprefix("PPid:"))
            elif LEAVING not in text:
                workers.add(pid)
        return {pid: parents[pid] for pid in workers if pid in parents}

    def staying(self, before: dict[int, int]) -> list[int]:
        """Who of `before` takes connections still, though the same master has younger workers."""
        now = self.taking()
        reloaded = {master for pid, master in now.items() if pid not in before}
        return sorted(pid for pid, master in now.items() if pid in before and master in reloaded)

    def await_relieved(self, before: dict[int, int], seconds: float) -> None:
        """Wait until nobody of `before` stays. Raises LabFault after `seconds` that says who does."""
        deadline = Deadline(seconds, self._clock)
        while staying := self.staying(before):
            if not deadline.left():
                raise LabFault(f"after {seconds:.0f} s {described(staying)} still")
            self._clock.sleep(EVERY_SECONDS)


def described(staying: list[int]) -> str:
    """Workers of before, for people."""
    if len(staying) == 1:
        return f"a worker of before (process {staying[0]}) takes connections"
    return f"workers of before (processes {', '.join(map(str, staying))}) take connections"

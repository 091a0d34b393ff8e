"""Faults that a Spark cloud has when it is told to: what real servers and networks did to Cores in the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from rig.errors import Misuse
from rig.servers.fault_list import FaultList

ChunkFault = Literal["stall", "duplicate", "drop", "corrupt", "second-begin", "early-done"]
HandshakeFault = Literal["silent-accept", "close-after-handshake", "wrong-signature", "wrong-key"]
CHUNK_FAULTS: tuple[str, ...] = get_args(ChunkFault)
HANDSHAKE_FAULTS: tuple[str, ...] = get_args(HandshakeFault)


@dataclass(slots=True)
class Fault:
    """What is to go wrong: at chunk `chunk` of an update (the first is 0), or at a handshake; `times` times.

    Stall waits `seconds` before the chunk; second-begin and early-done come after it. Without `core` it meets any.
    """

    kind: str
    core: str | None = None
    chunk: int = 0
    seconds: float = 4.0
    times: int = 1

    @classmethod
    def parse(cls, text: str) -> Fault:
        """From `KIND[@CHUNK][*TIMES][:SECONDS]`, such as `stall@3:4` or `wrong-signature*2`. Raises Misuse."""
        rest, _, seconds = text.partition(":")
        rest, _, times = rest.partition("*")
        kind, _, chunk = rest.partition("@")
        try:
            fault = cls(kind, None, int(chunk or 0), float(seconds or 4.0), int(times or 1))
        except ValueError:
            raise Misuse(f"fault {text!r} is not KIND[@CHUNK][*TIMES][:SECONDS]") from None
        fault.check()
        return fault

    def check(self) -> None:
        """Raises Misuse for a fault that cannot be."""
        if self.kind not in (*CHUNK_FAULTS, *HANDSHAKE_FAULTS):
            raise Misuse(
                f"no fault is called {self.kind!r}", hint=f"one of {', '.join((*CHUNK_FAULTS, *HANDSHAKE_FAULTS))}"
            )
        if self.kind == "silent-accept" and self.core is not None:
            raise Misuse("silent-accept meets whoever connects next: nobody has said who they are by then")
        if self.kind in HANDSHAKE_FAULTS and self.chunk:
            raise Misuse(f"fault {self.kind} happens at a handshake, which has no chunk {self.chunk}")
        if self.chunk < 0 or self.times < 1 or not 0 <= self.seconds <= 3600:
            raise Misuse(f"fault {self.kind}: chunk, times or seconds make no sense")


class Faults(FaultList[Fault]):
    """Those that are still to happen."""

    def clear(self, core: str | None = None) -> None:
        """Let nothing more go wrong, with one Core or with any."""
        self._drop(lambda fault: core is None or fault.core == core)

    def take(self, kind: str, core: str | None = None, chunk: int = 0) -> Fault | None:
        """The fault of this kind that is to happen now, counted down; None when none is."""
        for fault in self._waiting:
            if fault.kind == kind and fault.core in (None, core) and fault.chunk == chunk:
                return self._count(fault)
        return None

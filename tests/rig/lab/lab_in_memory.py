"""A lab in memory: places at a coordinator, their boards, and what is done to the contacts of these."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from rig.errors import LabFault, Unreachable
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.drivers.usb_port import DFU
from rig.lab import acquisition, held_places
from rig.lab.holder import Holder
from rig.lab.place_wait import PlaceWait

ME = Holder.this_process()
#: A process that had our number before us.
DEAD = replace(ME, started="1")


def raises(kind, act):
    try:
        act()
    except kind:
        return True
    return False


class Line:
    """A contact of a relay board."""

    def __init__(self, name, closed, log):
        self.name, self.closed, self._log = name, closed, log

    def set(self, closed):
        self.closed = closed
        self._log.append((self.name, closed))

    def get(self):
        return self.closed

    def on(self):
        self.set(True)

    def off(self):
        self.set(False)


def core_as_left(*, powered=False, pressed=("mode", "reset")):
    """A Core as somebody left it, and what is done to it from now on."""
    log = []
    mode, reset = (Line(name, name in pressed, log) for name in ("mode", "reset"))
    relay = Line("power", powered, log)
    usb = SimpleNamespace(identity=lambda: DFU if relay.closed else None)
    clock = SimpleNamespace(now=lambda: 0.0, sleep=lambda _seconds: None)
    return SparkCore("core-01", relay=relay, mode=mode, reset=reset, usb=usb, clock=clock), log


class Coordinator:
    """Places in memory; those of another's are `acquired` by somebody, with whatever `allowed` says."""

    identity = "host/me"

    def __init__(self, address, **places):
        self.address = f"{address}:1"
        self._places = {name.replace("_", "-"): SimpleNamespace(**{**BLANK, **how}) for name, how in places.items()}
        for name, place in self._places.items():
            place.name = name
        self.gone = set()

    def client(self, place, words):
        return f"`labgrid-client -p {place} {words}`"

    def places(self):
        return self._places

    def lacks(self, name):
        return "gone/*" if name in self.gone else None

    def exporters_of(self, name):
        return {name}

    def acquire(self, name):
        if self._places[name].acquired:
            raise LabFault("is acquired")
        self._places[name].acquired = self.identity

    def allow(self, name, user):
        self._places[name].allowed = [user]

    def release(self, name, holder=None):
        if self._places[name].acquired == (holder or self.identity):
            self._places[name].acquired, self._places[name].allowed = None, []

    def tag(self, name, **tags):
        self._places[name].tags = {**self._places[name].tags, **tags}

    def cancel_reservation(self, _token):
        """Nothing is reserved."""


BLANK = {"tags": {"board": "spark-core", "health": "ok"}, "reservation": None, "comment": "", "changed": 0.0}
FREE = {"acquired": None, "allowed": []}
LEFT = {"acquired": "host/me", "allowed": [DEAD.mark]}
BY_HAND = {"acquired": "host/me", "allowed": []}


class Boards(acquisition.Boards):
    """Boards in memory at a coordinator in memory; `broken` are those whose relay does not answer."""

    def __init__(self, coordinator, *, wait_seconds=0.0, **how):
        super().__init__("nowhere:1", "none", **how)
        self._coordinator = coordinator
        self._hold = held_places.HeldPlaces(coordinator, "none", self._hold.run)
        self._place_wait = PlaceWait(self._hold, wait_seconds, self._notifier)
        self._hold.build = self._build
        self.cores, self.logs = {}, {}
        self.broken = set()
        for name in coordinator.places():
            self.cores[name], self.logs[name] = core_as_left()

    def _build(self, name):
        core = self.cores[name]
        if name in self.broken:
            core.relay.get = core.relay.off = core.relay.on = lambda: (_ for _ in ()).throw(Unreachable("no answer"))
        self._hold._boards[name] = (core, SimpleNamespace(cleanup=lambda: None))
        return core


def two_places(folder, **second):
    return Coordinator(folder, core_01=dict(FREE), core_02=second or dict(FREE))

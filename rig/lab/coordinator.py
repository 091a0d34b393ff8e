"""Talking to a labgrid coordinator: places, tags, acquiring and releasing, on labgrid's own client session."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import grpc
from labgrid.remote.client import ClientSession, Error, ensure_event_loop, start_session
from labgrid.remote.generated import labgrid_coordinator_pb2 as pb

from rig.errors import LabFault, Misuse, Unreachable
from rig.firmware.checkout import DEFAULT_COORDINATOR
from rig.ports import read_address

#: How long an answer may take: the coordinator waits 10 s for an exporter that hangs, and answers nobody meanwhile.
_ANSWER_SECONDS = 15.0
#: How long acquiring and releasing may: it waits so for each resource of a place. A request that is given up while it
#: waits leaves the place acquired by nobody who could release it.
_EXPORTER_SECONDS = 90.0


def coordinator_address(chosen: str | None) -> str:
    """Where the coordinator is: as somebody chose it, else as LG_COORDINATOR says, else where labgrid looks.

    Raises Misuse for what is not HOST:PORT; a variable that is set and empty is a mistake, too.
    """
    what, text = (
        ("--coordinator", chosen) if chosen is not None else ("LG_COORDINATOR", os.environ.get("LG_COORDINATOR"))
    )
    if text is None:
        return DEFAULT_COORDINATOR
    if not text:
        raise Misuse(f"{what} is empty, and no HOST:PORT", hint=f"for example {DEFAULT_COORDINATOR}")
    read_address(text, what, DEFAULT_COORDINATOR)
    return text


class Coordinator:
    """A session with the coordinator at `address` (`host:port`). Use as a context manager."""

    def __init__(self, address: str):
        self.address = address
        self._session: ClientSession | None = None

    def __enter__(self) -> Coordinator:
        noisy = logging.getLogger().level
        logging.getLogger().setLevel(logging.CRITICAL)
        loop = ensure_event_loop()
        asyncio.set_event_loop(loop)  # gRPC asks for the current one, and whoever used asyncio.run left none
        try:
            self._session = start_session(self.address, loop=loop)
        except (Error, OSError) as error:
            raise Unreachable(
                f"no labgrid coordinator answers at {self.address}",
                hint="start one with `rig up`, or set LG_COORDINATOR",
            ) from error
        finally:
            logging.getLogger().setLevel(noisy)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.session.loop.run_until_complete(self.session.stop())
        self.session.loop.run_until_complete(self.session.close())
        self._session = None

    @property
    def session(self) -> ClientSession:
        """labgrid's session. Raises Misuse outside of the context."""
        if self._session is None:
            raise Misuse("the coordinator session is not open")
        return self._session

    @property
    def identity(self) -> str:
        """Whom places name that we have acquired: `host/user`."""
        return f"{self.session.gethostname()}/{self.session.getuser()}"

    def client(self, place: str, words: str) -> str:
        """The command of labgrid that does something to a place here, for people to paste."""
        return f"`labgrid-client -x {self.address} -p {place} {words}`"

    def places(self) -> dict[str, Any]:
        """All places by name, as the coordinator knows them now."""
        self._call(None)
        return dict(self.session.places)

    def resources_of(self, group: str) -> set[str]:
        """Names of the available resources that exporters offer in `group`."""
        self._call(None)
        return {path[3] for path in self._available() if path[1] == group}

    def exporters_of(self, name: str) -> set[str]:
        """Which exporters offer what a place matches, as far as is known now."""
        place = self.session.places[name]
        return {path[0] for path in self._available() if place.hasmatch(path)}

    def lacks(self, name: str) -> str | None:
        """What a place matches and no exporter offers now; None for a place that has everything."""
        self._call(None)
        return self.missing_now(name)

    def missing_now(self, name: str) -> str | None:
        """The same, as far as is known already."""
        place = self.session.places.get(name)
        match = place.unmatched(self._available()) if place is not None else None
        return str(match) if match is not None else None

    def offered_to(self, name: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """Resources that a place matches, by name, as far as is known now: class, and what its exporter tells of it."""
        place, offered = self.session.places[name], self.session.resources
        paths = [path for path in self._available() if place.hasmatch(path)]
        found = {path: offered[path[0]][path[1]][path[3]] for path in paths}
        return {place.getmatch(path).rename or path[3]: (entry.cls, entry.args) for path, entry in found.items()}

    def _available(self) -> list[tuple[str, str, str, str]]:
        """Exporter, group, class and name of each resource that is there."""
        return [
            (exporter, group, resource.cls, name)
            for exporter, groups in self.session.resources.items()
            for group, resources in groups.items()
            for name, resource in resources.items()
            if resource.data.get("avail")  # one whose exporter has just gone is empty
        ]

    def add_places(self, places: Mapping[str, Mapping[str, str]], exporter: str) -> None:
        """Make places by name with their tags; each matches the group of its name that an exporter offers."""

        async def add(stub: Any) -> None:
            for name, tags in places.items():
                await stub.AddPlace(pb.AddPlaceRequest(name=name))
                pattern = f"{exporter}/{name}/*"
                await stub.AddPlaceMatch(pb.AddPlaceMatchRequest(placename=name, pattern=pattern))
                await stub.SetPlaceTags(pb.SetPlaceTagsRequest(placename=name, tags=tags))

        self._call(add, seconds=_ANSWER_SECONDS * max(len(places), 1))

    def tag(self, name: str, **tags: str) -> None:
        """Set tags of a place; an empty value takes a tag away."""
        self._call(lambda stub: stub.SetPlaceTags(pb.SetPlaceTagsRequest(placename=name, tags=tags)), board=name)

    def acquire(self, name: str) -> None:
        """Acquire a place. Raises Misuse for one that does not exist, LabFault when somebody else has it.

        Raises Unreachable where its exporter does not hand its resources out.
        """
        place = self.places().get(name)
        if place is None:
            raise Misuse(f"no place is called {name!r}", hint=f"there are {', '.join(sorted(self.places())) or 'none'}")
        if place.acquired:
            hint = f"{self.client(name, 'release -k')} takes it away"
            raise LabFault(f"is acquired by {place.acquired}", board=name, hint=hint)
        request = pb.AcquirePlaceRequest(placename=name)
        try:
            self._call(lambda stub: stub.AcquirePlace(request), board=name, seconds=_EXPORTER_SECONDS)
        except LabFault as error:
            if "acquire resources" in error.message:
                hint = "is its exporter alive?"
                raise Unreachable("its exporter does not hand its resources out", board=name, hint=hint) from error
            raise

    def allow(self, name: str, user: str) -> None:
        """Let another user work with a place that we acquired, until it is released."""
        self._call(lambda stub: stub.AllowPlace(pb.AllowPlaceRequest(placename=name, user=user)), board=name)

    def release(self, name: str, holder: str | None = None) -> None:
        """Release a place that we acquired, or `holder` did; one that somebody else has by now stays theirs."""
        request = pb.ReleasePlaceRequest(placename=name, fromuser=holder or self.identity)
        try:
            self._call(lambda stub: stub.ReleasePlace(request), board=name, seconds=_EXPORTER_SECONDS)
        except LabFault as error:
            error.hint = f"by hand: {self.client(name, 'release -k')}"
            raise

    def reserve(self, tags: Mapping[str, str]) -> str:
        """Queue for a place with all of `tags`; returns the reservation's token."""
        wanted = {"main": pb.Reservation.Filter(filter=dict(tags))}
        reply = self._call(lambda stub: stub.CreateReservation(pb.CreateReservationRequest(filters=wanted, prio=0.0)))
        return str(reply.reservation.token)

    def poll_reservation(self, token: str) -> str | None:
        """The place a reservation has been given, None while it waits; keeps it alive. Raises LabFault when gone."""
        reply = self._call(lambda stub: stub.PollReservation(pb.PollReservationRequest(token=token)))
        given = reply.reservation.allocations.get("main")
        return str(given) if given else None

    def cancel_reservation(self, token: str) -> None:
        """Leave the queue. Raises LabFault for a reservation that is gone."""
        self._call(lambda stub: stub.CancelReservation(pb.CancelReservationRequest(token=token)))

    def _call(
        self, request: Callable[[Any], Any] | None, *, board: str | None = None, seconds: float = _ANSWER_SECONDS
    ) -> Any:
        """Send a request, which may take `seconds`, and let the session catch up; returns the reply."""

        async def call() -> tuple[bool, Any]:
            reply = await asyncio.wait_for(request(self.session.stub), seconds) if request is not None else None
            return bool(await asyncio.wait_for(self.session.sync_with_coordinator(), _ANSWER_SECONDS)), reply

        reply = None
        try:
            alive, reply = self.session.loop.run_until_complete(call())
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise Unreachable(f"the coordinator at {self.address} went away", board=board) from error
            raise LabFault(f"coordinator: {error.details()}", board=board) from error
        except TimeoutError:
            alive = False
        if not alive:
            raise Unreachable(f"the coordinator at {self.address} went away", board=board)
        return reply

"""Another identity for an nginx on another machine: tested before it is live, looked at afterwards, undone by itself.

What a swap is on disk, and why it is one rename, is `rig.trust.remote.releases`'s; how the files that nginx names come
to lead there, `rig.trust.remote.live_files`'s; what clients then see, `rig.trust.remote.shown_chain`'s; and that
nobody is left who shows them something else, `rig.trust.remote.workers`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rig.clock import Clock
from rig.errors import LabFault, Misuse, RigError
from rig.ports import format_address
from rig.trust.identity import Identity
from rig.trust.remote.judgement import judge, refuse_fewer_names
from rig.trust.remote.live_files import LiveFiles
from rig.trust.remote.plan import NginxPlan
from rig.trust.remote.rehearsal import complaint, rehearse
from rig.trust.remote.releases import Releases
from rig.trust.remote.session import Session
from rig.trust.remote.shown_chain import Chain, await_chain, fingerprint, look_once, title
from rig.trust.remote.workers import Workers, described

#: What is served now is looked at for so long before anything is changed.
SETTLED_SECONDS = 5.0
#: A shell's exit status for a command that is not there.
NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done or found, for people; nothing secret is in it."""

    what: str
    text: str


class SwapFailed(LabFault):
    """A swap that did not come about; `is_rolled_back` says whether clients meet the former identity again."""

    def __init__(self, message: str, *, is_rolled_back: bool, hint: str | None = None):
        super().__init__(message, hint=hint)
        self.is_rolled_back = is_rolled_back


class RemoteNginx:
    """An nginx as `plan` describes it, through a `session` on its machine; `on_step` gets each step when it is done.

    Call it where no asyncio loop runs: looking at what is served needs one of its own.
    """

    def __init__(
        self,
        session: Session,
        plan: NginxPlan,
        *,
        on_step: Callable[[Step], None] = lambda _step: None,
        clock: Clock | None = None,
    ):
        self._session, self._plan, self._clock = session, plan, clock or Clock()
        self._listener = on_step
        self._releases = Releases(session, plan.live_chain)
        self._live = LiveFiles(session, self._releases, plan.live_chain, plan.live_key)
        self._workers = Workers(session, self._clock)

    def shown(self) -> str:
        """The SHA-256 of the leaf that a client sees, hexadecimal. Raises LabFault where none is shown."""
        return fingerprint(look_once(self._plan.endpoints[0], self._plan.names[0]))

    def look(self, identity: Identity | None = None, *, accepted: Sequence[str] = ()) -> None:
        """All that can be found out without changing anything. Raises what a swap would raise before it begins."""
        pending = self._releases.pending()
        if pending is not None:
            self._report("found", f"a swap from {pending[0]} to {pending[1]} that the next one would end first")
            return
        if self._live.is_half_way():
            self._report("found", "half a first swap, which the next one would undo first")
        former = self._settled()
        if identity is not None:
            refuse_fewer_names(former[0], identity.leaf, accepted)
        if not self._live.is_adopted():
            self._report("plain files", f"the live files would become links into {self._releases.folder}")

    def swap(self, identity: Identity, *, accepted: Sequence[str] = ()) -> str:
        """Show another identity at every address; returns the fingerprint of the former one.

        Raises Misuse for an identity that is refused and SwapFailed for one that could not be shown; then, and when
        this call dies at any point, the former one stays or comes back, by itself or by the next call.
        """
        judge(identity, self._plan, accepted)
        self._report("judged", f"{title(identity.chain)}: its key fits, and it has no flaw that is not accepted")
        with self._alone():
            self._recover()
            former = self._settled()
            if former == identity.chain:
                self._report("nothing to do", "this chain is live already")
                return fingerprint(former)
            refuse_fewer_names(former[0], identity.leaf, accepted)
            self._adopt()
            release = self._releases.add(identity, self._live.rights())
            self._report("uploaded", f"chain and key as {release}, beside the live ones, for the same readers")
            self._rehearse(release, "it")
            self._go_live(release, identity.chain)
        return fingerprint(former)

    def restore(self) -> str:
        """Show the identity before this one again; returns the fingerprint of the one shown until now.

        It is not judged: whoever calls this wants back what was. Raises Misuse where none is kept, else like `swap`.
        """
        if self._session.kind(self._releases.folder) is None:
            raise Misuse("no former identity is kept on the server", hint="it is kept from the first swap on")
        with self._alone():
            self._recover()
            release = self._releases.linked("former")
            if release is None:
                raise Misuse("no former identity is kept on the server", hint="it is kept from the first swap on")
            former = self._settled()
            self._go_live(release, self._releases.chain(release))
        return fingerprint(former)

    # -- the swap ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While nobody else swaps there; the server itself lets go of us when we die. What fails leaves nothing."""
        self._releases.prepare()
        lock = f"{self._releases.folder}/lock"
        held = 'umask 077; exec flock -n "$0" sh -c "echo held; exec cat"'  # or anybody might hold it
        with self._session.held(["sh", "-c", held, lock]) as is_held:
            if not is_held:
                hint = "wait for it to end; the server needs `flock`, of util-linux"
                raise LabFault(f"somebody else swaps here now, or {lock} cannot be locked", hint=hint)
            try:
                yield
            except BaseException:
                with suppress(LabFault):  # then the next call does it
                    self._tidy()
                raise

    def _settled(self) -> Chain:
        """The live chain, once it is sure that it is what clients see and that nginx takes its configuration."""
        chain = self._live.chain()
        self._live.is_adopted()
        self._live.rights()
        self._test("the configuration was broken before anything was changed")
        try:
            self._await(chain, SETTLED_SECONDS)
        except LabFault as error:
            hint = f"is {self._plan.live_chain} what this nginx serves, and was it reloaded?"
            raise LabFault(f"what is served is not what lies on the server: {error.message}", hint=hint) from error
        self._report("looked", f"live is {title(chain)}, and it is served at {self._where}")
        return chain

    def _adopt(self) -> None:
        """Have the live files lead to a release of the same content, which nginx has loaded before they do."""
        if self._live.is_adopted():
            return
        release = self._live.copy()
        self._rehearse(release, "a copy of what is live")
        try:
            self._live.lead_to(release)
            self._test("the whole configuration does not take links to what was live")
        except BaseException:
            with suppress(LabFault):
                self._live.put_back()
            raise
        self._report("adopted", f"the live files are links to {release}, a copy of them for the same readers")

    def _rehearse(self, release: str, what: str) -> None:
        """See that nginx loads a pair alone; the whole configuration is tested when the link has been renamed.

        It is reloaded only then.
        """
        wrong = rehearse(self._session, self._plan.nginx, self._releases.path(release))
        if wrong is not None:
            raise SwapFailed(f"the server's nginx does not take {what}: {wrong}", is_rolled_back=True)
        self._report("rehearsed", f"the server's own nginx loads chain and key of {release}")

    def _go_live(self, release: str, chain: Chain) -> None:
        former = self._releases.linked("current")
        if former is None:
            raise LabFault(f"{self._releases.folder} has no `current`", hint="somebody took it away")
        self._releases.begin(former, release)
        try:
            self._releases.point("current", release)
            self._report("renamed", f"current is {release}")
            self._change_over(chain)
        except BaseException as error:
            self._roll_back(former, error)
            raise SwapFailed(f"{_error_text(error)}; rolled back, all is as it was", is_rolled_back=True) from error
        self._settle(former)

    def _change_over(self, chain: Chain) -> None:
        """Have nginx serve what is current, and see that clients meet this chain: what was meant, not what arrived."""
        self._test("the whole configuration does not take it")
        before = self._workers.taking()  # who is younger has read the new files
        self._reload()
        self._await(chain, self._plan.seconds)
        self._await_relieved(before)
        self._report("verified", f"every handshake at {self._where} shows exactly this chain")

    def _settle(self, former: str) -> None:
        """The new one is served: keep the former, and nothing older."""
        self._releases.point("former", former)
        self._releases.end()
        self._releases.prune()
        self._report("kept", f"{former}, to be restored")

    def _roll_back(self, former: str, why: BaseException) -> None:
        self._report("failed", _error_text(why))
        try:
            self._releases.point("current", former)
            before = self._workers.taking()
            with suppress(LabFault):  # whether it was needed, and worked, is what clients meet
                self._reload()
            self._await(self._releases.chain(former), self._plan.seconds)
            self._await_relieved(before)
            self._releases.end()
            self._tidy()
        except BaseException as error:
            text = f"{_error_text(why)}; and rolling back failed: {_error_text(error)}"
            hint = "the same command again ends this; the former identity is kept on the server"
            raise SwapFailed(text, is_rolled_back=False, hint=hint) from why
        self._report("rolled back", f"the identity of {former} is served at {self._where}")

    def _recover(self) -> None:
        """End what a call that died was at: forward when it is live already and holds, else back."""
        pending = self._releases.pending()
        if pending is None:
            self._tidy()
            return
        former, release = pending
        self._report("found", f"a swap from {former} to {release} that nobody ended")
        if self._releases.linked("current") == release:
            try:
                self._change_over(self._releases.chain(release))
            except RigError as error:
                self._roll_back(former, error)
            else:
                self._settle(former)
        else:
            self._roll_back(former, LabFault("it had not been renamed yet"))

    def _tidy(self) -> None:
        """What no swap is at any more: the files of a first one that did not come about are plain again."""
        if self._releases.pending() is not None:
            return
        if self._live.is_half_way():
            self._live.put_back()
            self._report("put back", "the live files are plain ones again, as before the first swap")
        self._releases.prune()

    def _report(self, what: str, text: str) -> None:
        with suppress(OSError):  # who listens may be gone; what is half done is still to be undone
            self._listener(Step(what, text))

    # -- nginx ---------------------------------------------------------------------------------------------------------

    def _test(self, what: str) -> None:
        done = self._session.run([*self._plan.nginx, "-t"])
        if done.status == NOT_FOUND:
            raise Misuse(f"the server finds no {self._plan.nginx[0]}", hint="--nginx /usr/sbin/nginx, or with sudo -n")
        if done.status:
            raise LabFault(f"{what}: {complaint(done.err)}")
        self._report("tested", "nginx takes the whole configuration")

    def _reload(self) -> None:
        done = self._session.run(self._plan.reload or [*self._plan.nginx, "-s", "reload"])
        if done.status:
            raise LabFault(f"the reload failed: {complaint(done.err or done.out)}")
        self._report("reloaded", "downloads that run go on in the old workers")

    def _await(self, chain: Chain, seconds: float) -> None:
        await_chain(self._plan.endpoints, self._plan.names, chain, seconds=seconds, clock=self._clock)

    def _await_relieved(self, before: dict[int, int]) -> None:
        staying = self._workers.staying(before)
        if staying:
            self._report("waiting", f"{described(staying)} until the reload is heard of")
            self._workers.await_relieved(before, self._plan.seconds)

    @property
    def _where(self) -> str:
        return ", ".join(format_address(host, port) for host, port in self._plan.endpoints)


def _error_text(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    return error.message if isinstance(error, RigError) else type(error).__name__

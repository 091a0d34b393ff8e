"""Swaps at a remote nginx that die on the way: wherever that is, the server is whole, and the next call ends it."""

from __future__ import annotations

from itertools import count

import pytest

from rig.errors import LabFault
from rig.trust.identity import Identity
from rig.trust.remote import shown_chain
from rig.trust.remote.live_files import LiveFiles
from rig.trust.remote.nginx import RemoteNginx, SwapFailed
from rig.trust.remote.releases import Releases
from tests.rig.trust.remote.checks_nginx import der, is_as_before, links, plain_files, refused, store
from tests.rig.trust.remote.nginx_lab import HOST, nginx_lab


@pytest.fixture
def lab(tmp_path):
    with nginx_lab(tmp_path) as running:
        yield running


class Dying:
    """A session that is cut off before the first call that `sees` says yes to: nothing comes through from then on."""

    def __init__(self, session, sees):
        self._session, self._sees, self.is_dead = session, sees, False

    def __getattr__(self, name):
        def call(*args, **how):
            self.is_dead = self.is_dead or self._sees(name, " ".join(map(str, args)))
            if self.is_dead:
                raise LabFault("the line is dead")
            return getattr(self._session, name)(*args, **how)

        return call


#: Where a call dies, and whether the next one goes forward.
DEATHS = {
    "when the first file was copied": (lambda do, what: do == "run" and "'cp'" in what and "key.pem" in what, False),
    "before the copies are rehearsed": (lambda do, what: do == "run" and "'-c', '" in what and "0001" in what, False),
    "with none of the live files a link": (lambda do, what: do == "link" and f"{HOST}.pem /" in what, False),
    "with one live file a link": (lambda do, what: do == "link" and f"{HOST}.key" in what, False),
    "before the key comes": (lambda do, what: do == "put" and "/key.pem" in what, False),
    "between key and chain": (lambda do, what: do == "put" and "/chain.pem" in what, False),
    "before its note": (lambda do, what: do == "rename" and what.endswith("/swap"), False),
    "between note and rename": (lambda do, what: do == "link" and "current" in what and "0002" in what, False),
    "between rename and test": (lambda do, what: do == "run" and "'-s'" in what, True),
    "after the reload": (lambda do, what: do == "link" and "former" in what, True),
    "before the note is taken away": (lambda do, what: do == "remove" and what.endswith("/swap"), True),
}


@pytest.mark.parametrize("case", DEATHS)
def test_what_a_call_that_died_was_at_is_ended_by_the_next(lab, case):
    sees, goes_forward = DEATHS[case]
    new, other = lab.issue(), lab.issue()
    with lab.session() as session:
        dying = Dying(session, sees)
        error = refused(lambda: RemoteNginx(dying, lab.plan()).swap(new))
    assert dying.is_dead, "it did not come to that"
    assert error is not None
    Identity.load(*lab.live())  # a restart would find a key that fits
    lab.command("reload")
    with lab.remote() as remote:
        former = remote.swap(other)
    assert former == (new if goes_forward else lab.first[HOST]).fingerprint
    assert lab.leaf() == der(other)
    assert store(lab) == {"lock", "current", "former", *links(lab).values()}


@pytest.mark.long
def test_wherever_calls_die_one_after_another_the_live_pair_is_whole(lab, monkeypatch):
    """Each call is cut off one step later than the one before it, and has first to end what that one was at."""
    monkeypatch.setattr(shown_chain, "IN_A_ROW", 1)
    known, died = [lab.first[HOST].fingerprint], True
    with lab.session() as session:
        for last in count(1):
            steps = count(1)
            dying = Dying(session, lambda _do, _what, steps=steps, last=last: next(steps) >= last)
            new = lab.issue()
            known.append(new.fingerprint)
            died = refused(lambda: RemoteNginx(dying, lab.plan()).swap(new)) is not None  # noqa: B023
            assert Identity.load(*lab.live()).fingerprint in known
            lab.command("reload")
            if not died:
                break
    assert last > 30
    assert lab.leaf() == der(new)
    assert store(lab) == {"lock", "current", "former", *links(lab).values()}


HALF_ADOPTED = ("with none of the live files a link", "with one live file a link", "before the key comes")


@pytest.mark.parametrize("case", HALF_ADOPTED)
def test_half_an_adoption_is_undone_by_the_next_call_whatever_else_that_one_does(lab, case):
    before = plain_files(lab)
    with lab.session() as session:
        assert refused(lambda: RemoteNginx(Dying(session, DEATHS[case][0]), lab.plan()).swap(lab.issue()))
    with lab.remote(nginx=["false"]) as remote:
        assert "broken before anything was changed" in str(refused(lambda: remote.swap(lab.issue())))
    assert plain_files(lab) == before
    assert is_as_before(lab)


def live_files(session, lab) -> LiveFiles:
    chain, key = map(str, lab.live())
    return LiveFiles(session, Releases(session, chain), chain, key)


def test_wherever_putting_files_back_dies_the_next_call_ends_it(lab):
    before, is_dead = plain_files(lab), True
    with lab.session() as session:
        live = live_files(session, lab)
        Releases(session, str(lab.live()[0])).prepare()
        for last in count(1):
            live.lead_to(live.copy())
            steps = count(1)
            dying = Dying(session, lambda _do, _what, steps=steps, last=last: next(steps) >= last)
            is_dead = refused(live_files(dying, lab).put_back) is not None
            Identity.load(*lab.live())
            live.put_back()
            assert plain_files(lab) == before, f"cut off after {last} steps"
            assert not live.is_half_way()
            if not is_dead:
                break
    assert last > 15


def test_a_line_that_breaks_leaves_a_note_and_the_next_call_ends_it(lab):
    """The server's side of the session is killed by what was to be a reload."""
    with lab.remote(reload=["sh", "-c", "kill -9 $PPID"]) as remote:
        error = refused(lambda: remote.swap(lab.issue()))
    assert isinstance(error, SwapFailed)
    assert not error.is_rolled_back
    assert "the same command again ends this" in error.hint
    assert (lab.releases() / "swap").exists()
    with lab.remote() as remote:
        remote.swap(new := lab.issue())
    assert lab.leaf() == der(new)
    assert store(lab) == {"lock", "current", "former", *links(lab).values()}


def test_who_listened_to_the_steps_may_be_gone(lab):
    def gone(_step):
        raise BrokenPipeError

    with lab.session() as session:
        error = refused(
            lambda: RemoteNginx(session, lab.plan(reload=["true"], seconds=0.5), on_step=gone).swap(lab.issue())
        )
    assert isinstance(error, SwapFailed)
    assert error.is_rolled_back
    assert is_as_before(lab)

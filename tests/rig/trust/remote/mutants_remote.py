"""Planted faults of looking at what is served, of swaps at a remote nginx, and of the contract of all endpoints."""

from __future__ import annotations

from rig.families.spark_core.servers import cloud
from rig.families.spark_core.trust import server_key
from rig.trust import identity
from rig.trust.authority import make_root
from rig.trust.look import served
from rig.trust.remote import live_files, nginx, releases, shown_chain, ssh, workers
from rig.trust.tls import endpoint
from tests.rig.servers.https import mutants_https
from tests.rig.trust import checks_endpoint as contract
from tests.rig.trust import checks_look as of_looks
from tests.rig.trust.endpoint_adapters import IMPLEMENTATIONS
from tests.rig.trust.remote import checks_nginx as of_nginx
from tests.rig.trust.remote.checks_nginx import on_nginx, on_nobodys_nginx

REAL_PUT, REAL_SERVED, REAL_SWAP = ssh.SshSession.put, served.Served, endpoint.Endpoint.swap


# -- looks, and a remote nginx -----------------------------------------------------------------------------------------


def _completed(*seen):
    return REAL_SERVED(*seen[:6])


def _as_it_should_be(peer, name, chain, *seen):
    """What stands behind the leaf, from the leaf up, and each once."""
    above = {one.subject: one for one in chain[1:]}
    path = [chain[0]]
    while path[-1].issuer in above:
        path.append(above.pop(path[-1].issuer))
    return REAL_SERVED(peer, name, tuple(path), *seen)


def _leaf_alone(seen, chain):
    return None if seen.chain[0] == chain[0] else "shows another"


def _certificates_alone(seen, chain):
    return None if seen.chain == chain else "shows another"


def _put_for_all(session, path, content, _mode):
    REAL_PUT(session, path, content, 0o644)


def _copy_for_its_owner(live, path, copied, _rights):
    live._session.run(["cp", "--", path, copied])
    live._session.run(["chmod", "600", copied])


def _link_at_once(remote):
    if not remote._live.is_adopted():
        remote._live.lead_to(remote._live.copy())


def _restart(remote):
    """How somebody might 'reload' who does not know better."""
    called, pid = " ".join(remote._plan.nginx), f"{remote._plan.nginx[2]}/nginx.pid"
    remote._session.run(["sh", "-c", f"{called} -s stop; while [ -e {pid} ]; do sleep 0.05; done; {called}"])


LOOKS = {
    "look: a handshake that broke off counts as a whole one": (
        lambda m: m.setattr(served, "Served", _completed),
        of_looks.certificates_without_their_key_are_not_what_was_swapped_in,
    ),
    "look: a chain is put in order": (
        lambda m: m.setattr(served, "Served", _as_it_should_be),
        of_looks.of_a_chain("the wrong way round"),
    ),
}
NGINX = {
    "remote nginx: nobody looks at what is served after a reload": (
        lambda m: m.setattr(nginx.RemoteNginx, "_await", lambda *_what: None),
        on_nginx(of_nginx.a_reload_that_did_nothing_is_noticed),
    ),
    "remote nginx: workers of before may still take connections": (
        lambda m: m.setattr(workers.Workers, "staying", lambda *_what: []),
        on_nginx(of_nginx.a_worker_of_before_is_waited_for),
    ),
    "remote nginx: it is restarted, not reloaded": (
        lambda m: m.setattr(nginx.RemoteNginx, "_reload", _restart),
        on_nginx(of_nginx.running_downloads_end_undisturbed),
    ),
    "remote nginx: nothing is rolled back": (
        lambda m: m.setattr(nginx.RemoteNginx, "_roll_back", lambda *_why: None),
        on_nginx(of_nginx.a_swap_that_failed_is_rolled_back),
    ),
    "remote nginx: a host key nobody knows is taken": (
        lambda m: m.setattr(ssh._Refusing, "missing_host_key", lambda *_whose: None),
        on_nginx(of_nginx.an_unknown_host_key_is_refused),
    ),
    "remote nginx: a key file is for everybody": (
        lambda m: m.setattr(ssh.SshSession, "put", _put_for_all),
        on_nginx(of_nginx.nobody_else_can_read_a_key),
    ),
    "remote nginx: what is uploaded is its owner's alone": (
        lambda m: m.setattr(ssh.SshSession, "give", lambda *_what: None),
        on_nobodys_nginx(of_nginx.who_read_a_key_still_does),
    ),
    "remote nginx: what takes a live file's place is its owner's alone": (
        lambda m: m.setattr(live_files.LiveFiles, "_copy", _copy_for_its_owner),
        on_nobodys_nginx(of_nginx.who_read_a_key_still_does),
    ),
    "remote nginx: nobody but its owner gets to a release": (
        lambda m: m.setattr(releases, "PASSABLE", 0o700),
        on_nobodys_nginx(of_nginx.who_read_a_key_still_does),
    ),
    "remote nginx: links stay when a first swap failed": (
        lambda m: m.setattr(live_files.LiveFiles, "put_back", lambda _live: None),
        on_nginx(of_nginx.a_first_swap_that_failed_leaves_the_files_as_they_were),
    ),
    "remote nginx: live files lead to a copy that nobody tried": (
        lambda m: m.setattr(nginx.RemoteNginx, "_adopt", _link_at_once),
        on_nginx(of_nginx.nothing_leads_to_a_copy_that_nginx_does_not_take),
    ),
    "remote nginx: a narrower certificate is as good": (
        lambda m: m.setattr(nginx, "refuse_fewer_names", lambda *_what: None),
        on_nginx(of_nginx.fewer_names_are_refused_unless_that_is_wanted),
    ),
    "remote nginx: only the leaf is compared": (
        lambda m: m.setattr(shown_chain, "difference", _leaf_alone),
        on_nginx(of_nginx.a_missing_intermediate_is_noticed),
    ),
    "remote nginx: nobody looks whether the handshake completed": (
        lambda m: m.setattr(shown_chain, "difference", _certificates_alone),
        of_looks.certificates_without_their_key_are_not_what_was_swapped_in,
    ),
}


# -- the contract of all endpoints -------------------------------------------------------------------------------------


def on(implementation, check):
    def checked(folder):
        with IMPLEMENTATIONS[implementation](folder) as adapter:
            check(adapter)

    return checked


def as_in(row):
    """The same fault, which another check notices, too."""
    plant, _ = mutants_https.MUTANTS[row]
    return plant


def _swap_all(served_by, shown, name=None, _client=None):
    former = served_by.host(name).identity
    for each in served_by.hosts:
        REAL_SWAP(served_by, shown, each)
    return former


def _take_any(_chain, _key):
    return make_root("Nobody").issue("nobody.rig.test")


def _swap_for_all(spark, key, _core_id=None):
    spark.key = key
    spark._own_keys.clear()


def _another_key(spark, core_id):
    spark.swap_key(server_key.make_server_key(), core_id)


CONTRACT = {
    "contract: an endpoint keeps showing the old chain": (
        as_in("endpoint: it keeps serving the old chain"),
        on("update server", contract.a_client_sees_what_is_shown_and_after_a_swap_the_new_one),
    ),
    "contract: a swap hangs up on everybody": (
        as_in("endpoint: a swap drops downloads that run"),
        on("update server", contract.what_runs_ends_undisturbed),
    ),
    "contract: sessions outlive a swap": (
        as_in("endpoint: it keeps sessions"),
        on("update server", contract.no_session_of_before_is_resumed),
    ),
    "contract: all hosts are swapped": (
        lambda m: m.setattr(endpoint.Endpoint, "swap", _swap_all),
        on("update server", contract.others_are_not_touched),
    ),
    "contract: nonsense is taken for something else": (
        lambda m: m.setattr(identity.Identity, "parse", _take_any),
        on("update server", contract.what_cannot_be_served_is_refused_and_changes_nothing),
    ),
    "contract: nobody notes handshakes": (
        lambda m: m.setattr(endpoint.Endpoint, "handshake_ended", lambda *_whose: None),
        on("update server", contract.each_handshake_leaves_a_record),
    ),
    "contract: a cloud swaps its key for everybody": (
        lambda m: m.setattr(cloud.SparkCloud, "swap_key", _swap_for_all),
        on("Spark cloud", contract.others_are_not_touched),
    ),
    "contract: a cloud goes back to a new key": (
        lambda m: m.setattr(cloud.SparkCloud, "restore_key", _another_key),
        on("Spark cloud", contract.going_back_restores_exactly),
    ),
}

MUTANTS = LOOKS | NGINX | CONTRACT

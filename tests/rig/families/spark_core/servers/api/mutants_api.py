"""Planted faults of the cloud's API for test_mutants: who may ask, whom they mean, what is told when."""

from __future__ import annotations

import re

from aiohttp import web

from rig import lock_file
from rig.control.web_pages import WebPages
from rig.families.spark_core.servers.api import events, server, token
from rig.families.spark_core.servers.api.connection import ApiConnection
from rig.families.spark_core.servers.api.devices import Devices
from rig.families.spark_core.servers.api.events import Streams
from rig.families.spark_core.servers.api.guard import Guard
from rig.families.spark_core.servers.api.token import AccessToken
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.formats import multipart
from tests.rig.families.spark_core.servers.api import checks_api as of_api
from tests.rig.families.spark_core.twin import checks_starts

REAL_FLASH = SparkCloud.flash
REAL_PART = multipart._read_part
REAL_MAKE = token.make_token
REAL_READ = events.read_event


async def _acknowledged_is_applied(self, *args, **how):
    told = await REAL_FLASH(self, *args, **how)
    return {**told, "ok": told["acknowledged"]}


def _hopeful_event(event):
    return REAL_READ({**event, "ok": event["acknowledged"]} if event["event"] == "updated" else event)


def _made_for_all(path):
    fresh = REAL_MAKE(path)
    path.chmod(0o644)
    return fresh


def _trimmed(chunk):
    part = REAL_PART(chunk)
    return multipart.Part(part.name, part.filename, part.content.strip())


def _by_looks(former, connections, now):
    return {each: former.get(each, now) for each in connections if each._current_request is None}


def _publish_to_clients_alone(self, name, data, *, public, ttl):
    self._cloud.bus.emit("published", None, name=name, data=data, public=public, ttl=ttl)
    return 0


MUTANTS = {
    "api: whoever is between two questions is idle": (
        lambda m: m.setattr(server, "silent_since", _by_looks),
        of_api.whoever_asks_again_and_again_is_not_silent,
    ),
    "api: any token will do": (
        lambda m: m.setattr(AccessToken, "matches", lambda self, said: True),
        of_api.nobody_asks_without_the_token,
    ),
    "api: the password is not looked at": (
        lambda m: m.setattr(AccessToken, "matches", lambda self, said: True),
        of_api.a_password_that_is_not_the_token_logs_nobody_in,
    ),
    "api: any Host will do": (
        lambda m: m.setattr(WebPages, "is_own", lambda self, host: True),
        of_api.a_name_that_leads_here_is_not_this_server,
    ),
    "api: web pages are answered": (
        lambda m: m.setattr(Guard, "refuse_pages", lambda self, request: None),
        of_api.a_web_page_is_not_answered,
    ),
    "api: a name means the first device": (
        lambda m: m.setattr(Devices, "find", lambda self, text: self.claimed()[0]),
        of_api.a_name_means_its_own_device,
    ),
    "api: a stream has everything": (
        lambda m: m.setattr(Streams, "_is_wanted", lambda self, event, prefix, core, firehose: True),
        of_api.a_stream_has_what_was_asked_for_and_no_more,
    ),
    "api: released devices are told of": (
        lambda m: m.setattr(Devices, "is_claimed", lambda self, core_id: True),
        of_api.a_released_device_is_nobodys,
    ),
    "api: an acknowledged update is told as finished": (
        lambda m: m.setattr(SparkCloud, "flash", _acknowledged_is_applied),
        of_api.an_update_succeeded_only_when_the_core_says_so,
    ),
    "api: an acknowledged update is told as a success": (
        lambda m: m.setattr(of_api, "read_event", _hopeful_event),
        of_api.what_a_core_only_acknowledged_is_a_failure,
    ),
    "api: anything is an image": (
        lambda m: m.setattr("rig.families.spark_core.formats.flash.plausible_first_word", lambda image: True),
        of_api.what_no_core_could_start_is_not_sent,
    ),
    "api: an event's name is written as it is": (
        lambda m: m.setattr(events, "_CONTROL", re.compile("(?!)")),
        of_api.nothing_in_an_event_begins_another,
    ),
    "api: who does not read is written to for ever": (
        lambda m: m.setattr(events, "MOST_QUEUED", 10**9),
        of_api.a_reader_that_does_not_read_is_hung_up_on,
    ),
    "api: everybody can read the token": (
        lambda m: m.setattr(token, "make_token", _made_for_all),
        of_api.the_token_is_its_owners,
    ),
    "api: what aiohttp refuses is plain text": (
        lambda m: m.setattr(ApiConnection, "finish_response", web.RequestHandler.finish_response),
        of_api.every_refusal_is_json,
    ),
    "api: two clouds take one token file": (
        lambda m: m.setattr(lock_file.fcntl, "flock", lambda *_: None),
        of_api.a_token_file_is_one_clouds,
    ),
    "api: two clouds make one token": (
        lambda m: m.setattr(lock_file.fcntl, "flock", lambda *_: None),
        checks_starts.of_two_clouds_that_make_one_token_one_has_it,
    ),
    "api: a file's ends are trimmed": (
        lambda m: m.setattr(multipart, "_read_part", _trimmed),
        of_api.a_file_arrives_as_it_was_sent,
    ),
    "api: Cores do not hear what is published": (
        lambda m: m.setattr(Streams, "publish", _publish_to_clients_alone),
        of_api.what_is_published_reaches_cores,
    ),
}

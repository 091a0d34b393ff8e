"""The plan file, what is made of it, and `rig trust timeline` as people run it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rig.cli.trust_timeline import timeline as command
from rig.errors import Misuse
from rig.ports import free_port
from rig.terminal import tables
from rig.trust.identity import pem
from rig.trust.look.refusal import Refusal
from rig.trust.timeline.lifetimes import Renewal, longest
from rig.trust.timeline.live import look
from rig.trust.timeline.picture import draw_timeline
from rig.trust.timeline.plan import Plan, read_plan
from rig.trust.timeline.schedule import Seen
from tests.rig.servers.https.https_lab import https_lab
from tests.rig.trust.timeline import checks_timeline
from tests.rig.trust.timeline.timeline_bench import HOST, day, device, found, library, pki, schedules, shows

EXAMPLE = Path(__file__).resolve().parents[4] / "firmware-fixtures" / "trust-plan.toml"
SHOWN = 'shows = [{ from = 2025-01-01, recipe = { under = "rig-intermediate" } }]'
ENDPOINT = f'[[endpoint]]\nhost = "{HOST}"\n'
LAMP = """
[[firmware]]
name = "lamp"
esp32 = { client = "https-ota", url = "https://ota.rig.test/app.bin", pins = ["rig-root"] }
"""
APP = typer.Typer()
APP.command()(command)

WRONG = {
    "no endpoint": ("endpoint = []", "endpoint: "),
    "not TOML": ("endpoint = [", "is not TOML"),
    "an unknown field": (f"{ENDPOINT}{SHOWN}\nhots = 1", "endpoint.0.hots: "),
    "no host": (f"[[endpoint]]\n{SHOWN}", "endpoint.0.host: "),
    "shows nothing": (f"{ENDPOINT}shows = []", "endpoint.0.shows: "),
    "no day": (f"{ENDPOINT}shows = [{{ recipe = {{}} }}]", "endpoint.0.shows.0: "),
    "no such day": (f'{ENDPOINT}shows = [{{ from = "2025-02-30", recipe = {{}} }}]', "endpoint.0.shows.0.from: "),
    "a recipe and a chain": (
        f'{ENDPOINT}shows = [{{ from = 2025-01-01, chain = "a.pem", recipe = {{}} }}]', "endpoint.0.shows.0: ",
    ),
    "a wrong recipe": (
        f"{ENDPOINT}shows = [{{ from = 2025-01-01, recipe = {{ days = -1 }} }}]", "endpoint.0.shows.0.recipe.days: ",
    ),
    "days in the wrong order": (
        f"{ENDPOINT}shows = [{{ from = 2025-01-02, recipe = {{}} }}, {{ from = 2025-01-01, recipe = {{}} }}]",
        "in the order of their days",
    ),
    "waits for renewals that nobody makes": (
        f'{ENDPOINT}shows = [{{ from = 2025-01-01, recipe = {{}} }}, '
        '{ from = 2025-02-01, takes_effect = "at-renewal", recipe = {} }]',
        "at-renewal needs",
    ),
    "renewed before it begins": (
        f'{ENDPOINT}{SHOWN}\nrenewal = {{ lifetime = "cab", before_end = 60 }}', "endpoint.0.renewal: ",
    ),
    "a life of no days": (
        f"{ENDPOINT}{SHOWN}\nrenewal = {{ lifetime = 0 }}", "endpoint.0.renewal.lifetime: needs days",
    ),
    "a life beyond all": (
        f"{ENDPOINT}{SHOWN}\nrenewal = {{ lifetime = 1e9 }}", "endpoint.0.renewal.lifetime: needs days",
    ),
    "released on no day": (f"{ENDPOINT}{SHOWN}\n{LAMP}released = 5", "firmware.0.released of 'lamp': 5 "),
    "authorities for a chain of a file": (
        f'{ENDPOINT}shows = [{{ chain = "a.pem" }}]\nrenewal = {{ issuer = ["rig-intermediate"] }}', "endpoint.0: ",
    ),
    "twice the same endpoint": (f"{ENDPOINT}{SHOWN}\n{ENDPOINT}{SHOWN}", "is there twice"),
    "firmware that asks nobody": (f'{ENDPOINT}{SHOWN}\n[[firmware]]\nname = "a"\nesp32 = {{}}', "firmware.0 of 'a': "),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_file_and_field(case, tmp_path):
    text, said = WRONG[case]
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(Misuse) as caught:
        read_plan(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


ELSEWHERE = {"name": "far", "esp32": {"client": "arduino", "url": "https://far.test/", "pins": ["rig-root"]}}
CANNOT = {
    "an authority nobody knows": ({"under": "nobody"}, {}, "no authority is called nobody"),
    "written off, and not there": ({}, {"written_off": ["gone"]}, "written_off names gone"),
    "a plan for other servers": ({"names": ["x.test"]}, {"firmware": [ELSEWHERE]}, "none of the servers"),
    "no firmware": ({}, {"firmware": []}, "no firmware"),
    "shipped, and of no manifest": (
        {},
        {"shipped": {"lamp-1.1": "2025-03-01"}},
        "shipped names lamp-1.1, and there is no",
    ),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_planned_is_said(case):
    recipe, more, said = CANNOT[case]
    endpoint = {"host": HOST, "shows": [shows("2025-01-01", **{"under": "rig-intermediate", **recipe})]}
    with pytest.raises(Misuse, match=said):
        found({"endpoint": [endpoint], "firmware": [device("rig-root")], **more})


def test_files_are_beside_the_plan_and_their_leaf_says_since_when(tmp_path):
    identity = pki().authority("rig-intermediate").issue(HOST, begins=day("2025-03-01"), life=timedelta(days=30))
    (tmp_path / "now.pem").write_bytes(identity.chain_pem)
    (tmp_path / "rig-root.pem").write_bytes(pem(pki().certificate("rig-root")))
    path = tmp_path / "plan.toml"
    path.write_text(f'pins = "."\n{ENDPOINT}renewal = {{ before_end = 10 }}\nshows = [{{ chain = "now.pem" }}]\n{LAMP}')
    plan = read_plan(path)
    (one,) = schedules([plan.endpoint[0].model_dump(by_alias=True)], "2025-05-01")
    assert [shown.begins for shown in one.shown] == [day(f"2025-{d}") for d in ("03-01", "03-21", "04-10", "04-30")]
    assert one.shown[0].chain == identity.chain
    told = found(plan.model_dump(by_alias=True), today="2025-03-02").to_dict()["firmware"][0]
    assert (told["now"], told["dark"]) == ("trusted", None)


#: Issued on a day: its most days (Baseline Requirements §6.3.2, ballot SC-081v3).
LIMITS = {
    "2019-01-01": 825,
    "2020-08-31": 825,
    "2020-09-01": 398,
    "2026-03-14": 398,
    "2026-03-15": 200,
    "2027-03-14": 200,
    "2027-03-15": 100,
    "2029-03-14": 100,
    "2029-03-15": 47,
    "2040-01-01": 47,
}


@pytest.mark.parametrize("issued", LIMITS)
def test_public_certificates_live_shorter_and_shorter(issued):
    assert longest(day(issued)) == timedelta(days=LIMITS[issued])
    assert Renewal(lifetime="cab").life(day(issued), timedelta(1)) == timedelta(days=LIMITS[issued])


@pytest.mark.parametrize("lifetime", [200, 100, 47])
def test_renewals_are_counted_as_they_are_planned(lifetime):
    renewal = {"lifetime": lifetime, "before_end": 17}
    endpoint = {"host": HOST, "renewal": renewal, "shows": [shows("2025-01-01", "rig-intermediate")]}
    dates = found({"endpoint": [endpoint], "firmware": [device("rig-root")]}, today="2025-01-02", until="2031-01-01")
    (told,) = dates.renewals()
    assert told["planned"] == told[str(lifetime)] == len(dates.schedules[0].renewals(day("2025-01-02")))
    assert told["47"] > told["100"] > told["200"]
    assert told["at_risk"] == []


def test_what_is_seen_takes_the_place_of_what_was_planned():
    seen = Seen(day("2026-01-01"), pki().authority("lets-encrypt-r10").issue(HOST, begins=day("2025-12-15")).chain)
    endpoint = {
        "host": HOST,
        "renewal": {"lifetime": 90, "before_end": 30},
        "shows": [shows("2025-01-01", "lets-encrypt-r3"), shows("2027-01-01", "rig-intermediate")],
    }
    plan = {"endpoint": [endpoint], "firmware": [library("1.0.4"), library("1.0.6")]}
    planned = [one.course.dark for one in found(plan).firmware]
    live = [one.course.dark for one in found(plan, seen={HOST: (seen,)}).firmware]
    assert planned == [day("2027-01-01"), day("2027-01-01")]
    assert live == [day("2026-01-01"), day("2027-01-01")]


#: Days of warning, what is written off: the exit status, when firmware goes dark 30 days from now.
STATUS = {
    "far enough": (29, [], 0),
    "within the warning": (30, [], 1),
    "known to be lost": (30, ["device"], 0),
}


@pytest.mark.parametrize("case", STATUS)
def test_the_exit_status_warns_in_time(case):
    warn, written_off, status = STATUS[case]
    endpoint = {"host": HOST, "ends": "2026-01-31", "shows": [shows("2025-01-01", "rig-intermediate")]}
    plan = {"endpoint": [endpoint], "firmware": [device("rig-root")], "written_off": written_off}
    assert found(plan, today="2026-01-01").status(warn) == status
    assert found(plan, today="2026-02-01").status(warn) == (0 if written_off else 1)
    unseen = {HOST: (Refusal("refused", "nobody listens"),)}
    assert found(plan, today="2026-01-01", seen=unseen).status(warn) == (status or 3)


def test_a_warning_is_for_days_that_somebody_plans():
    with pytest.raises(Misuse, match="a warning 99999999999 days ahead"):
        run("--warn", 99999999999)


@pytest.mark.parametrize("until", ["--until=9999-12-31", ""])
def test_the_end_of_all_dates_is_misuse(until):
    with pytest.raises(Misuse, match="a timeline until 9999"):
        run("--today", "9998-01-01", *until.split())


def run(*words: object) -> tuple[int, dict]:
    """Exit status and JSON of the command."""
    done = CliRunner().invoke(APP, [*map(str, words), "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.long
def test_the_example_runs_at_once_and_tells_july_2024(tmp_path):
    picture = tmp_path / "dates.svg"
    status, result = run("--today", "2026-11-22", "--picture", picture)
    dates = {one["name"]: (one["dark"] or "-")[:10] for one in result["firmware"]}
    assert status == result["exit_status"] == 0
    assert {"fleet-1.0.4": "2024-07-24", "fleet-1.0.6": "2027-03-11", "esp32-fleet1-old": "-"}.items() <= dates.items()
    assert picture.read_bytes().startswith(b"<?xml")
    assert run(EXAMPLE, "--today", "2026-12-15")[0] == 1, "86 days before 1.0.6 is lost"


def test_the_table_is_for_people():
    done = CliRunner().invoke(APP, ["--today", "2026-11-22"])
    assert done.exit_code == 0
    assert "issued by R10 under ISRG Root X1, not by R3" in done.stdout
    assert "Renewals until 2036-11-22" in done.stdout


def test_no_name_is_cut_short_on_a_terminal_of_80_columns(monkeypatch):
    monkeypatch.setattr(tables, "WIDE", 80)
    done = CliRunner().invoke(APP, ["--today", "2026-11-22"])
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["pins-intermediates"] in lines
    assert ["ota2.deploythefleet.com", "trusted", "-", "-"] in lines
    assert ["ota2.deploythefleet.com", "2026-12-23", "96", "20", "43", "114"] in lines
    assert max(map(len, done.stdout.splitlines())) <= 80


DAYS = {
    "no day": (["--today", "soon"], "--today soon: "),
    "an end before the beginning": (["--until", "2010-01-01"], "its end is to be after its beginning"),
    "the last day of all": (["--today", "9999-12-31"], "its end is to be after its beginning"),
    "an end beyond all plans": (["--until", "2200-01-01"], "50 years at most"),
    "before all that is planned": (["--today", "2000-01-01"], "shows anything before 2010-01-01"),
}


@pytest.mark.parametrize("case", DAYS)
def test_a_day_that_cannot_be_is_misuse(case):
    words, message = DAYS[case]
    with pytest.raises(Misuse, match=message):
        run(*words)


def test_a_picture_comes_again_byte_for_byte(tmp_path):
    endpoint = {"host": HOST, "renewal": {}, "shows": [shows("2025-01-01", "lets-encrypt-r3")]}
    dates = found({"endpoint": [endpoint], "firmware": [library("1.0.4"), library("1.0.7"), library("1.0.0")]})
    for name in ("one.svg", "two.svg", "one.png"):
        draw_timeline(dates, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(Misuse, match=r"svg or \.png"):
        draw_timeline(dates, tmp_path / "one.gif")


def test_with_live_the_plan_begins_with_what_is_served(tmp_path):
    with https_lab(tmp_path) as lab:
        (tmp_path / "rig-root.pem").write_bytes(lab.ca.read_bytes())
        path = tmp_path / "plan.toml"
        path.write_text(f'pins = "."\n{ENDPOINT}address = "127.0.0.1:{lab.port}"\n{SHOWN}\n{LAMP}')
        assert run(path)[1]["firmware"][0]["now"] == "refused"
        status, result = run(path, "--live")
    assert (status, result["firmware"][0]["now"], result["unseen"]) == (0, "trusted", {})


@pytest.mark.parametrize("case", checks_timeline.LIVE)
def test_a_look_is_an_esp32s_at_every_address(case):
    checks_timeline.what_is_live_is_what_an_esp32_meets(case)


def test_an_address_that_is_not_seen_is_told_and_the_others_are_planned_from():
    seen = (Seen(day("2026-01-01"), checks_timeline.R10.chain), Refusal("refused", "nobody listens"))
    endpoint = {"host": HOST, "shows": [shows("2025-01-01", "rig-intermediate")]}
    dates = found({"endpoint": [endpoint], "firmware": [device("rig-root")]}, seen={HOST: seen})
    assert (dates.unseen, dates.firmware[0].course.dark) == ({HOST: "nobody listens"}, day("2026-01-01"))


def test_a_group_is_written_off_when_all_of_it_is():
    checks_timeline.half_a_group_that_is_written_off_alarms(None)


def test_an_endpoint_that_cannot_be_seen_is_named_and_planned_on():
    port = free_port("127.0.0.1")
    told = {"host": HOST, "address": f"127.0.0.1:{port}", "shows": [shows("2025-01-01", "rig-intermediate")]}
    plan = Plan.model_validate({"endpoint": [told], "firmware": [device("rig-root")]})
    seen = look(plan.endpoint, day("2026-01-01"))
    dates = found(plan.model_dump(by_alias=True), seen=seen)
    assert dates.status(90) == 3
    assert f"127.0.0.1:{port}" in dates.unseen[HOST]
    assert dates.firmware[0].course.dark is None

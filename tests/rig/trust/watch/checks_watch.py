"""Named checks of a watch for its planted faults; each takes a folder."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from rig.trust.watch.channel import WebhookChannel
from rig.trust.watch.config import WatchedEndpoint, read_watch_config
from rig.trust.watch.scanner import Scanner
from rig.trust.watch.watch import Watch
from tests.rig.trust.tls_servers import talking
from tests.rig.trust.watch.test_alerts import heard, writing_command
from tests.rig.trust.watch.watch_lab import HOST, TODAY, issued, watch_lab

R10 = issued(under="lets-encrypt-r10")


def on_lab(addresses):
    """Makes a check of a running lab, with so many addresses that were looked at once, one of a folder."""

    def made(check):
        def checked(folder):
            with watch_lab(folder) as lab:
                for number in range(addresses):
                    lab.serve(at=f"127.0.0.{number + 1}")
                lab.round()
                check(lab)

        return checked

    return made


@on_lab(1)
def what_was_told_is_not_told_again(lab):
    lab.show(R10)
    for _ in range(3):
        lab.round()
    facts = Counter((alert["kind"], alert["subject"]) for alert in lab.receiver.got)
    assert set(facts.values()) == {1}, f"told more than once: {facts}"


@on_lab(1)
def a_change_between_two_runs_is_told(lab):
    lab.show(issued(days=89))
    assert lab.told_in_a_round() == ["happened identity-changed"], "a change while nobody watched was not told"


@on_lab(2)
def a_change_is_seen_although_the_first_address_is_down(lab):
    lab.stop(lab.addresses[0])
    lab.show(R10, lab.addresses[1])
    alerts = lab.told_in_a_round()
    assert "raised refused critical" in alerts, "silent since the first address failed"
    assert "raised unreachable warning" in alerts


@on_lab(2)
def one_address_is_enough_for_a_refusal(lab):
    lab.show(R10, lab.addresses[1])
    assert "raised refused critical" in lab.told_in_a_round(), "an issuer at the second address was not judged"


@on_lab(2)
def what_an_address_showed_is_not_over_because_it_is_down(lab):
    lab.show(R10, lab.addresses[1])
    lab.told_in_a_round()
    lab.stop(lab.addresses[1])
    assert "resolved refused" not in lab.told_in_a_round(), "nobody knows that it is over"


@on_lab(1)
def what_a_dead_webhook_missed_comes_later(lab):
    lab.show(R10)
    lab.receiver.status = 503
    for _ in range(3):
        lab.round()
        lab.clock.today += timedelta(minutes=20)
    lab.receiver.status = 200
    lab.round()
    assert sorted(lab.receiver.counts().values()) == [1, 1, 1], "alerts were lost while the webhook was down"


@on_lab(1)
def a_dead_webhook_does_not_delay_the_command(lab):
    writing_command(lab)
    lab.show(R10)
    lab.receiver.status = 503
    lab.round()
    assert len(heard(lab)) == 3, "the command waits for the webhook"


class _Died(BaseException):
    pass


@on_lab(1)
def an_alert_in_flight_at_a_death_comes_again(lab):
    lab.show(issued(days=89))
    send = WebhookChannel.send

    async def die(_channel, _alert):
        raise _Died

    WebhookChannel.send = die
    try:
        with lab.state() as state:
            asyncio.run(Watch(read_watch_config(lab.write_config()), state, clock=lab.clock).once())
    except _Died:
        pass
    finally:
        WebhookChannel.send = send
    assert lab.told_in_a_round() == ["happened identity-changed"], "an alert died with the watch"


@on_lab(1)
def a_repeat_has_the_id_of_the_first(lab):
    lab.show(issued(days=89))
    lab.alerts = lab.alerts.replace('/"\n', '/"\ntimeout = 0.2\n', 1)
    lab.receiver.delay = 0.4
    lab.round()
    lab.clock.today += timedelta(minutes=1)
    lab.receiver.delay = 0.0
    lab.round()
    names = [alert["alert"] for alert in lab.receiver.got]
    assert len(names) == 2
    assert len(set(names)) == 1, "a receiver cannot drop this repeat"


@on_lab(1)
def what_is_over_is_told_once(lab):
    lab.show(R10)
    lab.round()
    lab.receiver.take()
    lab.show(issued())
    alerts = lab.told_in_a_round() + lab.told_in_a_round()
    assert [text for text in alerts if text.startswith("resolved")] == ["resolved dark", "resolved refused"]


@on_lab(1)
def the_end_of_the_intermediate_that_firmware_pins_is_told(lab):
    lab.show(issued(begins=datetime(2025, 6, 10, tzinfo=UTC)))
    lab.clock.today = datetime(2025, 6, 20, tzinfo=UTC)
    lab.round()
    ending = [alert for alert in lab.receiver.got if alert["kind"] == "ending"]
    assert [alert["details"]["pinned_by"] for alert in ending] == [["lamp-1.0.4"]], "R3 ends in 87 days"


@on_lab(0)
def what_an_esp32_cannot_speak_is_refused(lab):
    lab.serve(minimum="TLSv1.3")
    assert "raised dark critical" in lab.told_in_a_round(), "judged by what other clients are shown"


@on_lab(1)
def a_slow_endpoint_blocks_no_other(lab):
    async def silent(reader, writer):
        await reader.read()

    async def act():
        async with talking(silent) as port:
            scanner, done = Scanner(20, 0.2, 0.01), []

            async def look(host, address):
                seen = await scanner.look(WatchedEndpoint(host=host, addresses=(address,)), TODAY)
                done.append(seen.is_answered)

            slow = [look(f"slow{n}.test", f"127.0.0.1:{port}") for n in range(3)]
            await asyncio.gather(*slow, look(HOST, lab.addresses[0]))
            return done

    assert asyncio.run(act())[0], "others waited for one that is slow"

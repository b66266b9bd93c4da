"""From a contact that waits to a lead who is told: once, in order, whatever the receiver does."""

import asyncio

import pytest

from services.runtime.clock import now_ms
from tests.acceptance.centre import Centre
from tests.doubles.receiver import Arrival, Reply

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

AT_MOST_MS = 20_000
"""From the crossing to the receiver: promised is a tenth of a second, and this machine may be busy."""


def in_time(arrival: Arrival, *, due_ms: int) -> bool:
    """Never early, and not late."""
    return due_ms <= arrival.at_ms < due_ms + AT_MOST_MS


async def test_it_fires_and_resolves(centre: Centre) -> None:
    lead = centre.leads["plain"]
    crossed_ms = await centre.enters("plain", "one")
    fired = await lead.told("fired")
    print(f"\ntold {fired.at_ms - crossed_ms} ms after the crossing")
    assert in_time(fired, due_ms=crossed_ms)
    assert (fired.data["crossed_ms"], fired.data["waiting"]) == (crossed_ms, 1)
    assert fired.data["text"].replace("\u00a0", " ").startswith("plain: a wait above 2 s since ")
    assert fired.data["board_url"].endswith("/?site=paris&queues=plain")

    answered_ms = now_ms()
    await centre.answered("plain", "one")
    resolved = await lead.told("resolved")
    assert in_time(resolved, due_ms=answered_ms)
    alert_id = fired.data["alert_id"]
    assert resolved.data["alert_id"] == alert_id
    assert resolved.delivery_id != fired.delivery_id
    await centre.delivered(alert_id, [("fired", "delivered"), ("resolved", "delivered")])


async def test_two_queues_at_once_are_told_to_the_leads_of_each(centre: Centre) -> None:
    left, right = centre.leads["left"], centre.leads["right"]
    await asyncio.gather(centre.enters("left", "two"), centre.enters("right", "two"))
    fired = [await left.told("fired"), await right.told("fired")]
    assert [each.data["queue"] for each in fired] == ["left", "right"]
    await centre.answered("right", "two")
    await right.told("resolved")
    await asyncio.sleep(0.5)
    assert left.unclaimed() == []
    await centre.answered("left", "two")
    await left.told("resolved")


async def test_an_acknowledged_alert_still_tells_its_end(centre: Centre) -> None:
    lead = centre.leads["taken"]
    await centre.enters("taken", "three")
    fired = await lead.told("fired")
    await centre.acknowledge(fired.data["alert_id"])
    acknowledged = await lead.told("acknowledged")
    assert acknowledged.data["acknowledged_by"] == "Léa"
    assert acknowledged.data["text"].startswith("taken: taken by Léa; ")
    await centre.answered("taken", "three")
    await lead.told("resolved")


async def test_what_is_not_taken_is_sent_again_under_the_same_id(centre: Centre) -> None:
    lead = centre.leads["retried"]
    lead.receiver.script = [Reply(status=500), Reply(status=None), Reply(status=503)]
    await centre.enters("retried", "four")
    tries = [await lead.asked() for _ in range(4)]
    assert [each.is_taken for each in tries] == [False, False, False, True]
    assert len({each.delivery_id for each in tries}) == 1
    assert len({each.body for each in tries}) == 1
    await centre.answered("retried", "four")
    await lead.told("resolved")


async def test_a_receiver_that_asks_to_wait_is_left_alone_meanwhile(centre: Centre) -> None:
    lead = centre.leads["busy"]
    lead.receiver.script = [Reply(status=429, headers={"Retry-After": "2"})]
    await centre.enters("busy", "five")
    refused, taken = await lead.asked(), await lead.asked()
    assert taken.at_ms - refused.at_ms >= 2000
    assert taken.delivery_id == refused.delivery_id
    await centre.answered("busy", "five")
    await lead.told("resolved")


async def test_a_receiver_that_is_away_is_told_when_it_is_back(centre: Centre) -> None:
    lead = centre.leads["away"]
    with lead.away():
        crossed_ms = await centre.enters("away", "six")
        await asyncio.sleep(max(0, crossed_ms + 1500 - now_ms()) / 1000)
    await lead.told("fired")
    await centre.answered("away", "six")
    await lead.told("resolved")


async def test_what_was_over_before_the_receiver_came_back_is_told_to_nobody(centre: Centre) -> None:
    lead = centre.leads["gone"]
    async with centre.system.alerts() as alerts:
        with lead.away():
            await centre.enters("gone", "seven")
            fired = (await alerts.first(lambda alert: alert.queue == "gone")).alert
            await centre.answered("gone", "seven")
            await centre.delivered(fired.alert_id, [("fired", "overtaken"), ("resolved", "overtaken")])


async def test_a_mail_goes_out_beside_the_webhook_and_its_end_answers_it(centre: Centre) -> None:
    lead = centre.leads["mailed"]
    centre.relay.at_rcpt = ["450 4.2.0 greylisted"]
    await centre.enters("mailed", "eight")
    fired = await lead.told("fired")
    alert_id = fired.data["alert_id"]
    await centre.delivered(alert_id, [("fired", "accepted"), ("fired", "delivered")])
    await centre.answered("mailed", "eight")
    await lead.told("resolved")
    await centre.delivered(
        alert_id,
        [("fired", "accepted"), ("fired", "delivered"), ("resolved", "accepted"), ("resolved", "delivered")],
    )
    # of other tests: every lead is told of a silent source
    first, last = [mail for mail in centre.mails() if "mailed" in mail["Subject"]]
    assert first["To"] == last["To"] == "mailed@x.test"
    assert last["In-Reply-To"] == first["Message-ID"]
    assert (first["Subject"], last["Subject"]) == (
        "mailed: a wait above 2\u00a0s",
        "Re: mailed: a wait above 2\u00a0s",
    )

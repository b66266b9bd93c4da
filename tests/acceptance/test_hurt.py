"""The same while processes die, sources fall silent and rules go."""

import asyncio
import signal

import pytest

from services.runtime.clock import now_ms
from tests.acceptance.centre import QUIET_S, QUIET_SOURCE, Centre
from tests.doubles.receiver import Reply

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.mark.parametrize("process", ["ingest", "aggregator", "api", "notifier", "kafka"])
async def test_killed_in_mid_episode_each_process_loses_and_repeats_nothing(
    centre: Centre, process: str
) -> None:
    queue = f"kill-{process}"
    lead = centre.leads[queue]
    await centre.enters(queue, "nine")
    fired = await lead.told("fired")
    await centre.delivered(fired.data["alert_id"], [("fired", "delivered")])
    killed = centre.system.pids[process]
    centre.system.signal(process, signal.SIGKILL)
    await centre.answered(queue, "nine")
    # Kafka may need so long on a busy machine that the silence is told as well.
    resolved = await lead.told("resolved", past=("suppressed", "resumed") if process == "kafka" else ())
    assert resolved.data["alert_id"] == fired.data["alert_id"]
    await centre.well()
    assert centre.system.pids[process] != killed


async def test_a_notice_under_way_when_the_notifier_dies_comes_again_under_its_id(centre: Centre) -> None:
    lead = centre.leads["under-way"]
    lead.receiver.script = [Reply(delay_s=30)]
    await centre.enters("under-way", "ten")
    cut = await lead.asked()
    centre.system.signal("notifier", signal.SIGKILL)
    fired = await lead.told("fired")
    assert (fired.delivery_id, fired.body) == (cut.delivery_id, cut.body)
    await centre.delivered(fired.data["alert_id"], [("fired", "delivered")])  # it knows what was answered
    centre.system.signal("notifier", signal.SIGKILL)
    await centre.answered("under-way", "ten")
    resolved = await lead.told("resolved")
    assert resolved.delivery_id != fired.delivery_id
    await centre.delivered(fired.data["alert_id"], [("fired", "delivered"), ("resolved", "delivered")])
    found = await centre.verified()
    assert found["differences"] == []
    assert found["compared"]["notices, each with what became of it"] >= 2


async def test_a_silent_source_suspends_its_alert_and_says_so(centre: Centre) -> None:
    lead = centre.leads["quiet"]
    beating = asyncio.create_task(_beat(centre))
    await centre.tell("queue.entered", source=QUIET_SOURCE, contact="eleven", queue="quiet")
    fired = await lead.told("fired")
    beating.cancel()
    silent_ms = now_ms()
    suppressed = await lead.told("suppressed")
    assert suppressed.at_ms - silent_ms > (QUIET_S - 1) * 1000
    assert "data are stale" in suppressed.data["text"]
    beating = asyncio.create_task(_beat(centre))
    resumed = await lead.told("resumed")
    await centre.tell("agent.accepted", source=QUIET_SOURCE, contact="eleven", queue="quiet", agent="zoe")
    resolved = await lead.told("resolved")
    assert {each.data["alert_id"] for each in (suppressed, resumed, resolved)} == {fired.data["alert_id"]}
    for each in centre.leads.values():
        await each.told_of_source(QUIET_SOURCE, ["fired", "resolved"])
    beating.cancel()


async def test_an_alert_whose_rule_goes_is_withdrawn(centre: Centre) -> None:
    lead = centre.leads["ruled"]
    await centre.enters("ruled", "twelve")
    fired = await lead.told("fired")
    centre.drop_rule("short_lived")
    centre.system.signal("aggregator", signal.SIGKILL)
    withdrawn = await lead.told("withdrawn")
    assert withdrawn.data["alert_id"] == fired.data["alert_id"]
    await centre.answered("ruled", "twelve")


async def _beat(centre: Centre) -> None:
    """The source is heard, several times a second, until cancelled."""
    while True:
        await centre.tell("source.heartbeat", source=QUIET_SOURCE, clock_ms=now_ms())
        await asyncio.sleep(QUIET_S / 8)

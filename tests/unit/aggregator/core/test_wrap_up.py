"""The end of wrap-up that nobody tells: the length that the settings give it. SEMANTICS.md §5."""

from typing import Any

import pytest

from schemas.config import Config, SourceConfig
from schemas.events import AgentAccepted, QueueEntered, TalkEnded
from services.aggregator.core.display import agent_row
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import SITE, START_MS, Watching


@pytest.mark.parametrize(
    ("setting", "busy_s"),
    [
        (None, {"support": 110, "sales": 110}),
        (15.0, {"support": 25, "sales": 25}),
        ({"support": 30.0}, {"support": 40, "sales": 110}),
        ({"support": 30.0, "sales": 0.0}, {"support": 40, "sales": 10}),
    ],
)
def test_wrap_up_lasts_as_long_as_the_source_says_of_the_queue(
    setting: float | dict[str, float] | None, busy_s: dict[str, int]
) -> None:
    """Ten seconds of talk, then a hundred in which nobody tells the end of wrap-up."""
    watching = Watching(Config(sources=[SourceConfig(id="pbx", kind="http", site=SITE, wrap_up_s=setting)]))
    for queue in busy_s:
        by: dict[str, Any] = {"contact": f"c-{queue}", "agent": f"a-{queue}"}
        watching.tell(QueueEntered, 0, contact=f"c-{queue}", queue=queue)
        watching.tell(AgentAccepted, 0, queue=queue, **by)
        watching.tell(TalkEnded, 10_000, **by)
    watching.at(110_000)
    found, _ = rows(watching.partition, START_MS + 110_000)
    expected = figures(watching.log.events, watching.config, now_ms=START_MS + 110_000)
    for queue, seconds in busy_s.items():
        row = found[SITE, queue]
        assert {w.occupancy.numerator for w in row.windows.values()} == {seconds}
        assert differences(expected[SITE, queue], row) == []


def test_contacts_in_hand_since_the_same_instant_have_one_order_however_they_were_told() -> None:
    """In a partition that was restored they lie in another order than in one that never was."""
    shown = []
    for contacts in (("c-1", "c-2"), ("c-2", "c-1")):
        watching = Watching(Config())
        for contact in contacts:
            by: dict[str, Any] = {"contact": contact, "agent": "lea", "queue": "chat"}
            watching.tell(QueueEntered, 0, contact=contact, queue="chat")
            watching.tell(AgentAccepted, 0, **by)
            watching.tell(TalkEnded, 10_000, **by)
        watching.at(11_000)
        site = watching.partition.sites[SITE]
        row = agent_row(site, site.agents["lea"], START_MS + 11_000, silent={})
        shown.append([each.contact for each in row.contacts])

    assert shown == [["c-1", "c-2"], ["c-1", "c-2"]]

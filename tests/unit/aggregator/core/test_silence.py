"""Agents whose source has gone silent: nobody logs them out, so the silence does. SEMANTICS.md §5."""

from schemas.board import AgentRow
from schemas.codec import decode_key, decode_row
from schemas.config import Config
from schemas.events import (
    AgentAccepted,
    AgentStateChanged,
    ContactEnded,
    QueueEntered,
    SourceHeartbeat,
)
from schemas.vocabulary import AgentState, Channel, WindowName
from tests.oracle.compare import differences, site_differences
from tests.oracle.fold import figures, site_figures
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

MINUTE, HOUR = 60_000, 3_600_000
STALE = 15_000


def talking(*, beats: bool = True, channel: Channel | None = None) -> Watching:
    """An agent who took a contact at 1 s; its source was last heard then."""
    watching = Watching(Config())
    if beats:
        watching.tell(SourceHeartbeat, 0)
    watching.tell(QueueEntered, 0, contact="a", queue=QUEUE, channel=channel)
    watching.tell(AgentAccepted, 1000, contact="a", queue=QUEUE, agent="lea")
    return watching


def agent(watching: Watching, now_ms: int) -> AgentRow:
    for publication in watching.partition.rows(START_MS + now_ms, everything=True):
        if decode_key(publication.key)[0] == "agent":
            row = decode_row("agent", publication.value or b"")
            assert isinstance(row, AgentRow)
            return row
    raise AssertionError("no agent's row")


def assert_oracle(watching: Watching, now_ms: int) -> None:
    now_ms += START_MS
    found, sites = rows(watching.partition, now_ms)
    events, config = watching.log.events, watching.config
    assert differences(figures(events, config, now_ms=now_ms)[SITE, QUEUE], found[SITE, QUEUE]) == []
    assert site_differences(site_figures(events, config, now_ms=now_ms)[SITE], sites[SITE]) == []


def test_an_agent_is_offline_from_the_instant_at_which_the_source_is_stale() -> None:
    watching = talking()
    last = 1000 + STALE
    watching.at(last - 1)
    assert (agent(watching, last - 1).state, agent(watching, last - 1).inferred) == ("in_contact", False)
    watching.at(last)
    row = agent(watching, last)
    assert (row.state, row.inferred, row.since_ms) == (AgentState.OFFLINE, True, START_MS + last)
    assert (row.queues, row.contacts) == ([QUEUE], [])
    queues, sites = rows(watching.partition, START_MS + last)
    for counts in (queues[SITE, QUEUE].agents, sites[SITE].agents):
        assert (counts.offline, counts.in_contact) == (1, 0)
    assert_oracle(watching, last)


def test_occupancy_stops_growing_and_windows_run_dry() -> None:
    watching = talking()
    for now_ms in (MINUTE, 10 * MINUTE, 2 * HOUR):
        watching.at(now_ms)
        queues, sites = rows(watching.partition, START_MS + now_ms)
        for row in (queues[SITE, QUEUE], sites[SITE]):
            assert row.windows[WindowName.TODAY].occupancy.denominator == STALE / 1000
        assert_oracle(watching, now_ms)
    assert queues[SITE, QUEUE].windows[WindowName.M60].occupancy.value is None


def test_heard_again_the_agent_was_never_gone_and_a_restart_changes_neither() -> None:
    watching = talking()
    for now_ms in (HOUR, 2 * HOUR):
        watching.at(now_ms)
        watching.restart(now_ms)
        assert agent(watching, now_ms).state is AgentState.OFFLINE
        assert_oracle(watching, now_ms)
    watching.tell(SourceHeartbeat, 2 * HOUR)
    for restarts in (False, True):
        if restarts:
            watching.restart(2 * HOUR)
        assert (agent(watching, 2 * HOUR).state, agent(watching, 2 * HOUR).inferred) == ("in_contact", False)
        assert_oracle(watching, 2 * HOUR)


def test_the_rows_of_the_agents_go_out_when_the_silence_begins_and_ends() -> None:
    watching = talking()
    watching.at(2000)
    watching.partition.rows(START_MS + 2000)

    def told(now_ms: int) -> list[AgentState]:
        watching.at(now_ms)
        rows_due = watching.partition.rows(START_MS + now_ms)
        found = [decode_row("agent", p.value or b"") for p in rows_due if decode_key(p.key)[0] == "agent"]
        return [row.state for row in found if isinstance(row, AgentRow)]

    assert told(15_000) == []
    assert told(16_000) == [AgentState.OFFLINE]
    assert told(17_000) == []
    watching.tell(SourceHeartbeat, 18_000)
    assert told(18_000) == [AgentState.IN_CONTACT]


def test_a_source_that_never_sent_a_heartbeat_loses_nobody() -> None:
    watching = talking(beats=False)
    watching.at(2 * HOUR)
    assert agent(watching, 2 * HOUR).state is AgentState.IN_CONTACT
    assert_oracle(watching, 2 * HOUR)


def test_a_source_of_patient_queues_may_be_silent_longer() -> None:
    watching = talking(channel=Channel.EMAIL)
    for now_ms, state in ((300_999, AgentState.IN_CONTACT), (301_000, AgentState.OFFLINE)):
        watching.at(now_ms)
        assert agent(watching, now_ms).state is state
        assert_oracle(watching, now_ms)


def test_an_agent_belongs_to_the_source_of_its_last_word_else_of_the_last_event_that_named_it() -> None:
    watching = talking()
    watching.tell(QueueEntered, 2000, contact="b", queue=QUEUE, source="crm")
    watching.tell(AgentAccepted, 3000, contact="b", queue=QUEUE, agent="lea", source="crm")
    watching.at(MINUTE)
    assert agent(watching, MINUTE).state is AgentState.IN_CONTACT
    assert_oracle(watching, MINUTE)
    watching.tell(AgentStateChanged, 4000, agent="lea", state=AgentState.PAUSED, queues=[QUEUE])
    watching.tell(ContactEnded, MINUTE, contact="b", source="crm")
    watching.at(MINUTE)
    assert agent(watching, MINUTE).state is AgentState.OFFLINE
    watching.restart(MINUTE)
    assert agent(watching, MINUTE).state is AgentState.OFFLINE
    assert_oracle(watching, MINUTE)


def test_while_the_log_is_behind_nobody_is_offline_for_want_of_news() -> None:
    watching = talking()
    now_ms = START_MS + MINUTE
    watching.partition.set_lag(end_reached=False, last_appended_ms=START_MS + 1000, now_ms=now_ms)
    watching.partition.advance(now_ms)
    assert agent(watching, MINUTE).state is AgentState.IN_CONTACT

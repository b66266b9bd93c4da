"""Items of deferred channels over days: open, replied to, closed, given up. docs/decisions/0016."""

from typing import Any

import msgspec
import pytest

from schemas.board import Backlog, QueueRow, Ratio
from schemas.config import Config, QueueConfig, SiteConfig
from schemas.events import (
    AgentAccepted,
    ContactEnded,
    MessageIn,
    QueueEntered,
    QueueLeft,
    SourceHeartbeat,
    TalkEnded,
    Transfer,
)
from schemas.vocabulary import Channel, Outcome, TransferKind, WindowName
from services.aggregator.core import records
from services.aggregator.core.cells import DECIDED
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import SITE, START_MS, Watching

MAIL = "mail"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WEEKDAYS = "Mo-Fr 08:00-19:00"
"""The story begins on a Sunday, 11:00 in Paris: business begins 21 hours later."""


def centre(*, wait_limit_s: float | None = None, hours: str | None = None) -> Config:
    queue = QueueConfig(id=MAIL, site=SITE, channel=Channel.EMAIL, wait_limit_s=wait_limit_s, hours=hours)
    other = QueueConfig(id="other", site=SITE, channel=Channel.EMAIL)
    return Config(sites=[SiteConfig(id=SITE, time_zone="Europe/Paris")], queues=[queue, other])


def row(watching: Watching, now_ms: int, queue: str = MAIL) -> QueueRow:
    """The row as of an instant, after the oracle has agreed to every figure of it."""
    watching.at(now_ms)
    found, _ = rows(watching.partition, START_MS + now_ms)
    expected = figures(watching.log.events, watching.config, now_ms=START_MS + now_ms)
    assert differences(expected[SITE, queue], found[SITE, queue]) == []
    return found[SITE, queue]


def backlog(watching: Watching, now_ms: int) -> Backlog:
    found = row(watching, now_ms).backlog
    assert found is not None
    return found


def shares(found: QueueRow, window: WindowName = WindowName.M60) -> list[tuple[float, float]]:
    """(cleared, decided) by the calendar and by the hours."""
    both = (found.windows[window].cleared, found.windows[window].cleared_business)
    return [(r.numerator, r.denominator) for r in both if r is not None]


def passed(watching: Watching, from_ms: int, to_ms: int, step_ms: int = 6 * HOUR) -> None:
    """The log's clock goes on, the worker sweeps, now and then somebody else writes."""
    for now_ms in range(from_ms, to_ms + 1, step_ms):
        watching.tell(QueueEntered, now_ms, contact=f"other-{now_ms}", queue="other", segment="1")
        watching.tell(QueueLeft, now_ms, contact=f"other-{now_ms}", segment="1", outcome=Outcome.CLOSED)
        watching.at(now_ms)


def replied(config: Config) -> Watching:
    """One item, entered at 0 and replied to ten minutes later."""
    watching = Watching(config)
    watching.tell(QueueEntered, 0, contact="a", queue=MAIL, segment="1")
    watching.tell(AgentAccepted, 10 * MINUTE, contact="a", queue=MAIL, segment="1", agent="lea")
    return watching


ENDINGS: dict[str, list[tuple[Any, int, dict[str, Any]]]] = {
    "nothing": [],
    "an answer": [(AgentAccepted, 5, {"queue": MAIL, "agent": "lea"})],
    "an answer by its leaving": [(QueueLeft, 5, {"queue": MAIL, "outcome": Outcome.ANSWERED})],
    "a message": [(MessageIn, 5, {"queue": MAIL})],
    "left otherwise": [(QueueLeft, 5, {"queue": MAIL, "outcome": Outcome.WITHDRAWN})],
    "the contact's end": [(ContactEnded, 5, {})],
    "an end before it entered": [(ContactEnded, -5, {})],
    "talk ended": [
        (AgentAccepted, 5, {"queue": MAIL, "agent": "lea"}),
        (TalkEnded, 9, {"queue": MAIL, "agent": "lea"}),
    ],
    "talk ended without an answer": [(TalkEnded, 9, {"queue": MAIL, "agent": "lea"})],
    "an answer, then its end": [
        (AgentAccepted, 5, {"queue": MAIL, "agent": "lea"}),
        (ContactEnded, 8, {}),
        (TalkEnded, 9, {"queue": MAIL, "agent": "lea"}),
    ],
    "an answer, then another queue": [
        (AgentAccepted, 5, {"queue": MAIL, "agent": "lea"}),
        (Transfer, 7, {"kind": TransferKind.QUEUE, "from_queue": MAIL, "to_queue": "other"}),
    ],
    "an answer, then withdrawn": [
        (AgentAccepted, 5, {"queue": MAIL, "agent": "lea"}),
        (QueueLeft, 6, {"queue": MAIL, "outcome": Outcome.WITHDRAWN}),
    ],
    "an answer that contradicts a leaving": [
        (QueueLeft, 4, {"queue": MAIL, "outcome": Outcome.ABANDONED}),
        (AgentAccepted, 5, {"queue": MAIL, "agent": "lea"}),
    ],
}


@pytest.mark.parametrize(
    ("ending", "waiting", "open_", "closed_min"),
    [
        ("nothing", 1, 1, None),
        ("an answer", 0, 1, None),
        ("an answer by its leaving", 0, 1, None),
        ("a message", 1, 1, None),
        ("left otherwise", 0, 0, 5),
        ("the contact's end", 0, 0, 5),
        ("an end before it entered", 1, 1, None),
        ("talk ended", 0, 0, 9),
        ("talk ended without an answer", 1, 1, None),
        ("an answer, then its end", 0, 0, 8),
        ("an answer, then another queue", 0, 0, 7),
        ("an answer, then withdrawn", 0, 0, 6),
        ("an answer that contradicts a leaving", 0, 1, None),
    ],
)
def test_what_closes_an_item(ending: str, waiting: int, open_: int, closed_min: int | None) -> None:
    watching = Watching(centre())
    watching.tell(QueueEntered, 0, contact="a", queue=MAIL)
    for make, minute, data in ENDINGS[ending]:
        watching.tell(make, minute * MINUTE, contact="a", **data)
    found = row(watching, 20 * MINUTE)
    assert found.backlog is not None
    assert (found.waiting, found.backlog.open) == (waiting, open_)
    site = watching.partition.sites[SITE]
    site.contacts["a"].unpack(site.wrap_up_ms)
    (visit,) = site.contacts["a"].story.visits
    assert visit.closed_ms == (None if closed_min is None else START_MS + closed_min * MINUTE)
    assert shares(found) == [(1 - open_, 1 - open_)] * 2


def test_a_reply_ends_the_wait_and_not_the_item() -> None:
    watching = replied(centre(hours=WEEKDAYS))
    found = row(watching, 30 * HOUR)
    assert (found.waiting, found.longest_wait_s) == (0, None)
    assert found.backlog == Backlog(
        open=1, oldest_ms=START_MS, oldest_s=30 * 3600, oldest_business_s=9 * 3600, promise_s=172_800
    )


def test_a_phone_queue_has_no_items() -> None:
    watching = Watching(Config())
    watching.tell(QueueEntered, 0, contact="a", queue="support")
    watching.at(MINUTE)
    found, _ = rows(watching.partition, START_MS + MINUTE)
    assert found[SITE, "support"].backlog is None
    assert shares(found[SITE, "support"]) == []


@pytest.mark.parametrize("restarts", [False, True])
def test_an_item_is_remembered_until_it_is_closed_days_after_its_reply(restarts: bool) -> None:
    watching = replied(centre())
    passed(watching, HOUR, 47 * HOUR)
    if restarts:
        watching.restart(47 * HOUR)
    assert backlog(watching, 47 * HOUR).open == 1
    assert shares(row(watching, 48 * HOUR)) == [(0, 0), (0, 0)]
    assert shares(row(watching, 48 * HOUR + 1)) == [(0, 1), (0, 1)]
    assert shares(row(watching, 48 * HOUR + 1), WindowName.TODAY) == [(0, 1), (0, 1)]
    passed(watching, 49 * HOUR, 97 * HOUR)
    if restarts:
        watching.restart(97 * HOUR)
    assert backlog(watching, 97 * HOUR).oldest_s == 97 * 3600
    watching.tell(ContactEnded, 97 * HOUR, contact="a")
    found = row(watching, 97 * HOUR)
    assert found.backlog == Backlog(open=0, promise_s=172_800)
    assert shares(found) == [(0, 0), (0, 0)]  # it was decided two days ago
    passed(watching, 98 * HOUR, 180 * HOUR)
    assert "a" not in watching.partition.sites[SITE].contacts


def test_today_counts_what_is_decided_today_whenever_it_entered() -> None:
    watching = replied(centre())
    watching.tell(TalkEnded, 40 * HOUR, contact="a", queue=MAIL, segment="1", agent="lea")
    found = row(watching, 42 * HOUR)
    assert shares(found) == [(0, 0), (0, 0)]
    assert shares(found, WindowName.TODAY) == [(1, 1), (1, 1)]
    assert shares(row(watching, 62 * HOUR), WindowName.TODAY) == [(0, 0), (0, 0)]


def test_late_by_the_calendar_and_in_time_by_the_hours() -> None:
    """A promise of four hours, given on a Sunday: due at 15:00, and at noon on Monday."""
    watching = replied(centre(wait_limit_s=4 * 3600, hours=WEEKDAYS))
    assert shares(row(watching, 4 * HOUR + 1)) == [(0, 1), (0, 0)]
    watching.tell(TalkEnded, 25 * HOUR, contact="a", queue=MAIL, segment="1", agent="lea")
    assert shares(row(watching, 25 * HOUR)) == [(0, 0), (1, 1)]
    watching.tell(QueueEntered, 25 * HOUR, contact="b", queue=MAIL)
    found = row(watching, 29 * HOUR + 1)  # entered at noon, due at 16:00 by either clock
    assert shares(found) == [(0, 1), (0, 1)]


def test_an_item_closed_at_its_deadline_is_in_time_and_a_millisecond_later_is_not() -> None:
    for late_ms in (0, 1):
        watching = replied(centre(wait_limit_s=3600))
        watching.tell(ContactEnded, HOUR + late_ms, contact="a")
        assert shares(row(watching, HOUR + MINUTE)) == [(1 - late_ms, 1)] * 2


@pytest.mark.parametrize("restarts", [False, True])
def test_a_reply_that_nothing_follows_is_given_up_after_ten_wait_limits(restarts: bool) -> None:
    watching = replied(centre(wait_limit_s=3600))
    given_up = 10 * MINUTE + 10 * HOUR
    passed(watching, HOUR, given_up - MINUTE, HOUR)
    assert backlog(watching, given_up - 1).open == 1
    if restarts:
        watching.restart(given_up)
    found = row(watching, given_up)
    assert found.backlog == Backlog(open=0, promise_s=3600)
    assert shares(found, WindowName.TODAY) == [(0, 1), (0, 1)]  # the miss stays
    if restarts:
        watching.restart(given_up + HOUR)
    passed(watching, given_up + HOUR, given_up + 20 * HOUR)
    watching.tell(MessageIn, given_up + 20 * HOUR, contact="a", queue=MAIL)
    assert backlog(watching, given_up + 20 * HOUR).oldest_ms == START_MS  # news take it up again
    passed(watching, given_up + 21 * HOUR, given_up + 80 * HOUR)
    assert "a" not in watching.partition.sites[SITE].contacts


def test_news_keep_an_item_open_for_as_long_as_they_come() -> None:
    watching = replied(centre(wait_limit_s=3600))
    for hour in range(9, 60, 9):
        watching.tell(MessageIn, hour * HOUR, contact="a", queue=MAIL)
        watching.at(hour * HOUR)
    assert backlog(watching, 60 * HOUR).oldest_s == 60 * 3600


def test_an_item_given_up_before_its_hours_were_over_is_decided_by_the_calendar_alone() -> None:
    """Open an hour a week: the promise of two is not over when ten of the calendar are."""
    watching = replied(centre(wait_limit_s=7200, hours="Mo 08:00-09:00"))
    found = row(watching, 21 * HOUR)
    assert found.backlog is not None
    assert found.backlog.open == 0
    assert shares(found, WindowName.M60) == [(0, 0), (0, 0)]
    site = watching.partition.sites[SITE]
    assert sum(count.cells[DECIDED] for count in site.queues[MAIL].days.values()) == 0  # it was yesterday


def test_a_contact_that_comes_back_is_another_item() -> None:
    watching = replied(centre())
    watching.tell(TalkEnded, 20 * MINUTE, contact="a", queue=MAIL, segment="1", agent="lea")
    watching.tell(QueueEntered, 5 * HOUR, contact="a", queue=MAIL, segment="2")
    assert backlog(watching, 6 * HOUR).oldest_ms == START_MS + 5 * HOUR
    watching.tell(ContactEnded, 7 * HOUR, contact="a")
    found = row(watching, 8 * HOUR)
    assert shares(found) == [(0, 0), (0, 0)]
    assert shares(found, WindowName.TODAY) == [(2, 2), (2, 2)]


def test_a_queue_whose_channel_is_told_later_has_its_items_from_the_first() -> None:
    watching = Watching(Config(sites=[SiteConfig(id=SITE, time_zone="Europe/Paris")]))
    for contact in "ab":
        watching.tell(QueueEntered, 0, contact=contact, queue=MAIL, segment="1")
        watching.tell(AgentAccepted, MINUTE, contact=contact, queue=MAIL, segment="1", agent="lea")
    watching.tell(ContactEnded, 2 * MINUTE, contact="b")
    watching.at(3 * MINUTE)
    watching.tell(QueueEntered, 4 * MINUTE, contact="c", queue=MAIL, segment="1", channel=Channel.EMAIL)
    found = row(watching, 5 * MINUTE)
    assert found.backlog is not None
    assert (found.backlog.open, found.waiting) == (2, 1)
    assert shares(found) == [(1, 1), (1, 1)]


@pytest.mark.parametrize("terms", [{"wait_limit_s": 600.0}, {"hours": "Mo 08:00-09:00"}])
def test_another_promise_counts_from_the_next_start_for_all_that_is_known(terms: dict[str, Any]) -> None:
    watching = replied(centre(wait_limit_s=3600))
    watching.tell(QueueEntered, 0, contact="b", queue=MAIL, segment="1")
    watching.tell(ContactEnded, 30 * MINUTE, contact="b")
    assert shares(row(watching, 40 * MINUTE)) == [(1, 1), (1, 1)]
    since_ms = row(watching, 40 * MINUTE).windows[WindowName.M60].service_level.since_ms
    watching.restart(40 * MINUTE, centre(**({"wait_limit_s": 3600.0} | terms)))
    found = row(watching, 41 * MINUTE)
    assert shares(found) == ([(0, 2), (0, 2)] if "wait_limit_s" in terms else [(1, 1), (1, 1)])
    assert found.windows[WindowName.M60].service_level.since_ms == since_ms  # that of another promise


@pytest.mark.parametrize("skew_ms", [10 * MINUTE, -4 * MINUTE])
def test_an_open_item_is_as_old_as_our_clock_says(skew_ms: int) -> None:
    watching = Watching(centre(wait_limit_s=3600, hours="Mo-Su 11:00-14:00"))
    for minute in range(5):
        clock_ms = START_MS + minute * MINUTE - skew_ms
        watching.tell(SourceHeartbeat, minute * MINUTE, clock_ms=clock_ms)
    watching.tell(QueueEntered, 0, contact="a", queue=MAIL)
    assert backlog(watching, 30 * MINUTE).oldest_ms == START_MS + skew_ms
    due_ms, business_due_ms = HOUR + skew_ms, HOUR + max(0, skew_ms)  # it is closed before 11:00
    assert shares(row(watching, due_ms))[0] == (0, 0)
    assert shares(row(watching, due_ms + 1))[0] == (0, 1)
    assert shares(row(watching, business_due_ms + 1))[1] == (0, 1)
    watching.restart(due_ms)
    assert shares(row(watching, business_due_ms))[1] == (0, 0)


def test_of_a_state_without_items_they_are_counted_from_what_is_known() -> None:
    """A version before them wrote shorter counts, and terms without a promise."""
    watching = replied(centre())
    watching.tell(QueueEntered, 0, contact="b", queue=MAIL, segment="1")
    watching.tell(ContactEnded, MINUTE, contact="b")
    watching.at(30 * MINUTE)
    for key, value in watching.topic.records.items():
        words = msgspec.json.decode(key)
        plain = msgspec.msgpack.decode(value, strict=False)
        if words[0] == records.QUEUE:
            plain = plain[:-2]  # their terms, and the slots that came after them
            plain[4] = [[day[0], day[1][:-4], *day[2:]] for day in plain[4]]
        elif words[0] == records.BUCKET and plain[1] is not None:
            plain[1][0] = plain[1][0][:-4]
        watching.topic.records[key] = msgspec.msgpack.encode(plain)
    watching.restart(31 * MINUTE, is_noted=False)
    found = row(watching, 32 * MINUTE)
    assert found.windows[WindowName.M60].cleared == Ratio(value=1.0, numerator=1, denominator=1)
    assert backlog(watching, 32 * MINUTE).open == 1


def test_an_open_item_lies_packed_in_memory() -> None:
    watching = replied(centre())
    watching.tell(QueueEntered, MINUTE, contact="b", queue=MAIL, segment="1")
    passed(watching, HOUR, 4 * HOUR, HOUR)
    contacts = watching.partition.sites[SITE].contacts
    assert contacts["a"].is_packed
    assert contacts["b"].is_packed
    assert backlog(watching, 5 * HOUR).open == 2

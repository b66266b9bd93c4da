"""A shared mailbox over time: received, first answer of a human, closed, opened again."""

from collections.abc import Iterable

from msgspec.structs import replace

from schemas.config import SourceConfig
from schemas.events import MessageOut, QueueEntered, QueueLeft, SourceEvent
from schemas.vocabulary import Author, Channel, Outcome, Reason
from services.ingest.adapters.imap.letters import Letter
from services.ingest.adapters.imap.translate import Mailbox
from tests.doubles.running_source import PSEUDONYMS

HOUR = 3_600_000
NOW = 100 * HOUR
SOURCE = SourceConfig(
    id="mail", kind="imap", site="paris", system="mail", queue="support-mail", user="u", addresses=["us@x"]
)


def customer(
    key: str, at_ms: int, *, uid: int, names: Iterable[str] = (), is_automatic: bool = False
) -> Letter:
    sender = "ada@customer.example"
    return _letter(key, at_ms, uid=uid, names=names, sender=sender, is_automatic=is_automatic)


def ours(key: str, at_ms: int, *, uid: int, names: Iterable[str] = (), is_automatic: bool = False) -> Letter:
    found = _letter(key, at_ms, uid=uid, names=names, sender="us@x", is_automatic=is_automatic)
    return replace(found, is_ours=True)


def _letter(
    key: str,
    at_ms: int,
    *,
    uid: int,
    names: Iterable[str],
    sender: str,
    is_automatic: bool,
) -> Letter:
    named = tuple(names)
    return Letter(
        uid=uid,
        at_ms=at_ms,
        key=key,
        thread=named[0] if named else key,
        names=named,
        sender=sender,
        is_ours=False,
        is_automatic=is_automatic,
    )


class Story:
    """Looks at instants; `events` is all that was told, without heartbeats."""

    def __init__(self, mailbox: Mailbox | None = None) -> None:
        self.mailbox = mailbox or Mailbox(SOURCE, PSEUDONYMS)
        self.events: list[SourceEvent] = []
        self.dropped = 0

    def look(
        self,
        now_ms: int,
        *,
        inbox: Iterable[Letter] = (),
        sent: Iterable[Letter] = (),
        present: Iterable[int] = (),
        answered: Iterable[int] = (),
        closed: set[str] | None = None,
    ) -> list[SourceEvent]:
        self.mailbox.inbox(inbox, now_ms)
        self.mailbox.sent(sent, now_ms)
        self.mailbox.rest(present=set(present), answered=set(answered), closed=closed, now_ms=now_ms)
        told = self.mailbox.take(now_ms)
        self.dropped += told.dropped[Reason.AUTOMATIC]
        events = told.events[:-1]
        self.events += events
        return events


def of(events: Iterable[SourceEvent], *kinds: type) -> list[SourceEvent]:
    return [event for event in events if isinstance(event, kinds)]


def left(events: Iterable[SourceEvent]) -> list[tuple[Outcome, int, bool]]:
    return [(e.outcome, e.occurred_ms, e.inferred) for e in events if isinstance(e, QueueLeft)]


def test_a_mail_waits_from_its_receipt_until_the_first_answer_of_a_human() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    story.look(NOW + 5, sent=[ours("auto", NOW, uid=1, names=["a"], is_automatic=True)], present=[1])
    assert left(story.events) == []
    story.look(NOW + 9, sent=[ours("b", NOW + 7, uid=2, names=["a"])], present=[1])
    story.look(NOW + 9, sent=[ours("c", NOW + 8, uid=3, names=["a", "b"])], present=[1])

    (entered,) = of(story.events, QueueEntered)
    assert isinstance(entered, QueueEntered)
    assert (entered.contact, entered.queue, entered.channel) == ("mail/a", "support-mail", Channel.EMAIL)
    assert entered.occurred_ms == NOW - HOUR
    assert left(story.events) == [(Outcome.ANSWERED, NOW + 7, False)]
    authors = [e.author for e in story.events if isinstance(e, MessageOut)]
    assert authors == [Author.BOT, Author.AGENT, Author.AGENT]


def test_it_is_closed_when_it_leaves_the_inbox() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    story.look(NOW + 5, sent=[ours("b", NOW + 4, uid=2, names=["a"])], present=[1])
    told = story.look(NOW + 10, present=[])

    assert [type(e).__name__ for e in told] == ["TalkEnded", "ContactEnded"]
    assert {(e.occurred_ms, e.inferred) for e in told} == {(NOW + 10, True)}
    assert story.look(NOW + 20, present=[]) == []


def test_one_that_leaves_unanswered_is_closed_or_nobody_knows() -> None:
    for closed, outcome in ((None, Outcome.CLOSED), ({"a"}, Outcome.CLOSED), (set[str](), Outcome.UNKNOWN)):
        story = Story()
        story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1], closed=closed)
        story.look(NOW + 10, present=[], closed=closed)
        assert left(story.events) == [(outcome, NOW + 10, True)]


def test_another_message_of_the_thread_keeps_it_open_and_is_no_second_contact() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    story.look(NOW + 5, inbox=[customer("b", NOW, uid=2, names=["a"])], present=[2])

    assert len(of(story.events, QueueEntered)) == 1
    assert left(story.events) == []


def test_one_that_comes_after_the_end_opens_it_again() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    story.look(NOW + 10, present=[])
    told = story.look(NOW + 20, inbox=[customer("c", NOW + 15, uid=3, names=["a"])], present=[3])

    entered = [(e.contact, e.segment) for e in story.events if isinstance(e, QueueEntered)]
    assert entered == [("mail/a", "mail/a/a"), ("mail/a", "mail/a/c")]
    assert len({event.id for event in story.events}) == len(story.events)
    assert left(told) == []


def test_an_answer_that_only_a_flag_tells_of_is_waited_for_once() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    assert left(story.look(NOW + 10, present=[1], answered=[1])) == []
    assert left(story.look(NOW + 20, present=[1], answered=[1])) == [(Outcome.ANSWERED, NOW + 10, True)]


def test_an_answer_that_is_seen_later_than_its_flag_is_the_answer() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    story.look(NOW + 10, present=[1], answered=[1])
    story.look(NOW + 20, sent=[ours("b", NOW + 8, uid=2, names=["a"])], present=[1], answered=[1])

    assert left(story.events) == [(Outcome.ANSWERED, NOW + 8, False)]


def test_machines_begin_no_contact() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW, uid=1, is_automatic=True)], present=[1])

    assert (story.events, story.dropped) == ([], 1)


def test_what_we_write_first_is_no_contact_until_it_is_answered() -> None:
    story = Story()
    story.look(NOW, sent=[ours("o", NOW, uid=1)])
    assert story.events == []
    story.look(NOW + 10, inbox=[customer("a", NOW + 5, uid=1, names=["o"])], present=[1])
    assert len(of(story.events, QueueEntered)) == 1


def test_a_thread_is_found_by_any_message_that_is_named() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    story.look(NOW, sent=[ours("b", NOW, uid=1, names=["a"])], present=[1])
    story.look(NOW + 5, inbox=[customer("c", NOW + 1, uid=2, names=["b"])], present=[1, 2])

    assert len(of(story.events, QueueEntered)) == 1


def test_a_restart_goes_on_where_it_was() -> None:
    before = Story()
    before.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1), customer("z", NOW - 9, uid=2)], present=[1, 2])
    mailbox = Mailbox(SOURCE, PSEUDONYMS)
    mailbox.remember(before.mailbox.memory())
    after = Story(mailbox)
    told = after.look(NOW + 10, inbox=[customer("z", NOW - 9, uid=2)], present=[2])

    assert left(told) == [(Outcome.CLOSED, NOW + 10, True)]
    assert of(told, QueueEntered) == []


def test_a_memory_that_cannot_be_read_is_as_none() -> None:
    mailbox = Mailbox(SOURCE, PSEUDONYMS)
    mailbox.remember("{")
    mailbox.remember(None)

    assert mailbox.open_uids() == set()


def test_numbers_that_are_given_anew_close_nothing() -> None:
    story = Story()
    story.look(NOW, inbox=[customer("a", NOW - HOUR, uid=1)], present=[1])
    story.mailbox.renumber()
    told = story.look(NOW + 10, inbox=[customer("a", NOW - HOUR, uid=900)], present=[900])

    assert left(told) == []


def test_what_is_told_in_one_look_is_in_the_order_in_which_it_happened() -> None:
    story = Story()
    told = story.look(
        NOW,
        inbox=[customer("c", NOW - 5, uid=3), customer("a", NOW - HOUR, uid=1)],
        sent=[ours("b", NOW - 60, uid=2, names=["a"])],
        present=[1, 3],
    )

    assert [e.occurred_ms for e in told] == sorted(e.occurred_ms for e in told)

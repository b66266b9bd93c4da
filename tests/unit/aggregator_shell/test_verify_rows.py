"""What `vigie verify` says of rows: each as of the event that it knows, at its own instant."""

from msgspec import structs

from schemas import codec
from schemas.board import QueueRow, Ratio, SiteRow
from schemas.config import Config
from schemas.events import AnyEvent, QueueEntered, QueueLeft, SourceHeartbeat
from schemas.vocabulary import Channel, Outcome, WindowName
from services.aggregator.core.partition import Partition
from services.aggregator.verify import rows
from services.aggregator.verify.afresh import Afresh
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.reach import Reach
from services.aggregator.verify.rows import Shown
from tests.unit.aggregator_shell.kafka_records import event_record

START_MS = 1_795_600_005_000
AT_MS = START_MS + 60_000
KEY = codec.queue_key("main", "support")


def entered(contact: str, at_ms: int, *, queue: str = "support", channel: Channel | None = None) -> AnyEvent:
    return QueueEntered(
        id=f"{contact}-in",
        source="pbx1",
        site="main",
        occurred_ms=at_ms,
        received_ms=at_ms,
        contact=contact,
        queue=queue,
        channel=channel,
    )


def left(contact: str, at_ms: int, *, queue: str = "support") -> AnyEvent:
    return QueueLeft(
        id=f"{contact}-out",
        source="pbx1",
        site="main",
        occurred_ms=at_ms,
        received_ms=at_ms,
        contact=contact,
        queue=queue,
        outcome=Outcome.ABANDONED,
    )


def heartbeat(at_ms: int) -> AnyEvent:
    return SourceHeartbeat(
        id=f"beat-{at_ms}", source="pbx1", site="main", occurred_ms=at_ms, received_ms=at_ms
    )


LOG = [
    entered("c1", START_MS),
    entered("c2", START_MS + 4000),
    left("c1", START_MS + 9000),
    heartbeat(AT_MS - 2000),
]


def afresh(events: list[AnyEvent]) -> Afresh:
    fold = Afresh(0, Config(), START_MS)
    for offset, event in enumerate(events):
        value, appended_ms = codec.encode(event), event.received_ms + 3
        fold.fold(event_record(offset, value, timestamp=appended_ms, key=event.site.encode()))
    return fold


def shown(events: list[AnyEvent], at_ms: int = AT_MS) -> dict[bytes, Shown]:
    """The rows of a worker that took all in one fetch, shortly before `at_ms`."""
    worker = Partition(0, Config(), at_ms - 500)
    for offset, event in enumerate(events):
        worker.fold(codec.encode(event), offset=offset, appended_ms=event.received_ms + 3, now_ms=at_ms - 500)
    worker.advance(at_ms)
    return {
        each.key: Shown(
            key=each.key,
            row=codec.decode_row(codec.decode_key(each.key)[0], each.value or b""),
            applied=worker.applied,
        )
        for each in worker.rows(at_ms, everything=True)
    }


def compared(board: dict[bytes, Shown], fold: Afresh, reach: Reach | None = None) -> Findings:
    findings = Findings()
    rows.compare(board.values(), fold, reach or Reach(), findings)
    return findings


def details(findings: Findings) -> list[str]:
    return [each.detail for each in findings.differences]


def test_rows_of_a_worker_are_those_of_the_fold() -> None:
    found = compared(shown(LOG), afresh(LOG))

    assert details(found) == []
    assert found.compared == {"queue rows": 1, "site rows": 1}


def test_one_figure_that_is_wrong_is_named() -> None:
    board = shown(LOG)
    row = board[KEY].row
    assert isinstance(row, QueueRow)
    board[KEY] = structs.replace(board[KEY], row=structs.replace(row, waiting=5))

    found = compared(board, afresh(LOG))

    assert details(found) == ["waiting: 5 instead of 1"]
    assert [each.name for each in found.differences] == ['["queue","main","support"]']


def test_a_row_that_lacks_an_event_it_says_to_know_is_found() -> None:
    found = compared(shown(LOG[:2] + LOG[3:]), afresh(LOG))

    assert "waiting: 2 instead of 1" in details(found)


def test_a_row_of_nothing_is_found() -> None:
    board = shown(LOG)
    row = board[KEY].row
    assert isinstance(row, QueueRow)
    other = codec.queue_key("main", "other")

    found = compared(
        {other: Shown(key=other, row=structs.replace(row, queue="other"), applied=3)}, afresh(LOG)
    )

    assert details(found) == ["shown, and nothing of the kind is in the log"]


def test_a_queue_without_a_row_is_found() -> None:
    findings, fold = Findings(), afresh(LOG)

    rows.missing("main", [], fold, findings)

    assert details(findings) == ["not shown, and the log tells of it"]


def test_a_trend_older_than_its_row_is_found() -> None:
    busy = [*LOG, left("c2", AT_MS - 1000)]
    board = shown(busy)
    row = board[KEY].row
    assert isinstance(row, QueueRow)
    older = structs.replace(row, trend=structs.replace(row.trend, abandoned=[7] * 60))
    board[KEY] = structs.replace(board[KEY], row=older)

    found = compared(board, afresh(busy))

    assert [line.split(":")[0] for line in details(found)] == ["trend.abandoned"]


def test_of_a_log_that_has_lost_its_beginning_only_young_figures_are_compared() -> None:
    found = compared(shown(LOG), afresh(LOG), Reach(START_MS))

    assert details(found) == []
    assert found.omitted["rows of which a part is no longer in the log"] == 2

    found = compared(shown(LOG), afresh(LOG), Reach(START_MS - 48 * 3_600_000))
    assert details(found) == []
    assert found.omitted["rows of which a part is no longer in the log"] == 1  # the site's
    assert sum(found.compared.values()) == 1


def test_a_row_written_long_after_the_next_event_was_there_is_of_a_worker_behind() -> None:
    row = shown(LOG)[codec.site_key("main")]

    assert isinstance(row.row, SiteRow)
    assert rows.is_behind(row, AT_MS - 20_000)
    assert not rows.is_behind(row, AT_MS - 1000)
    assert not rows.is_behind(row, None)


MAIL = [
    entered("m1", START_MS, queue="mail", channel=Channel.EMAIL),
    entered("m2", START_MS + 1000, queue="mail", channel=Channel.EMAIL),
    left("m2", START_MS + 5000, queue="mail"),
]


def test_items_that_are_wrong_are_named() -> None:
    key = codec.queue_key("main", "mail")
    board = shown(MAIL)
    row = board[key].row
    assert isinstance(row, QueueRow)
    assert row.backlog is not None
    assert row.backlog.open == 1
    wrong = structs.replace(row.backlog, open=2, oldest_business_s=1.0)
    day = row.windows[WindowName.TODAY]
    windows = row.windows | {WindowName.TODAY: structs.replace(day, cleared=Ratio())}
    board[key] = structs.replace(board[key], row=structs.replace(row, backlog=wrong, windows=windows))

    found = [line.split(":")[0] for line in details(compared(board, afresh(MAIL)))]

    assert [line for line in found if line.startswith("backlog")] == [
        "backlog.oldest_business_s",
        "backlog.open",
    ]
    assert {"windows.today.cleared.value", "windows.today.cleared.numerator"} <= set(found)


def test_an_item_that_entered_before_the_log_begins_hides_its_row() -> None:
    row = shown(MAIL)[codec.queue_key("main", "mail")].row
    assert isinstance(row, QueueRow)
    reach = Reach(row.as_of_ms - 48 * 3_600_000)
    assert reach.covers(row)
    assert row.backlog is not None
    older = structs.replace(row.backlog, oldest_ms=row.as_of_ms - 60 * 3_600_000)
    assert not reach.covers(structs.replace(row, waiting=0, oldest_entered_ms=None, backlog=older))
    assert not reach.counts("windows.60m.cleared_business.numerator: 3 instead of 4")

"""The records of one delivery, and of one destination of an alert: do they fit together? Decision 14.

An outcome stands: what is over is not sent again, and no two outcomes contradict each other. Nothing
has an outcome that was not recorded as `sending` before. Per alert and destination notices leave one
after the other, and none but `fired` goes where nothing has arrived.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.board import Alert
from schemas.deliveries import GIVE_UP_MS, Delivery, DeliveryState
from schemas.vocabulary import OPEN_ALERT_STATES, Notice

_LATE_MS = 300_000
"""By how much a delivery may outlive its hour: the last try, a full line, a start of the notifier."""


class Recorded(NamedTuple):
    """One record of `vigie.deliveries`. `at_ms`: its timestamp."""

    partition: int
    offset: int
    at_ms: int
    delivery: Delivery


def name_of(delivery: Delivery) -> str:
    what = f"{delivery.notice} of {delivery.alert_id} version {delivery.version}"
    return f"{delivery.delivery_id} ({what}, {delivery.person} by {delivery.channel})"


def contradictions(records: Sequence[Recorded]) -> Iterator[str]:
    """What one delivery's records, oldest first, say against each other."""
    first = _identity(records[0].delivery)
    if any(_identity(each.delivery) != first for each in records):
        yield "its records are about different things"
    over: Delivery | None = None
    sent: set[int] = set()
    for each in (record.delivery for record in records):
        if over is not None and not _repeats(over, each):
            yield f"{each.state} (try {each.attempt}) after {over.state} (try {over.attempt})"
        if each.state is DeliveryState.SENDING:
            sent.add(each.attempt)
        elif _is_of_a_try(each) and each.attempt not in sent:
            yield f"{each.state} (try {each.attempt}), and no record that it was sent"
        if each.state is DeliveryState.GIVEN_UP and each.at_ms - each.since_ms < GIVE_UP_MS:
            yield f"given up after {(each.at_ms - each.since_ms) / 1000:g} s"
        over = each if each.is_over else over


def unfinished(last: Delivery, now_ms: int) -> str | None:
    """That a delivery should long be over, and is not."""
    if last.is_over or now_ms - last.since_ms <= GIVE_UP_MS + _LATE_MS:
        return None
    return f"still {last.state} {(now_ms - last.since_ms) // 60_000} min after it was due"


def out_of_order(line: Sequence[Sequence[Recorded]]) -> Iterator[tuple[Delivery, str]]:
    """Of one alert and destination, its deliveries by version: which left too early, and why."""
    for number, records in enumerate(line):
        delivery = records[-1].delivery
        begun = next((r.offset for r in records if r.delivery.state is DeliveryState.SENDING), None)
        if begun is None:
            continue
        before = [[r.delivery for r in earlier if r.offset < begun] for earlier in line[:number]]
        for known, earlier in zip(before, line[:number], strict=True):
            if not known or not known[-1].is_over:
                yield delivery, f"sent before version {earlier[-1].delivery.version} was over"
        if delivery.notice is not Notice.FIRED and not any(d.has_told for known in before for d in known):
            yield delivery, "sent, and nothing had arrived that tells of its beginning"


def wrongly_overtaken(
    line: Sequence[Sequence[Recorded]], versions: Mapping[int, Alert], notices: Mapping[int, Notice | None]
) -> Iterator[tuple[Delivery, str]]:
    """Of one alert and destination: what did not leave, and nothing says why it need not."""
    for number, records in enumerate(line):
        last = records[-1].delivery
        if last.state is not DeliveryState.OVERTAKEN:
            continue
        later = [version for version in versions if version > last.version]
        if last.notice is Notice.FIRED:
            if all(versions[version].state in OPEN_ALERT_STATES for version in later):
                yield last, "overtaken, and the episode is not over"
        elif not any(notices[version] for version in later) and any(
            r.delivery.has_told for earlier in line[:number] for r in earlier
        ):
            yield last, "overtaken, and nothing newer was to be told"


def _identity(delivery: Delivery) -> tuple[object, ...]:
    what = (delivery.alert_id, delivery.version, delivery.notice, delivery.site, delivery.queue)
    return (*what, delivery.person, delivery.channel, delivery.kind)


def _repeats(over: Delivery, each: Delivery) -> bool:
    """Whether a record after an outcome says no other: told and told, or not told and not told."""
    return each == over or (each.is_over and each.has_told == over.has_told)


def _is_of_a_try(delivery: Delivery) -> bool:
    """Whether the record tells what a try came to."""
    if delivery.attempt:
        return True
    return delivery.state not in (DeliveryState.PENDING, DeliveryState.OVERTAKEN, DeliveryState.REJECTED)

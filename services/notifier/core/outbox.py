"""The outbox: a fold of `vigie.alerts` and `vigie.deliveries` that says what is to leave now.

An episode is one alert with the notices it made. Per episode and destination they leave one after the
other, in the order of versions; the next waits for the outcome of the one before. What has not left is
overtaken, and the ledger says so:
- `fired` by the end of the episode: nobody is called for what is over;
- any other by a newer notice, or when the destination was never told that it began. So the resolved
  notice follows the fired one, and goes to nobody else.
A try that may have arrived counts as told: its notice is not overtaken but ends as `ambiguous`.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct, structs

from schemas.board import Alert
from schemas.config import ChannelConfig, Config
from schemas.deliveries import GIVE_UP_MS, Delivery, DeliveryState
from schemas.notices import notice_of
from schemas.recipients import Destination, Nobody, delivery_id, destinations, kind_of, recipients
from schemas.vocabulary import OPEN_ALERT_STATES, Notice

PER_DESTINATION = 4
ALL_TOGETHER = 64
"""Tries under way at once."""

KEPT_ALERTS = 2000
"""Alerts that are remembered when they are over: what is published again must not be told again."""


class Try(NamedTuple):
    """A try to make now: what to record first, what to send. `opening_id`: the delivery that began it all."""

    delivery: Delivery
    alert: Alert
    opening_id: str | None

    @property
    def destination(self) -> Destination:
        return Destination(self.delivery.person, self.delivery.channel)


class Taken(NamedTuple):
    """What the outbox wants done: records of what does not leave (now, or ever), and tries to make."""

    records: list[Delivery]
    tries: list[Try]


class _Item(Struct):
    """A notice on its way. `alert`: as it was at that version, so that every try says the same."""

    delivery: Delivery
    alert: Alert
    is_recorded: bool = False
    is_under_way: bool = False


class _Line(Struct):
    """One destination of one episode. `opening_id`: the first delivery that reached it, or may have."""

    waiting: list[_Item] = []
    opening_id: str | None = None


class _Episode(Struct):
    """`offset`: where its first version stands in its partition of `vigie.alerts`."""

    alert: Alert
    partition: int
    offset: int
    lines: dict[Destination, _Line] = {}


class Outbox:
    """Every episode that may still need a notice.

    `nobody` collects alerts that reach nobody until it is emptied. `refusing`: destinations that said they
    want nothing more, kept by the caller over the life of the process.
    """

    def __init__(self, config: Config, refusing: set[Destination] | None = None) -> None:
        self.nobody: list[tuple[Alert, Nobody]] = []
        self._config = config
        self._channels: dict[Destination, ChannelConfig] = destinations(config)
        self._episodes: dict[str, _Episode] = {}
        self._ledger: dict[str, dict[str, Delivery]] = {}
        self._ended: OrderedDict[str, Alert] = OrderedDict()
        self._busy: set[str] = set()
        self._under_way: dict[Destination, int] = defaultdict(int)
        self._held_until_ms: dict[Destination, int] = {}
        self._refusing = refusing if refusing is not None else set()

    def restore(self, delivery: Delivery) -> None:
        """A record of an earlier life; the newest of a delivery stands. Before the alerts, please."""
        self._note(delivery)

    def apply(self, alert: Alert, *, partition: int, offset: int, now_ms: int) -> None:
        """One record of `vigie.alerts`. A repeat, or the answer to a refused command, changes nothing."""
        episode = self._episodes.get(alert.alert_id)
        before = episode.alert if episode is not None else self._ended.get(alert.alert_id)
        if before is not None and alert.version <= before.version:
            return
        notice = notice_of(before, alert)
        if episode is None:
            if notice is None:
                return
            episode = self._episodes[alert.alert_id] = _Episode(alert, partition, offset, {})
        episode.alert = alert
        if notice is not None:
            self._plan(episode, notice, now_ms)
        self._forget_old(episode, now_ms)
        self._forget_if_done(episode)

    def take(self, now_ms: int) -> Taken:
        """What is due now. The tries count as under way until `finish` is told of them."""
        self._trim()
        taken = Taken([], [])
        for alert_id in list(self._busy):
            episode = self._episodes[alert_id]
            for destination, line in episode.lines.items():
                self._take_from(episode, destination, line, now_ms, taken)
            self._forget_if_done(episode)
        return taken

    def finish(self, delivery: Delivery, *, is_last: bool = False) -> None:
        """A try has ended and its outcome is recorded. `is_last`: its destination wants nothing more."""
        destination = Destination(delivery.person, delivery.channel)
        self._under_way[destination] -= 1
        self._note(delivery)
        if is_last:
            self._refusing.add(destination)
        if delivery.state is DeliveryState.THROTTLED and delivery.due_ms is not None:
            self._held_until_ms[destination] = delivery.due_ms
        episode = self._episodes.get(delivery.alert_id)
        line = episode.lines.get(destination) if episode is not None else None
        if episode is None or line is None:  # its partition has gone to another notifier meanwhile
            return
        for item in line.waiting:
            if item.delivery.delivery_id == delivery.delivery_id:
                item.delivery, item.is_under_way = delivery, False
        _settle(line)
        self._forget_if_done(episode)

    def release(self, partitions: Iterable[int]) -> set[str]:
        """These partitions are no longer ours; gives the alerts that are forgotten with them."""
        ours = set(partitions)
        gone = {alert_id for alert_id, episode in self._episodes.items() if episode.partition in ours}
        self._busy -= gone
        for alert_id in gone:
            del self._episodes[alert_id]
        return gone

    def low_mark(self, partition: int) -> int | None:
        """Where reading must begin again after a restart: the first record of what is not over, if any."""
        offsets = (each.offset for each in self._episodes.values() if each.partition == partition)
        return min(offsets, default=None)

    def next_due_ms(self, now_ms: int) -> int | None:
        """When `take`, which found nothing more at `now_ms`, will find something if nothing else happens."""
        due = [
            max(head.delivery.due_ms or now_ms, self._held_until_ms.get(destination, 0))
            for alert_id in self._busy
            for destination, line in self._episodes[alert_id].lines.items()
            if (head := next(iter(line.waiting), None)) is not None and not head.is_under_way
        ]
        return min((each for each in due if each > now_ms), default=None)

    def waiting(self) -> list[Delivery]:
        """Deliveries that are not over."""
        return [
            item.delivery
            for alert_id in self._busy
            for line in self._episodes[alert_id].lines.values()
            for item in line.waiting
        ]

    @property
    def open_episodes(self) -> int:
        return sum(each.alert.state in OPEN_ALERT_STATES for each in self._episodes.values())

    @property
    def refusing(self) -> int:
        """Destinations that said they want nothing more."""
        return len(self._refusing)

    def _plan(self, episode: _Episode, notice: Notice, now_ms: int) -> None:
        alert = episode.alert
        found = recipients(self._config, alert)
        if isinstance(found, Nobody):
            if now_ms - _told_ms(alert) <= GIVE_UP_MS:  # older: history, told by an earlier life
                self.nobody.append((alert, found))
            found = []
        told = self._ledger.get(alert.alert_id, {})
        others = {*_destinations_of(told.values()), *episode.lines} - {*found}
        for destination in [*found, *sorted(others)]:
            channel = self._channels.get(destination)
            if channel is None:  # the settings no longer say how to reach it
                continue
            line = episode.lines.get(destination)
            if line is None:
                opening_id = _opening_id(told.values(), destination, before=alert.version)
                line = episode.lines[destination] = _Line([], opening_id)
            delivery = self._delivery(alert, notice, destination, channel, now_ms)
            known = told.get(delivery.delivery_id)
            line.waiting.append(_Item(known or delivery, alert, is_recorded=known is not None))
            if known is not None:
                self._take_up(line.waiting[-1], destination, now_ms)
            _settle(line)
        self._busy.add(alert.alert_id)

    def _delivery(
        self, alert: Alert, notice: Notice, destination: Destination, channel: ChannelConfig, now_ms: int
    ) -> Delivery:
        person, name = destination
        return Delivery(
            delivery_id=delivery_id(alert.alert_id, alert.version, channel=name, person=person),
            alert_id=alert.alert_id,
            version=alert.version,
            notice=notice,
            site=alert.site,
            queue=alert.queue,
            person=person,
            channel=name,
            kind=kind_of(channel),
            state=DeliveryState.PENDING,
            since_ms=now_ms,
            at_ms=now_ms,
        )

    def _take_up(self, item: _Item, destination: Destination, now_ms: int) -> None:
        """A delivery of an earlier life. One that was being sent may have arrived: we died before we knew."""
        delivery = item.delivery
        if delivery.state is DeliveryState.SENDING:
            item.delivery = structs.replace(delivery, doubtful=True, due_ms=now_ms)
        elif delivery.state is DeliveryState.THROTTLED and delivery.due_ms is not None:
            held_ms = self._held_until_ms.get(destination, 0)
            self._held_until_ms[destination] = max(held_ms, delivery.due_ms)

    def _take_from(
        self, episode: _Episode, destination: Destination, line: _Line, now_ms: int, taken: Taken
    ) -> None:
        while line.waiting and not line.waiting[0].is_under_way:
            head = line.waiting[0]
            final = self._final_state(episode, destination, line)
            if final is None:
                break
            state, reason = final
            head.delivery = structs.replace(
                head.delivery, state=state, at_ms=now_ms, due_ms=None, reason=reason
            )
            taken.records.append(head.delivery)
            self._note(head.delivery)
            _settle(line)
        for item in line.waiting:
            if item.is_under_way:
                continue
            if item is line.waiting[0] and self._may_leave(item, destination, now_ms):
                self._start(item, line, destination, now_ms, taken)
            elif not item.is_recorded:  # it has to wait: people who look should see that it does
                item.is_recorded = True
                taken.records.append(item.delivery)

    def _final_state(
        self, episode: _Episode, destination: Destination, line: _Line
    ) -> tuple[DeliveryState, str] | None:
        """The end of the head of a line that is not worth a (further) try, and why; None: it is."""
        delivery = line.waiting[0].delivery
        is_ended = episode.alert.state not in OPEN_ALERT_STATES
        why = None
        if delivery.notice is Notice.FIRED:
            why = "episode over" if is_ended else None
        elif len(line.waiting) > 1:
            why = "newer notice"
        elif line.opening_id is None:
            why = "never told that it began"
        if why is not None:
            return (DeliveryState.AMBIGUOUS if delivery.doubtful else DeliveryState.OVERTAKEN), why
        if destination in self._refusing:
            return DeliveryState.REJECTED, "refuses everything"
        return None

    def _may_leave(self, item: _Item, destination: Destination, now_ms: int) -> bool:
        due_ms = max(item.delivery.due_ms or 0, self._held_until_ms.get(destination, 0))
        return (
            due_ms <= now_ms
            and self._under_way[destination] < PER_DESTINATION
            and sum(self._under_way.values()) < ALL_TOGETHER
        )

    def _start(self, item: _Item, line: _Line, destination: Destination, now_ms: int, taken: Taken) -> None:
        item.delivery = structs.replace(
            item.delivery,
            state=DeliveryState.SENDING,
            attempt=item.delivery.attempt + 1,
            at_ms=now_ms,
            due_ms=None,
            reason=None,
        )
        item.is_under_way = item.is_recorded = True
        self._under_way[destination] += 1
        taken.tries.append(Try(item.delivery, item.alert, line.opening_id))

    def _forget_old(self, episode: _Episode, now_ms: int) -> None:
        """What ended long ago and was never told of is history: the first start on an old log reads it."""
        alert = episode.alert
        if (
            alert.state not in OPEN_ALERT_STATES
            and now_ms - _told_ms(alert) > GIVE_UP_MS
            and not any(
                line.opening_id or item.is_recorded or item.is_under_way
                for line in episode.lines.values()
                for item in line.waiting
            )
        ):
            for line in episode.lines.values():
                line.waiting.clear()

    def _forget_if_done(self, episode: _Episode) -> None:
        alert_id = episode.alert.alert_id
        if any(line.waiting for line in episode.lines.values()):
            return
        self._busy.discard(alert_id)
        if episode.alert.state not in OPEN_ALERT_STATES:
            self._episodes.pop(alert_id, None)
            self._ended[alert_id] = episode.alert
            self._ended.move_to_end(alert_id)
            if len(self._ended) > KEPT_ALERTS:
                self._ended.popitem(last=False)

    def _note(self, delivery: Delivery) -> None:
        self._ledger.setdefault(delivery.alert_id, {})[delivery.delivery_id] = delivery

    def _trim(self) -> None:
        """Lets go of what the ledger says of alerts that are over, the oldest first. Not while reading the
        log: of alerts that are yet to be read everything must be known.
        """
        excess = len(self._ledger) - KEPT_ALERTS
        if excess > 0:
            for alert_id in [each for each in self._ledger if each not in self._episodes][:excess]:
                del self._ledger[alert_id]


def _settle(line: _Line) -> None:
    """Lets go of what is over at the head of the line, and remembers whether it told."""
    while line.waiting and line.waiting[0].delivery.is_over:
        delivery = line.waiting.pop(0).delivery
        if delivery.has_told and line.opening_id is None:
            line.opening_id = delivery.delivery_id


def _told_ms(alert: Alert) -> int:
    """The instant of the newest thing said about an alert."""
    return max(alert.resolved_ms or 0, alert.updated_ms or 0, alert.fired_ms)


def _destinations_of(deliveries: Iterable[Delivery]) -> set[Destination]:
    return {Destination(each.person, each.channel) for each in deliveries}


def _opening_id(deliveries: Iterable[Delivery], destination: Destination, *, before: int) -> str | None:
    """The first delivery of an earlier version that reached the destination, or may have."""
    told = [
        (each.version, each.delivery_id)
        for each in deliveries
        if each.has_told and each.version < before and (each.person, each.channel) == destination
    ]
    return min(told)[1] if told else None

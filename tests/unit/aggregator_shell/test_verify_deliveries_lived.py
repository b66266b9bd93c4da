"""What the notifier's own rules record, whatever happens to it, is right by `vigie verify`."""

from collections import defaultdict

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.board import Alert
from schemas.deliveries import Delivery, DeliveryState
from schemas.topics import partition_of
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState
from services.aggregator.verify.deliveries import Evidence, Story, judge
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.outcomes import Recorded
from services.notifier.core import retry
from services.notifier.core.outbox import Outbox, Try
from services.notifier.core.retry import Outcome
from tests.unit.api.rows import NOW
from tests.unit.notifier import told
from tests.unit.notifier.told import led_by

CENTRE = led_by("lea", "bob")
NAMES = ("00000000000000a1", "00000000000000b2", "00000000000000c3")
STEPS = ("fire", "acknowledge", "suppress", "again", "resolve", "correct", "count")
OUTCOMES = (
    Outcome(state=DeliveryState.DELIVERED),
    Outcome(state=DeliveryState.UNAVAILABLE),
    Outcome(state=DeliveryState.AMBIGUOUS),
    Outcome(state=DeliveryState.REJECTED),
)

acts = st.one_of(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 2)),
    st.tuples(st.just("begin"), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, len(OUTCOMES) - 1)),
    st.tuples(st.just("crash"), st.integers(0, 1)),
)


class Life:
    """Alerts as the aggregator tells them, and a notifier that dies now and then."""

    def __init__(self) -> None:
        self.now_ms = NOW
        self.alerts: list[Alert] = []
        self.records: list[Recorded] = []
        self._lives = {name: told.Story(name) for name in NAMES}
        self._known: dict[str, Alert] = {}
        self._outbox = Outbox(CENTRE)
        self._under_way: list[Try] = []
        self._mark = 0

    def act(self, what: str, which: int) -> None:
        self.now_ms += 1000
        if what == "begin":
            self._begin()
        elif what == "end" and self._under_way:
            self._end(OUTCOMES[which])
        elif what == "crash":
            self._crash(is_committed=bool(which))
        elif what in STEPS:
            self._step(what, NAMES[which])

    def settle(self) -> None:
        """Everything arrives from now on, and a while passes."""
        self._begin()
        while self._under_way:
            self.now_ms += 1000
            self._end(OUTCOMES[0])
            self._begin()

    def judged(self) -> Findings:
        stories: dict[str, Story] = defaultdict(Story)
        for alert in self.alerts:
            stories[alert.alert_id].add(alert, NOW)
        findings, last_ms = Findings(), self.now_ms + 600_000
        evidence = Evidence(stories=stories, records=self.records, config=CENTRE, now_ms=last_ms)
        judge(evidence, findings)
        return findings

    def _step(self, what: str, name: str) -> None:
        life, now = self._lives[name], self._known.get(name)
        alert = self._moved(life, now, what) if now is not None else life.now if what == "fire" else None
        if alert is None:
            return
        self._known[name] = alert
        self.alerts.append(alert)
        self._hear(len(self.alerts) - 1)

    def _moved(self, life: told.Story, now: Alert, what: str) -> Alert | None:
        is_open = now.state in OPEN_ALERT_STATES
        if what == "correct" and not is_open:  # it was due after all
            return life.moved(AlertState.FIRING, resolved_ms=None)
        if what == "acknowledge" and now.state is AlertState.FIRING:
            return life.acknowledged()
        if what == "suppress" and now.state in (AlertState.FIRING, AlertState.ACKNOWLEDGED):
            return life.suppressed()
        if what == "again" and now.state is AlertState.SUPPRESSED:
            return life.back(AlertState.FIRING)
        if what == "count" and is_open:  # figures brought up to date: nobody is told
            return life.moved(now.state, episodes_10m=now.episodes_10m + 1)
        return life.resolved() if what == "resolve" and is_open else None

    def _hear(self, offset: int) -> None:
        self._outbox.apply(self.alerts[offset], partition=0, offset=offset, now_ms=self.now_ms)

    def _begin(self) -> None:
        self._commit()
        taken = self._outbox.take(self.now_ms + 3_000_000)
        self._write(*taken.records, *(each.delivery for each in taken.tries))
        self._under_way += taken.tries

    def _end(self, outcome: Outcome) -> None:
        made = self._under_way.pop(0)
        delivery = retry.after(made.delivery, outcome, now_ms=self.now_ms, chance=0.0)
        self._write(delivery)
        self._outbox.finish(delivery)

    def _commit(self) -> None:
        low = self._outbox.low_mark(0)
        self._mark = len(self.alerts) if low is None else low

    def _crash(self, *, is_committed: bool) -> None:
        if is_committed:
            self._commit()
        self._outbox, self._under_way = Outbox(CENTRE), []
        for record in self.records:
            self._outbox.restore(record.delivery)
        for offset in range(self._mark, len(self.alerts)):
            self._hear(offset)

    def _write(self, *deliveries: Delivery) -> None:
        for each in deliveries:
            place = partition_of(each.alert_id.encode(), 4)
            self.records.append(Recorded(place, len(self.records), self.now_ms, each))


BOTH = [("begin", 0), ("end", 0), ("end", 0)]
"""What is due is sent to both leads, and arrives."""


@given(st.lists(acts, max_size=60))
@example([("fire", 0), *BOTH, ("fire", 1), *BOTH, ("count", 0), ("resolve", 0), *BOTH, ("crash", 1)])
def test_what_a_notifier_records_is_right_whenever_it_dies(happened: list[tuple[str, int]]) -> None:
    life = Life()
    for what, which in happened:
        life.act(what, which)

    assert life.judged().differences == []

    life.settle()
    life.now_ms += 120_000
    life._write(replace(life.records[-1].delivery)) if life.records else None
    found = life.judged()
    assert found.differences == []
    assert found.compared["deliveries under way"] == 0

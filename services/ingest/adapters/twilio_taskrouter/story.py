"""TaskRouter's events → our facts, each by itself. Pure; remembers nothing from one to the next.

Which event tells what: the table in docs/sources/twilio_taskrouter.md. What ends a talk or a wrap-up is
told with the agent and without the queue: after a transfer the task is in another queue already, and the
visit is the one that the agent accepted last (docs/decisions/0009, 3).
"""

from collections.abc import Callable, Mapping

from msgspec import structs

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import QueueLeft, SourceEvent, TalkEnded, WrapEnd, WrapStart
from schemas.vocabulary import AgentState, Channel, OfferEnd, Outcome, TransferKind
from services.ingest.adapters.twilio_taskrouter import workers
from services.ingest.adapters.twilio_taskrouter.attributes import CHANNELS
from services.ingest.adapters.twilio_taskrouter.payload import Payload
from services.ingest.adapters.twilio_taskrouter.tasks import (
    Task,
    Visit,
    at_ms_of,
    is_settled,
    outcome_of,
    queue_of,
    task_of,
)
from services.ingest.facts import Facts, Spot
from services.ingest.names import fit
from services.ingest.translated import Pseudonyms

WEAK = -1
"""Rank of what is only derived: whatever is told goes before it."""
MAX_CAPACITY = 1000

UNUSED = frozenset(
    {
        *("task.updated", "task.transfer-attempt-failed", "task.transfer-failed", "task.transfer-canceled"),
        *("workflow.created", "workflow.updated", "workflow.deleted", "workflow.entered"),
        *("workflow.target-matched", "workflow.skipped"),
        *("task-queue.created", "task-queue.updated", "task-queue.deleted", "task-queue.expression.updated"),
        *("task-channel.created", "task-channel.updated", "task-channel.deleted"),
        *("activity.created", "activity.updated", "activity.deleted"),
        *("workspace.created", "workspace.updated", "workspace.deleted"),
        "worker.attributes.update",
    }
)
"""Known, and telling nothing that counts."""


class Story:
    """Writes facts for one source; `take` hands over those of the last payload."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._pseudonyms = pseudonyms
        self._facts = Facts(source)
        self._weak = Facts(source, rank=WEAK)
        self._derived = Facts(source, rank=WEAK, precision_ms=1000)
        self.tellers: Mapping[str, Callable[[Payload], None]] = {
            "task.created": self._created,
            "task-queue.entered": self._entered,
            "task-queue.moved": lambda p: self._left(p, Outcome.TRANSFERRED),
            "task-queue.timeout": lambda p: self._left(p, Outcome.TIMEOUT),
            "workflow.timeout": self._workflow_over,
            "task.canceled": self._canceled,
            "task.wrapup": self._wrapping,
            "task.completed": self._completed,
            "task.deleted": lambda p: self._deleted(p, Outcome.CLOSED),
            "task.system-deleted": lambda p: self._deleted(p, Outcome.TIMEOUT),
            "task.transfer-initiated": self._transfer,
            "task.transfer-completed": self._transfer,
            "reservation.created": self._offered,
            "reservation.accepted": self._accepted,
            "reservation.rejected": self._not_answered,
            "reservation.timeout": self._not_answered,
            "reservation.canceled": lambda p: self._offer_over(p, _why_canceled(p, source)),
            "reservation.rescinded": lambda p: self._offer_over(p, OfferEnd.LOST_RACE),
            "reservation.failed": self._failed,
            "reservation.wrapup": self._talk_over,
            "reservation.completed": self._wrapped_up,
            "worker.created": self._activity,
            "worker.activity.update": self._activity,
            "worker.capacity.update": self._capacity,
            "worker.channel.availability.update": self._capacity,
            "worker.deleted": self._worker_gone,
        }
        """By TaskRouter's type. Each raises `InvalidMessage` for a payload that says too little."""

    def tell(self, payload: Payload, received_ms: int) -> list[SourceEvent]:
        """What the payload, of a type of `tellers`, tells. Raises `InvalidMessage`."""
        for facts in (self._facts, self._weak, self._derived):
            facts.received_ms = received_ms
        try:
            self.tellers[payload.type](payload)
        finally:
            told, weak = self._facts.take(), [*self._weak.take(), *self._derived.take()]
        events = told + [structs.replace(event, id=fit(f"{event.id}/derived")) for event in weak]
        return [_placed(_told_apart(event, payload), payload) for event in events]

    # --- tasks ---

    def _created(self, payload: Payload) -> None:
        task = self._task(payload)
        self._facts.created(
            task.contact,
            task.at_ms,
            channel=task.channel,
            customer=task.customer,
            direction=task.direction,
            key=task.sid,
        )

    def _entered(self, payload: Payload) -> None:
        task = self._task(payload)
        visit = task.needs_visit()
        if task.is_offered:
            self._facts.entered(visit, task.at_ms, channel=task.channel)

    def _left(self, payload: Payload, outcome: Outcome) -> None:
        task = self._task(payload)
        visit = task.needs_visit()
        if task.is_offered:
            self._had_entered(task, visit)
            self._facts.left(visit, task.at_ms, outcome=outcome)

    def _workflow_over(self, payload: Payload) -> None:
        """It need not name the queue; task.canceled does."""
        if self._task(payload).visit is not None:
            self._left(payload, Outcome.TIMEOUT)

    def _canceled(self, payload: Payload) -> None:
        """A task may be canceled before it ever was in a queue."""
        task = self._task(payload)
        if task.visit is not None:
            self._left(payload, outcome_of(payload, self._source.outcomes) or Outcome.CLOSED)
        self._ended(task, "canceled")

    def _wrapping(self, payload: Payload) -> None:
        task = self._task(payload)
        if task.is_offered and task.visit is not None:
            key = f"{task.sid}/wrapup"
            self._facts.talk_ended(task.visit, task.at_ms, agent=None, key=key)
            self._facts.wrap_start(task.visit, task.at_ms, agent=None, key=key)

    def _completed(self, payload: Payload) -> None:
        """Who was never answered, as far as was told, is gone nevertheless."""
        task = self._task(payload)
        if task.is_offered and task.visit is not None:
            key = f"{task.sid}/completed"
            self._facts.talk_ended(task.visit, task.at_ms, agent=None, key=key)
            self._facts.wrap_end(task.visit, task.at_ms, agent=None, key=key)
            self._facts.left(task.visit, task.at_ms, outcome=Outcome.UNKNOWN, inferred=True)
        self._ended(task, "completed")

    def _deleted(self, payload: Payload, outcome: Outcome) -> None:
        """Weak: applications delete tasks that were canceled, and those have left as they have."""
        task = self._task(payload)
        if task.is_offered and task.visit is not None and not is_settled(payload):
            self._weak.left(task.visit, task.at_ms, outcome=outcome)
        self._ended(task, "deleted")

    def _transfer(self, payload: Payload) -> None:
        """Told once: when a cold one begins, when a warm one is complete. One that fails is none."""
        task = self._task(payload)
        is_warm = (payload.text("transfer_mode") or "").lower() == "warm"
        if is_warm != payload.type.endswith("completed"):
            return
        is_to_queue = (payload.text("transfer_type") or "").lower() == "queue"
        alone = TransferKind.ATTENDED if is_warm else TransferKind.BLIND
        to = payload.text("transfer_to") if is_to_queue else None
        self._facts.transfer(
            task.contact,
            task.at_ms,
            kind=TransferKind.QUEUE if is_to_queue else alone,
            # once it is complete, the task stands in the queue that it went to
            from_queue=task.visit.queue if task.visit is not None and not is_warm else None,
            to_queue=queue_of(self._source, None, to) if to in self._source.map else None,
        )

    # --- reservations ---

    def _offered(self, payload: Payload) -> None:
        task, worker, number = self._reservation(payload)
        if task.is_offered:
            self._facts.offered(task.needs_visit(), task.at_ms, agent=worker, attempt=number)
        self._state(worker, AgentState.RINGING, task.at_ms, workers.RINGING)

    def _accepted(self, payload: Payload) -> None:
        task, worker, number = self._reservation(payload)
        if task.is_offered:
            visit = task.needs_visit()
            self._had_entered(task, visit)
            self._facts.accepted(visit, task.at_ms, agent=worker, key=number)
            self._facts.left(visit, task.at_ms, outcome=Outcome.ANSWERED, agent=worker)
        self._state(worker, AgentState.IN_CONTACT, task.at_ms, workers.TALKING)

    def _not_answered(self, payload: Payload) -> None:
        task, worker, number = self._reservation(payload)
        if task.is_offered:
            self._facts.no_answer(task.needs_visit(), task.at_ms, agent=worker, attempt=number)
        self._as_before(payload, worker, task.at_ms)

    def _offer_over(self, payload: Payload, reason: OfferEnd) -> None:
        task, worker, number = self._reservation(payload)
        if task.is_offered:
            visit = task.needs_visit()
            self._facts.offer_ended(visit, task.at_ms, agent=worker, attempt=number, reason=reason)
        self._as_before(payload, worker, task.at_ms)

    def _failed(self, payload: Payload) -> None:
        """It need not name the worker."""
        if workers.worker_of(payload, self._source.agents) is not None:
            self._offer_over(payload, OfferEnd.CANCELLED)

    def _talk_over(self, payload: Payload) -> None:
        task, worker, number = self._reservation(payload)
        if task.is_offered:
            self._facts.talk_ended(_of_agent(task), task.at_ms, agent=worker, key=number)
            self._facts.wrap_start(_of_agent(task), task.at_ms, agent=worker, key=number)
        self._state(worker, AgentState.WRAP_UP, task.at_ms, workers.WRAPPING)

    def _wrapped_up(self, payload: Payload) -> None:
        """Without wrap-up it is the end of the talk as well; the first end of a talk counts."""
        task, worker, number = self._reservation(payload)
        if task.is_offered:
            self._facts.talk_ended(_of_agent(task), task.at_ms, agent=worker, key=f"{number}/completed")
            self._facts.wrap_end(_of_agent(task), task.at_ms, agent=worker, key=number)
        self._as_before(payload, worker, task.at_ms)

    # --- workers ---

    def _activity(self, payload: Payload) -> None:
        worker, at_ms = self._worker(payload), at_ms_of(payload)
        if workers.activity_of(payload, self._source) is None and payload.type != "worker.created":
            raise InvalidMessage("worker_activity_name: missing")
        self._as_before(payload, worker, at_ms, workers.ACTIVITY)

    def _capacity(self, payload: Payload) -> None:
        """A state goes with it, and one who is available may be talking: then nothing can be told."""
        worker, at_ms = self._worker(payload), at_ms_of(payload)
        activity = workers.activity_of(payload, self._source)
        capacity = _capacity_of(payload)
        if activity is not None and activity.state is not AgentState.AVAILABLE and capacity:
            self._facts.agent_state(
                worker,
                activity.state,
                at_ms * 1000 + workers.ACTIVITY,
                reason=activity.reason,
                capacity=capacity,
            )

    def _worker_gone(self, payload: Payload) -> None:
        worker = self._worker(payload)
        self._state(worker, AgentState.OFFLINE, at_ms_of(payload), workers.ACTIVITY)

    # --- what they share ---

    def _task(self, payload: Payload) -> Task:
        return task_of(payload, self._source, self._pseudonyms)

    def _worker(self, payload: Payload) -> str:
        worker = workers.worker_of(payload, self._source.agents)
        if worker is None:
            raise InvalidMessage("worker_sid: missing")
        return worker

    def _reservation(self, payload: Payload) -> tuple[Task, str, str]:
        """The task, the worker, and the reservation's number."""
        return self._task(payload), self._worker(payload), payload.needs("reservation_sid")

    def _had_entered(self, task: Task, visit: Visit) -> None:
        """That the visit began, in whole seconds, for when task-queue.entered never comes: no repeat
        of a lost callback is promised. Weaker than that, so that the order of arrival does not matter.
        """
        if visit.entered_s is not None:
            self._derived.entered(visit, visit.entered_s * 1000, channel=task.channel, inferred=True)

    def _ended(self, task: Task, key: str) -> None:
        """A call or conversation may go on in another task."""
        if task.is_alone:
            self._facts.ended(task.contact, task.at_ms, key=key)

    def _state(
        self, worker: str, state: AgentState, at_ms: int, order: int, reason: str | None = None
    ) -> None:
        self._facts.agent_state(worker, state, at_ms * 1000 + order, reason=reason)

    def _as_before(self, payload: Payload, worker: str, at_ms: int, order: int = workers.OVER) -> None:
        """The worker's activity holds (again), where it is told."""
        activity = workers.activity_of(payload, self._source)
        if activity is not None:
            self._state(worker, activity.state, at_ms, order, activity.reason)


def _of_agent(task: Task) -> Spot:
    """What belongs to the visit that the agent accepted: only identities are made of this."""
    return Spot(task.contact, f"{task.contact}/{task.sid}", "")


def _told_apart(event: SourceEvent, payload: Payload) -> SourceEvent:
    """Several events tell that a task left its queue, each at its own instant: they are not one fact."""
    if not isinstance(event, QueueLeft):
        return event
    return structs.replace(event, id=fit(f"{event.id}/{payload.text('reservation_sid') or payload.type}"))


def _placed(event: SourceEvent, payload: Payload) -> SourceEvent:
    """The event with no more of a place than its payload tells."""
    is_by_agent = payload.type.startswith("reservation.")
    if is_by_agent and isinstance(event, TalkEnded | WrapStart | WrapEnd):
        return structs.replace(event, segment=None)
    is_named = payload.instant_ms("task_queue_entered_date") is not None
    if not is_named and getattr(event, "segment", None) is not None:
        return structs.replace(event, segment=None)
    return event


def _why_canceled(payload: Payload, source: SourceConfig) -> OfferEnd:
    is_gone = outcome_of(payload, source.outcomes) is Outcome.ABANDONED
    return OfferEnd.CALLER_LEFT if is_gone else OfferEnd.CANCELLED


def _capacity_of(payload: Payload) -> dict[Channel, int]:
    """Contacts at once, of the channel that the payload is about; empty where it does not say."""
    name = payload.text("task_channel_unique_name") or ""
    channel, number = CHANNELS.get(name.lower()), payload.number("worker_channel_capacity")
    if payload.flag("worker_channel_available") is False:
        number = 0
    if channel is None or number is None or not 0 <= number <= MAX_CAPACITY:
        return {}
    return {channel: number}

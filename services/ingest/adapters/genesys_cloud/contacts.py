"""A whole conversation → facts: each part tells again all that is known of it. Pure.

Nothing is remembered but who is on hold, because a notification says that he no longer is, and not since
when. Whoever hands the facts on leaves out those that were told (`told.py`).
"""

from collections.abc import Collection

from schemas.config import SourceConfig
from schemas.vocabulary import Direction, Outcome
from services.ingest.adapters.genesys_cloud import words
from services.ingest.adapters.genesys_cloud.agents import Agents, Hand
from services.ingest.adapters.genesys_cloud.conversation import Conversation, Party
from services.ingest.adapters.genesys_cloud.memory import Memory
from services.ingest.adapters.genesys_cloud.writing import Writing
from services.ingest.names import fit

SLACK_MS = 2_000
"""What is one happening may have instants so far apart: an answer and the end of waiting, say."""


class Contacts:
    """`watched`: ids of the queues that are shown, None: all; parts in others are passed over, because
    nobody would tell how they end.
    """

    def __init__(self, source: SourceConfig, writing: Writing, memory: Memory, agents: Agents) -> None:
        self.watched: Collection[str] | None = None
        self._source = source
        self._write = writing
        self._memory = memory
        self._agents = agents

    def tell(self, told: Conversation, now_ms: int) -> None:
        """`now_ms` 0: nobody knows what time it is."""
        contact = self._write.contact(told.id)
        parties = [each for each in told.parties if not each.queue or self._is_watched(each.queue)]
        if self.watched is not None and not any(each.queue for each in parties):
            return
        for party in parties:
            match party.purpose:
                case "customer":
                    self._customer(contact, party)
                case words.ACD if party.queue and party.id:
                    self._waiting(contact, party, parties)
                case words.AGENT if party.queue and party.user:
                    self._agent(contact, party, now_ms)
                case _:
                    pass

    def _is_watched(self, queue: str) -> bool:
        return self.watched is None or queue in self.watched

    def _customer(self, contact: str, party: Party) -> None:
        if party.is_callback or party.start_ms is None:
            return
        self._write.created(
            contact,
            party.start_ms,
            channel=party.channel,
            address=party.address,
            direction=party.direction,
        )
        if party.end_ms is not None:
            self._write.said.ended(contact, party.end_ms, key=party.id)

    def _waiting(self, contact: str, party: Party, parties: list[Party]) -> None:
        if party.start_ms is None:
            return
        if party.is_callback:
            self._write.called_back(contact, party.id, party.queue, party.start_ms)
            return
        visit = self._write.visit(contact, party.id, party.queue)
        self._write.said.entered(visit, party.start_ms, channel=party.channel)
        if party.end_ms is None:
            return
        rung = [each for each in parties if _is_for(each, party)]
        answers = [each for each in rung if _is_answer(each, party)]
        if answers:
            first = min(answers, key=lambda each: (each.connected_ms or 0, each.user))
            self._write.left(visit, party.end_ms, outcome=Outcome.ANSWERED, agent=first.user, is_said=True)
        elif all(each.end_ms is not None for each in rung):  # else he is about to answer
            is_gone = any(_is_gone(each, party.end_ms) for each in parties)
            outcome = words.outcome_of(party.ended, is_customer_gone=is_gone)
            self._write.left(visit, party.end_ms, outcome=outcome, agent=None, is_said=is_gone)

    def _agent(self, contact: str, party: Party, now_ms: int) -> None:
        write, user, queue = self._write, party.user, party.queue
        if party.start_ms is not None and party.direction is not Direction.OUTBOUND:
            write.offered(contact, user, queue, party.start_ms)
        if party.connected_ms is not None:
            write.accepted(contact, user, queue, party.connected_ms)
            self._holds(contact, party, now_ms)
            if party.end_ms is not None:
                write.talk_ended(contact, user, queue, party.end_ms, ended=party.ended)
        elif party.end_ms is not None and party.direction is not Direction.OUTBOUND:
            why = words.offer_end_of(party.ended)
            write.not_taken(contact, user, queue, party.end_ms, why=why)
        if party.wrap_start_ms is not None:
            write.wrap(contact, user, queue, party.wrap_start_ms, is_start=True)
        if party.wrap_end_ms is not None:
            write.wrap(contact, user, queue, party.wrap_end_ms, is_start=False)
        found = _hand(party)
        if found is not None:
            hand, at_ms = found
            self._agents.hand(user, f"{contact}/{party.id}", hand, at_ms)

    def _holds(self, contact: str, party: Party, now_ms: int) -> None:
        """Of an end that is only seen, the instant is that of its receipt."""
        part, holds = (contact, fit(self._source.agents.get(party.user, party.user))), self._memory.holds
        for hold in party.holds:
            self._write.hold(contact, party.user, party.queue, hold.start_ms, is_start=True)
            if hold.end_ms is not None:
                self._write.hold(contact, party.user, party.queue, hold.end_ms, is_start=False)
            else:
                holds.begin(part, hold.start_ms)
        if party.is_held is False and holds.is_begun(part, now_ms):
            holds.end(part)
            self._write.hold(contact, party.user, party.queue, now_ms, is_start=False)


def _is_for(agent: Party, waiting: Party) -> bool:
    """Whether the agent was rung for the one who waits there: then and not for a visit before or after."""
    if agent.purpose != words.AGENT or agent.queue != waiting.queue or not agent.user:
        return False
    begun_ms = agent.start_ms if agent.start_ms is not None else agent.connected_ms
    start_ms, end_ms = waiting.start_ms or 0, waiting.end_ms
    if begun_ms is None:
        return agent.end_ms is None
    return start_ms <= begun_ms and (end_ms is None or begun_ms <= end_ms + SLACK_MS)


def _is_answer(agent: Party, waiting: Party) -> bool:
    connected_ms, end_ms = agent.connected_ms, waiting.end_ms
    return connected_ms is not None and (end_ms is None or connected_ms <= end_ms + SLACK_MS)


def _is_gone(party: Party, at_ms: int) -> bool:
    return party.purpose == "customer" and party.end_ms is not None and party.end_ms <= at_ms + SLACK_MS


def _hand(party: Party) -> tuple[Hand, int] | None:
    """What the agent does with the contact now, and since when."""
    if party.wrap_end_ms is not None:
        return Hand.OVER, party.wrap_end_ms
    if party.wrap_start_ms is not None:
        return Hand.WRAP_UP, party.wrap_start_ms
    if party.end_ms is not None:
        return Hand.OVER, party.end_ms
    if party.connected_ms is not None:
        return Hand.TALK, party.connected_ms
    return (Hand.RINGING, party.start_ms) if party.start_ms is not None else None

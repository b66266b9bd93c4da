"""What an agent does with contacts: two pictures of what is in hand → facts. Pure, remembers nothing."""

from collections.abc import Mapping

from schemas.vocabulary import OfferEnd
from services.ingest.adapters.amazon_connect.snapshot import ENDED, HELD, MISSED, RINGING, TALKING, Held
from services.ingest.facts import Facts, Spot

STREAM = "stream"
"""In ids: told by an agent event, whose instants differ a little from those of contact events."""

Contacts = Mapping[str, Held]


class Hands:
    """Writes with `facts`."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def differ(self, agent: str, now: Contacts, shown: Contacts | None, known: Contacts, at_ms: int) -> None:
        """What became different: since what the event itself shows of before (`shown`, None where it shows
        nothing), and since what we knew, which may lack events that were lost.
        """
        before = shown if shown is not None else known
        for number, held in now.items():
            was = [each[number].state if number in each else "" for each in (before, known)]
            if any(state != held.state for state in was):
                self._became(agent, held, was)
        for number in {**known, **before}:
            if number not in now:
                held = before.get(number) or known[number]
                self._gone(agent, held, at_ms, inferred=number not in before or shown is None)

    def _became(self, agent: str, held: Held, was: list[str]) -> None:
        place, state, since_ms = held.place, held.state, held.since_ms
        if place is None:
            return
        attempt = f"{agent}/{since_ms}"
        if state in RINGING and not RINGING & set(was):
            self._facts.offered(place, since_ms, agent=agent, attempt=attempt)
        elif state == "ERROR":
            self._facts.offer_ended(place, since_ms, agent=agent, attempt=attempt, reason=OfferEnd.CANCELLED)
        elif state in MISSED:
            self._facts.no_answer(place, since_ms, agent=agent, attempt=attempt)
        elif state in TALKING or state == ENDED:
            self._talk(agent, held, place, was)

    def _talk(self, agent: str, held: Held, place: Spot, was: list[str]) -> None:
        accepted_ms = held.accepted_ms
        if accepted_ms is None and held.state != ENDED:
            accepted_ms = held.since_ms
        if accepted_ms is not None and any(state not in TALKING for state in was):
            self._facts.accepted(place, accepted_ms, agent=agent, key=STREAM)
        if HELD in was and held.state != HELD:
            self._facts.hold(place, held.since_ms, agent=agent, is_start=False)
        if held.state == HELD:
            self._facts.hold(place, held.since_ms, agent=agent, is_start=True)
        if held.state == ENDED:
            if accepted_ms is not None:
                self._facts.talk_ended(place, held.since_ms, agent=agent, key=STREAM)
            self._facts.wrap_start(place, held.since_ms, agent=agent, key=STREAM)

    def _gone(self, agent: str, held: Held, at_ms: int, *, inferred: bool) -> None:
        place = held.place
        if place is None:
            return
        if held.state in RINGING:
            attempt = f"{agent}/{held.since_ms}"
            self._facts.offer_ended(
                place, at_ms, agent=agent, attempt=attempt, reason=OfferEnd.CANCELLED, inferred=True
            )
        elif held.state in TALKING:
            if held.state == HELD:
                self._facts.hold(place, at_ms, agent=agent, is_start=False)
            self._facts.talk_ended(place, at_ms, agent=agent, key=STREAM, inferred=inferred)
            self._facts.wrap_end(place, at_ms, agent=agent, key=STREAM, inferred=inferred)
        elif held.state == ENDED:
            self._facts.wrap_end(place, at_ms, agent=agent, key=STREAM, inferred=inferred)

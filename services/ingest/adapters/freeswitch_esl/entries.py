"""Who an event is about, and that he entered a queue. Pure."""

from schemas.config import SourceConfig
from schemas.vocabulary import Channel
from services.ingest.adapters.freeswitch_esl.visits import Contact, Contacts, Visit
from services.ingest.adapters.freeswitch_esl.wire import Event, name_of
from services.ingest.facts import Facts
from services.ingest.translated import Pseudonyms

WITHHELD = frozenset({"", "unknown", "anonymous", "0000000000"})
"""What stands for a number that is not shown."""


class Entries:
    """The contacts of one source and their visits, found and said."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms, facts: Facts) -> None:
        self.contacts = Contacts(source)
        self._pseudonyms = pseudonyms
        self._facts = facts

    def visit(self, event: Event) -> Visit | None:
        """The visit that a member's event is about, made when new; None when it is not named."""
        channel, member = name_of(event, "CC-Member-Session-UUID"), name_of(event, "CC-Member-UUID")
        raw_queue = name_of(event, "CC-Queue")
        if not member or not raw_queue:
            return None
        visit = self.contacts.of_member(member, channel)
        if visit is None and channel:
            visit = self.contacts.add_visit(self.contacts.open(channel), raw_queue, member)
        if visit is not None:
            self.learn_customer(self.contacts.open(visit.channel), event.get("CC-Member-CID-Number"))
        return visit

    def learn_customer(self, contact: Contact, number: str) -> None:
        """Who calls, for the pseudonym only: the number goes nowhere else."""
        number = number.strip()
        if contact.customer is None and number.lower() not in WITHHELD:
            contact.customer = self._pseudonyms.of(number)

    def tell(self, visit: Visit) -> None:
        """Says that the contact exists and entered, once, when the instant is known."""
        if visit.entered_ms is None or visit.is_told:
            return
        contact = self.contacts.open(visit.channel)
        if not contact.is_told:
            contact.is_told = True
            self._facts.created(
                contact.name,
                visit.entered_ms,
                channel=Channel.PHONE,
                customer=contact.customer,
                inferred=visit.is_inferred,
            )
        visit.is_told = True
        self._facts.entered(visit, visit.entered_ms, inferred=visit.is_inferred)

    def infer_entered(self, visit: Visit, at_ms: int | None) -> None:
        if visit.entered_ms is None and at_ms is not None:
            visit.entered_ms, visit.is_inferred = at_ms, True
        self.tell(visit)

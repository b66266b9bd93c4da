"""What happens beside the queue to a contact that it delivered: hold and transfer. Pure."""

from schemas.vocabulary import TransferKind
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.visits import SAME_INSTANT_MS, Contacts
from services.ingest.adapters.asterisk_ami.wire import name_of
from services.ingest.facts import Facts

_PARTIES = ("TransfereeUniqueid", "OrigTransfererUniqueid", "TransfererUniqueid", "SecondTransfererUniqueid")


class Asides:
    """Channel events, which name no queue: the contact is found by channel, leg or Linkedid."""

    def __init__(self, contacts: Contacts, facts: Facts) -> None:
        self._contacts = contacts
        self._facts = facts

    def held(self, frame: Frame, at_ms: int) -> bool:
        return self._hold(frame, at_ms, is_start=True)

    def unheld(self, frame: Frame, at_ms: int) -> bool:
        return self._hold(frame, at_ms, is_start=False)

    def _hold(self, frame: Frame, at_ms: int, *, is_start: bool) -> bool:
        contact = self._contacts.of_channel(name_of(frame, "Uniqueid"), name_of(frame, "Linkedid"))
        visits = contact.visits if contact is not None else []
        visit = next((each for each in reversed(visits) if each.is_talking), None)
        if visit is not None and visit.is_held is not is_start:
            visit.is_held = is_start
            self._facts.hold(visit, at_ms, agent=visit.agent, is_start=is_start)
        return True

    def blind_transfer(self, frame: Frame, at_ms: int) -> bool:
        return self._transfer(frame, at_ms, kind=TransferKind.BLIND)

    def attended_transfer(self, frame: Frame, at_ms: int) -> bool:
        return self._transfer(frame, at_ms, kind=TransferKind.ATTENDED)

    def _transfer(self, frame: Frame, at_ms: int, *, kind: TransferKind) -> bool:
        if frame.get("Result") not in ("Success", ""):
            return True
        parties = [
            (name_of(frame, party), name_of(frame, party.replace("Uniqueid", "Linkedid")))
            for party in _PARTIES
        ]
        found = (self._contacts.of_channel(*party) for party in parties if party[0])
        contact = next((each for each in found if each is not None), None)
        if contact is None or _is_within(contact.transferred_ms, at_ms):
            return True
        contact.transferred_ms = at_ms
        visit = next((each for each in reversed(contact.visits) if each.accepted_ms is not None), None)
        from_queue = visit.queue if visit is not None else None
        self._facts.transfer(contact.name, at_ms, kind=kind, from_queue=from_queue)
        return True


def _is_within(before_ms: int | None, at_ms: int) -> bool:
    return before_ms is not None and abs(at_ms - before_ms) < SAME_INSTANT_MS

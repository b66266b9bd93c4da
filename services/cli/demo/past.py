"""The order in which a past is told, so that no moment of it looks like the present.

A call of an hour ago whose end comes a second after its beginning would, for that second, have
waited for an hour: an alert. Facts give the same figures in any order (SEMANTICS.md §1), and a visit
counts once its `queue.entered` is known; so each call and chat is told whole, its end first. It stays
in the place of its first event, so the order departs from that of the instants by a contact's length,
far below the lateness bound. Mails are told in order: they wait for hours, and their limit is days.
"""

from collections.abc import Sequence

from schemas.vocabulary import Channel
from services.cli.demo.timeline import CloudEvent


def tell_ends_first(events: Sequence[CloudEvent]) -> list[CloudEvent]:
    """The same events; those of one call or chat stand together, latest first."""
    mails = {e.data["contact"] for e in events if e.data.get("channel") == Channel.EMAIL.value}
    lives: dict[object, list[CloudEvent]] = {}
    told: list[list[CloudEvent]] = []
    for event in events:
        contact = event.data.get("contact")
        if contact is None or contact in mails:
            told.append([event])
        elif contact in lives:
            lives[contact].append(event)
        else:
            lives[contact] = [event]
            told.append(lives[contact])
    return [event for group in told for event in reversed(group)]

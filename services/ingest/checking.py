"""What adapters say, held to the rules of what is posted: who reads the log can read all of it. Pure.

A vendor may have more of something than our events can carry, and settings may name what cannot be
named. Such an event becomes a dead letter here, counted, instead of one at the aggregator.
"""

from schemas import codec
from schemas.errors import InvalidMessage
from schemas.events import AHEAD_MS, SourceEvent
from schemas.vocabulary import Reason
from services.ingest import kinds
from services.ingest.cloudevents import Refused
from services.ingest.intake import EVENT_BYTES, TOO_LARGE


def refuse(event: SourceEvent, *, now_ms: int) -> Refused | None:
    """Why the event may not go into the log, or None. SEMANTICS.md §2, §10."""
    if event.occurred_ms > now_ms + AHEAD_MS:
        return _refused(event, Reason.FUTURE, "Timestamp: ahead of the clock here")
    try:
        kinds.check(event)
    except InvalidMessage as error:
        return _refused(event, Reason.INVALID, error.detail)
    if len(codec.encode(event)) > EVENT_BYTES:
        return _refused(event, Reason.TOO_LARGE, TOO_LARGE)
    return None


def _refused(event: SourceEvent, reason: Reason, detail: str) -> Refused:
    name = event.__struct_config__.tag
    return Refused(reason=reason, detail=f"{name}: {detail}", source=event.source, site=event.site)

"""Workers: who they are, and in which of our states an activity puts them. Pure.

Who ever said a state is in the state said, whatever contacts say (SEMANTICS.md §5), and an activity stays
"Available" while a worker rings, talks and wraps up. So reservations tell states as well, and when one
is over the activity holds again, as the same payload names it.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.vocabulary import AgentState
from services.ingest.adapters.twilio_taskrouter.payload import Payload

_AVAILABLE = frozenset({"available", "idle"})
_E_MAIL = re.compile(r"@|_40", re.IGNORECASE)
"""As it is, and as Flex spells it in names: `lea_40example_2Ecom`."""

RINGING, TALKING, WRAPPING, OVER, ACTIVITY = range(5)
"""What holds of one worker's states of the same millisecond: the last of these."""


class Activity(Struct, frozen=True):
    state: AgentState
    reason: str | None = None


def worker_of(payload: Payload, agents: Mapping[str, str]) -> str | None:
    """The worker's name, which is unique in its workspace; its number where the name is an e-mail address,
    is not told, or `agents` maps the number.
    """
    number, name = payload.text("worker_sid"), payload.text("worker_name")
    if name is None or (number is not None and (number in agents or _E_MAIL.search(name))):
        return number
    return name if name in agents or not _E_MAIL.search(name) else None


def activity_of(payload: Payload, source: SourceConfig) -> Activity | None:
    """The state that the worker's activity amounts to; None where the payload names none.

    `states` of the settings, then "Offline", then whether the activity is an available one, where that is
    told, then its name.
    """
    name = payload.text("worker_activity_name")
    is_available = payload.flag("worker_available", "worker_activity_available")
    if name is not None and name in source.states:
        state = source.states[name]
    elif name is not None and name.lower() == "offline":
        state = AgentState.OFFLINE
    elif is_available is not None:
        state = AgentState.AVAILABLE if is_available else AgentState.PAUSED
    elif name is None:
        return None
    else:
        state = AgentState.AVAILABLE if name.lower() in _AVAILABLE else AgentState.PAUSED
    return Activity(state, name if state is AgentState.PAUSED else None)

"""The states of an alert and what leads from one to another: the table of SEMANTICS.md §8. Pure.

Where the table says "state before", that state is part of where the alert stands. A snooze that ends
while the alert is suppressed is not seen from outside: it changes what the alert goes back to once its
source is heard again (docs/decisions/0013).
"""

from enum import StrEnum
from typing import NamedTuple

from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, Notice

_FIRING, _ACKNOWLEDGED, _SNOOZED = AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.SNOOZED
_LOOKED_AT = frozenset({_FIRING, _ACKNOWLEDGED, _SNOOZED})


class Step(StrEnum):
    """What happens to an alert."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    SNOOZE_ENDS = "snooze ends"
    CLEAR = "clear value met"
    RESOLVE = "resolve by hand"
    STALE = "stale"
    LIVE = "live again"
    GONE = "rule or queue gone, or closed"


NOTICES = {
    Step.ACKNOWLEDGE: Notice.ACKNOWLEDGED,
    Step.SNOOZE: Notice.SNOOZED,
    Step.SNOOZE_ENDS: Notice.RESUMED,
    Step.CLEAR: Notice.RESOLVED,
    Step.RESOLVE: Notice.RESOLVED,
    Step.STALE: Notice.SUPPRESSED,
    Step.LIVE: Notice.RESUMED,
    Step.GONE: Notice.WITHDRAWN,
}
"""What each step is called when people are told of it."""


class Standing(NamedTuple):
    """Where an alert stands: its state, and those it goes back to.

    `before_snooze`: firing or acknowledged, while it is snoozed (also below a suppression).
    `before`: what it was before it was suppressed.
    """

    state: AlertState
    before_snooze: AlertState | None = None
    before: AlertState | None = None


def after(now: Standing, step: Step) -> Standing | None:
    """Where the alert stands afterwards. None: nothing happens, and a person's command is refused."""
    match step:
        case Step.ACKNOWLEDGE:
            return Standing(_ACKNOWLEDGED) if now.state in (_FIRING, _SNOOZED) else None
        case Step.SNOOZE if now.state in (_FIRING, _ACKNOWLEDGED):
            return Standing(_SNOOZED, before_snooze=now.state)
        case Step.SNOOZE:
            return now if now.state is _SNOOZED else None
        case Step.SNOOZE_ENDS if now.state is _SNOOZED:
            return Standing(now.before_snooze or _FIRING)
        case Step.SNOOZE_ENDS:
            return (
                now._replace(before=now.before_snooze, before_snooze=None) if now.before is _SNOOZED else None
            )
        case Step.CLEAR:
            return Standing(AlertState.RESOLVED) if now.state in _LOOKED_AT else None
        case Step.RESOLVE:
            return Standing(AlertState.RESOLVED) if now.state in OPEN_ALERT_STATES else None
        case Step.STALE:
            return (
                Standing(AlertState.SUPPRESSED, now.before_snooze, now.state)
                if now.state in _LOOKED_AT
                else None
            )
        case Step.LIVE:
            is_suppressed = now.state is AlertState.SUPPRESSED
            return Standing(now.before or _FIRING, now.before_snooze) if is_suppressed else None
        case Step.GONE:
            return Standing(AlertState.WITHDRAWN) if now.state in OPEN_ALERT_STATES else None

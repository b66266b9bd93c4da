"""Which transition made a version of an alert, read from the version before it. SEMANTICS.md §8."""

from schemas.board import Alert
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, Notice

_NAMED = {
    AlertState.FIRING: Notice.FIRED,
    AlertState.ACKNOWLEDGED: Notice.ACKNOWLEDGED,
    AlertState.SNOOZED: Notice.SNOOZED,
    AlertState.SUPPRESSED: Notice.SUPPRESSED,
}
_ENDS = {AlertState.RESOLVED: Notice.RESOLVED, AlertState.WITHDRAWN: Notice.WITHDRAWN}


def notice_of(before: Alert | None, now: Alert) -> Notice | None:
    """What `now` is to be told as; None when it is nothing to tell.

    An alert that is first heard of when it has ended (published late, once) is told to nobody. One that
    had ended and is open again was taken back too early (`corrected`): it begins anew. The state before
    is taken up again from `suppressed` and `snoozed` only. Read from its middle on, an alert has to say
    itself what became different.
    """
    if before is None and now.version > 1:
        return now.notice
    if before is None or before.state not in OPEN_ALERT_STATES:
        return _NAMED.get(now.state)
    if now.state in _ENDS:
        return _ENDS[now.state]
    if now.state is before.state:
        return _again(before, now)
    if before.state is AlertState.SUPPRESSED:
        return Notice.RESUMED
    if before.state is AlertState.SNOOZED and not _is_taken(before, now):
        return Notice.SUPPRESSED if now.state is AlertState.SUPPRESSED else Notice.RESUMED
    return Notice.RESUMED if now.state is AlertState.FIRING else _NAMED[now.state]


def _again(before: Alert, now: Alert) -> Notice | None:
    """The same state: only a snooze can be set anew."""
    is_new = now.state is AlertState.SNOOZED and now.snoozed_until_ms != before.snoozed_until_ms
    return Notice.SNOOZED if is_new else None


def _is_taken(before: Alert, now: Alert) -> bool:
    """Whether somebody acknowledged; the end of a snooze leads back to an old acknowledgement as well."""
    return now.state is AlertState.ACKNOWLEDGED and now.acknowledged_ms != before.acknowledged_ms

"""Whether Asterisk tells this manager what happens in its queues. Pure.

A manager's user without `read = agent,call` logs in, gets snapshots, and hears nothing. So when nothing
was heard for a while another snapshot is asked for; callers in it whose coming nobody told say it all.
"""

from collections.abc import Iterable

from schemas.events import QueueEntered, SourceEvent

DEAF = (
    "callers come and go in the queues of this Asterisk and it tells us nothing of them: give the manager's "
    "user `read = agent,call,system` in manager.conf, look at its eventfilter lines, then `manager reload`"
)


class Deafness:
    """Of one connection. `since_s`: since when nothing was heard; all on one clock, in seconds."""

    def __init__(self, now_s: float) -> None:
        self.fault: str | None = None
        self.since_s = now_s
        self._snapshots = 0

    def hear(self, now_s: float) -> None:
        """An event of a queue or a call came."""
        self.fault, self.since_s, self._snapshots = None, now_s, 0

    def look(self, now_s: float) -> None:
        """A snapshot is complete."""
        self._snapshots += 1
        self.since_s = now_s

    def judge(self, events: Iterable[SourceEvent]) -> None:
        """What snapshots told: the first of a connection tells what we missed, the next ones may not."""
        if self._snapshots > 1 and any(isinstance(each, QueueEntered) and each.inferred for each in events):
            self.fault = DEAF

"""What the fold counted since it was last asked, as values: the shell hands them to Prometheus.

Pure. Each fact is counted once and never taken back (SEMANTICS.md §13); labels come from closed
sets. Durations are whole milliseconds. Names of the series: INTERFACE.md §6, `aggregator/metrics.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.vocabulary import Channel, Outcome, Reason


class QueueLabels(NamedTuple):
    """The labels of one queue's series."""

    site: str
    queue: str
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreCounts:
    """Increments and observations since the last `Partition.observe()`; all may be empty.

    queues           queues seen for the first time (also after `restore`): their series start at 0
    offered          visits that entered, by queue
    left             visits that ended, by queue and outcome (`answered` and `abandoned` included)
    waits_ms         waits of answered visits, by queue
    handles_ms       handle times of visits whose talk (and wrap, where there is one) ended, by queue
    events           what became of each event, by source label (configured id, else `http`)
    event_lags_ms    occurred → folded, one per accepted event, never below 0
    alert_delays_ms  crossing → fired, by rule, one per episode that fired
    """

    queues: Sequence[QueueLabels] = ()
    offered: Mapping[QueueLabels, int] = field(default_factory=dict)
    left: Mapping[tuple[QueueLabels, Outcome], int] = field(default_factory=dict)
    waits_ms: Mapping[QueueLabels, Sequence[int]] = field(default_factory=dict)
    handles_ms: Mapping[QueueLabels, Sequence[int]] = field(default_factory=dict)
    events: Mapping[tuple[str, Reason], int] = field(default_factory=dict)
    event_lags_ms: Sequence[int] = ()
    alert_delays_ms: Mapping[str, Sequence[int]] = field(default_factory=dict)

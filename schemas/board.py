"""What the aggregator publishes and the board shows: rows of queues, agents and sites, and alerts.

Shapes and names: INTERFACE.md §5. A row replaces the one before it (`vigie.snapshots`, compacted).
Rows carry instants; `age_ms`, `longest_wait_s` and `freshness` of a queue or source are filled in
by the api when it answers (SEMANTICS.md §6). Null means: cannot be known.
"""

from msgspec import Struct, field

from schemas.vocabulary import (
    AgentState,
    AlertState,
    Attribution,
    Channel,
    Freshness,
    Notice,
    ServiceLevelDefinition,
    Severity,
    WindowName,
)


class Ratio(Struct, frozen=True, kw_only=True):
    """A ratio, or a mean, with its parts; `value` is null when the denominator is 0."""

    value: float | None = None
    numerator: int | float = 0
    denominator: int | float = 0


class ServiceLevel(Struct, frozen=True, kw_only=True):
    """`since_ms`: from when on this threshold and definition are in force."""

    value: float | None = None
    numerator: int = 0
    denominator: int = 0
    threshold_s: float
    definition: ServiceLevelDefinition
    since_ms: int
    attribution: Attribution


class Window(Struct, frozen=True, kw_only=True):
    """One rolling window of one queue, [from_ms, to_ms). SEMANTICS.md §3 and §4.

    `offered` = answered + abandoned + sum of left + waiting. `abandonment` is null where it does
    not apply (deferred channels); its `value` is null where nothing was offered. `cleared` and
    `cleared_business`, by either clock, are null on phone and chat (docs/decisions/0016). `slots`: seconds
    of slots taken over seconds of slots there; null where no agent of the queue told a capacity for its
    channel.
    """

    from_ms: int
    to_ms: int
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    left: dict[str, int]
    waiting: int
    waiting_past_threshold: int
    left_past_threshold: int
    late: int
    duplicates: int
    service_level: ServiceLevel
    abandonment: Ratio | None
    asa_s: Ratio
    aht_s: Ratio
    wait_p50_s: float | None
    wait_p90_s: float | None
    longest_wait_s: float | None
    occupancy: Ratio
    cleared: Ratio | None = None
    cleared_business: Ratio | None = None
    slots: Ratio | None = None


class Trend(Struct, frozen=True, kw_only=True):
    """60 one-minute points; the last is the running minute. `from_ms` is the first point's start."""

    step_s: int = 60
    from_ms: int = 0
    offered: list[int] = []
    abandoned: list[int] = []
    service_level: list[float | None] = []
    longest_wait_s: list[float | None] = []


class Limits(Struct, frozen=True, kw_only=True):
    """What the wall compares with: seconds, ratio, ratio band."""

    wait_s: float
    service_level: float
    occupancy: tuple[float, float] = (0.75, 0.85)


class PreBreach(Struct, frozen=True, kw_only=True):
    """`count` contacts will have waited `threshold_s` within `within_s` from now, if nobody answers."""

    threshold_s: float
    within_s: float
    count: int


class StateCounts(Struct, frozen=True, kw_only=True):
    """Agents by state; each agent once."""

    available: int = 0
    ringing: int = 0
    in_contact: int = 0
    wrap_up: int = 0
    paused: int = 0
    unreachable: int = 0
    offline: int = 0


class Backlog(Struct, frozen=True, kw_only=True):
    """The open items of a deferred channel: those that wait for a reply, and those replied to and not closed.

    `oldest_ms`: when the oldest entered (skew applied), null when none is open; its age in seconds by the
    calendar and within the queue's hours. `promise_s`: how long clearing one may take.
    """

    open: int
    oldest_ms: int | None = None
    oldest_s: float | None = None
    oldest_business_s: float | None = None
    promise_s: float


class QueueRow(Struct, frozen=True, kw_only=True):
    """One queue, whole. Key: site + queue.

    `heard_ms`: when its quietest source was last heard (null: never). `stale_at_ms`: the instant
    from which it is stale if nothing more is heard; null where it was never heard.
    `position`: its place in the configuration, which is that on the wall; null for others.
    `entered_ms`: the waiting contacts' instants (oldest first, 200 at most, skew applied), from
    which the api keeps `pre_breach` and `longest_wait_s` true between rows.
    `told_ms`: `occurred_ms` of the newest event that named the queue; null where none did yet.
    `backlog`: null on phone and chat, where a contact is over when its conversation is.
    """

    site: str
    queue: str
    label: str
    short: str
    channel: Channel
    team: str | None
    sources: list[str]
    as_of_ms: int
    heard_ms: int | None
    stale_at_ms: int | None
    behind_s: float
    open: bool
    changes_ms: int | None
    limits: Limits
    freshness: Freshness
    age_ms: int | None
    waiting: int
    oldest_entered_ms: int | None
    longest_wait_s: float | None
    pre_breach: PreBreach | None
    agents: StateCounts
    windows: dict[WindowName, Window]
    trend: Trend
    entered_ms: list[int] = []
    position: int | None = None
    told_ms: int | None = None
    backlog: Backlog | None = None


class SourceRow(Struct, frozen=True, kw_only=True):
    """One source of a site, as heard by the aggregator."""

    source: str
    kind: str
    label: str | None = None
    freshness: Freshness
    age_ms: int | None
    heard_ms: int | None
    stale_at_ms: int | None = None
    skew_ms: int = 0


class Lever(Struct, frozen=True, kw_only=True):
    """Where hands are free: another queue of the same site and channel. SEMANTICS.md §8."""

    kind: str
    team: str | None
    queue: str
    available: int


class Alert(Struct, frozen=True, kw_only=True):
    """One episode of one rule on one queue, at one `version`. INTERFACE.md §5, SEMANTICS.md §8.

    `notice`: what became different with this version, in the word of its notice; null when nobody is to
    be told (an episode over before it could fire; figures brought up to date).
    `fires_below`: the rule fires below `threshold`, not above. `lever`: as of this version.
    `reason`: `stale` while suppressed; `corrected`, `by_hand` when resolved so; else null.
    Operations alerts (`schemas.vocabulary.OperationsRule`) are about a `source`: `queue` is empty,
    `channel` and `team` are null.
    `command` and `accepted` answer a person's command, on `vigie.alerts` only.
    """

    alert_id: str
    rule: str
    severity: Severity
    site: str
    queue: str
    channel: Channel | None
    team: str | None
    state: AlertState
    metric: str
    value: float | None
    threshold: float
    crossed_ms: int
    fired_ms: int
    resolved_ms: int | None = None
    acknowledged_by: str | None = None
    acknowledged_ms: int | None = None
    note: str | None = None
    snoozed_until_ms: int | None = None
    reason: str | None = None
    late: bool = False
    version: int = 1
    clear: float | None = None
    window: WindowName | None = None
    snoozed_by: str | None = None
    episodes_10m: int = 1
    flapping: bool = False
    waiting: int | None = None
    lever: Lever | None = None
    updated_ms: int | None = None
    notice: Notice | None = None
    fires_below: bool = False
    source: str | None = None
    resolved_by: str | None = None
    command: str | None = None
    accepted: bool | None = None


class SiteWindow(Struct, frozen=True, kw_only=True):
    """Figures of a site's agents, each once, over one window."""

    occupancy: Ratio


class SiteRow(Struct, frozen=True, kw_only=True):
    """One site, without its queues. Key: site. Written each second: older than 3 s, the site is stale.

    `label`: the name people know it by (`[[sites]] label`); null where none is configured.
    """

    site: str
    time_zone: str
    label: str | None = None
    as_of_ms: int
    freshness: Freshness
    age_ms: int | None
    heard_ms: int | None
    stale_at_ms: int | None
    behind_s: float
    sources: list[SourceRow]
    agents: StateCounts
    windows: dict[WindowName, SiteWindow]
    alerts: list[Alert] = []
    """Open alerts and the last 50 ended, newest first."""


class AgentContact(Struct, frozen=True, kw_only=True):
    """A contact that an agent has in hand. `waited_s`: its total wait, over all the queues it was in."""

    contact: str
    queue: str | None
    state: AgentState
    since_ms: int
    waited_s: float | None = None


class AgentRow(Struct, frozen=True, kw_only=True):
    """One agent. Key: site + agent. `capacity`: contacts at once, by channel; null where never told."""

    site: str
    agent: str
    state: AgentState
    since_ms: int
    reason: str | None
    queues: list[str]
    contacts: list[AgentContact] = field(default_factory=list)
    inferred: bool = False
    as_of_ms: int = 0
    capacity: dict[Channel, int] | None = None


class DeadLetter(Struct, frozen=True, kw_only=True):
    """Something refused, without its content (SEMANTICS.md §10); its sender finds it by `sha256`."""

    source: str
    reason: str
    detail: str
    sha256: str
    size: int
    received_ms: int
    site: str | None = None
    topic: str | None = None
    offset: int | None = None

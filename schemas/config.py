"""What `vigie.toml` says, as values: INTERFACE.md §3, defaults of SEMANTICS.md §4, §6, §12.

Only values and their defaults live here; reading the file and naming its faults is
`services/runtime/config.py`. Inner code is handed these structs, never the file.
"""

from functools import cached_property
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from schemas.vocabulary import (
    LIVE_CHANNELS,
    AgentState,
    Channel,
    Outcome,
    ServiceLevelDefinition,
    Severity,
    WindowName,
)

WAIT_LIMIT_S: dict[Channel, float] = {
    Channel.PHONE: 120,
    Channel.CHAT: 300,
    Channel.SMS: 3600,
    Channel.SOCIAL: 21_600,
    Channel.EMAIL: 172_800,
    Channel.LETTER: 604_800,
}
THRESHOLD_S: dict[Channel, float] = {
    Channel.PHONE: 20,
    Channel.CHAT: 60,
    Channel.SMS: 3600,
    Channel.SOCIAL: 21_600,
    Channel.EMAIL: 172_800,
    Channel.LETTER: 604_800,
}
DEFAULT_SITE = "main"
MAX_SITES_UNCONFIGURED = 20
MAX_QUEUES_PER_SITE_UNCONFIGURED = 500

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
KeyUse = Literal["ingest", "board", "operator"]
"""What a key is for: events in; reading; reading and acting."""


class KafkaConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bootstrap` left out: the embedded broker, which has neither TLS nor users.

    `tls` left out: on as soon as anything of TLS or of a login is given. `ca_file` left out: the
    authorities of the system. `key_file` left out: the key is in `cert_file`.
    """

    bootstrap: str | None = None
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 4
    tls: bool | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    user: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"

    @property
    def tls_in_force(self) -> bool:
        if self.tls is not None:
            return self.tls
        given = (
            self.ca_file,
            self.cert_file,
            self.key_file,
            self.user,
            self.password_env,
            self.password_file,
        )
        return any(given)


class HttpConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each service listens, as host:port. `board_url`: what notices link to, where it is another."""

    ingest: str = "127.0.0.1:8081"
    api: str = "127.0.0.1:8080"
    aggregator: str = "127.0.0.1:8082"
    notifier: str = "127.0.0.1:8083"
    origins: list[str] = []
    board_url: str | None = None

    @property
    def board_url_in_force(self) -> str:
        return self.board_url or f"http://{self.api}/"


class KeyConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key by its hash (SHA-256 hex). `sites` left out: every site."""

    id: Id
    use: KeyUse = field(name="for")
    hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    sites: list[Id] | None = None


class AuthConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may use Vigie. Left out: whoever is on this machine, and nobody else."""

    keys: list[KeyConfig] = []


class SiteConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Id
    time_zone: str = "UTC"
    label: str | None = None


class ServiceLevelConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As written; what is left out follows the channel (SEMANTICS.md §4)."""

    threshold_s: Seconds | None = None
    target: Share = 0.80
    definition: ServiceLevelDefinition = ServiceLevelDefinition.ALL_ABANDONS_COUNT_AGAINST
    short_abandon_s: Seconds | None = None


class QueueConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A queue as written. The cached properties give what is in force, defaults of its channel included."""

    id: Id
    site: Id = DEFAULT_SITE
    channel: Channel = Channel.PHONE
    team: str | None = None
    label: str | None = None
    short: Annotated[str, Meta(max_length=17)] | None = None
    wait_limit_s: Annotated[float, Meta(gt=0)] | None = None
    hours: str | None = None
    service_level: ServiceLevelConfig = ServiceLevelConfig()
    occupancy: tuple[Share, Share] = (0.75, 0.85)

    @cached_property
    def wait_limit_in_force_s(self) -> float:
        return self.wait_limit_s if self.wait_limit_s is not None else WAIT_LIMIT_S[self.channel]

    @cached_property
    def threshold_in_force_s(self) -> float:
        t = self.service_level.threshold_s
        return t if t is not None else THRESHOLD_S[self.channel]

    @cached_property
    def short_abandon_in_force_s(self) -> float:
        short = self.service_level.short_abandon_s
        if short is not None:
            return short
        return 5.0 if self.channel in LIVE_CHANNELS else 0.0

    @cached_property
    def label_in_force(self) -> str:
        return self.label or self.id

    @cached_property
    def short_in_force(self) -> str:
        return self.short or self.label_in_force[:17]


class TeamConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Id
    leads: list[Id] = []
    label: str | None = None


class ChannelConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to reach a person."""

    kind: Literal["webhook", "email"]
    url: str | None = None
    address: str | None = None
    secret_env: str | None = None
    secret_file: str | None = None


class PersonConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Id
    label: str | None = None
    channels: list[ChannelConfig] = []


class NoticesConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How notices are worded."""

    lang: Literal["fr", "en"] = "fr"


class EgressConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Networks of private addresses that notices may go to; none when left out."""

    allow: list[str] = []


class SmtpConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail relay. `sender`: the address that notices come from."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 25
    sender: str | None = None
    user: str | None = None
    secret_env: str | None = None
    secret_file: str | None = None
    tls: Literal["none", "starttls", "tls"] = "starttls"


SourceKind = Literal[
    "asterisk_ami",
    "asterisk_queue_log",
    "freeswitch_esl",
    "twilio_taskrouter",
    "amazon_connect",
    "genesys_cloud",
    "chatwoot",
    "rocketchat",
    "imap",
    "kafka",
    "file",
    "http",
]
PORTS: dict[SourceKind, int] = {"asterisk_ami": 5038, "freeswitch_esl": 8021, "imap": 993}
"""Where a source of that kind listens, when no port is given."""


ROW_INSTANTS = ("entered", "answered", "left", "talk_ended", "wrap_ended", "ended")
"""What `columns` may map beside the fields of events, where a row is a whole contact."""


class SourceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source. Which fields are for which kind, and what each kind needs: `config_sources`.

    For every kind: `queues` left out: those it has sent events for. `map`: their queue = ours; `agents`:
    their agent = ours; `states`: their word for an agent's state = ours. `system` names the system that
    numbers the contacts: sources of one system have the same, two systems of one site have two. Left out:
    docs/decisions/0008. `previous_secret_…` is still good while a secret is being changed. `allow_unsigned`:
    webhooks are taken from anybody.
    """

    id: Id
    kind: SourceKind
    site: Id = DEFAULT_SITE
    label: str | None = None
    queues: list[Id] | None = None
    stale_after_s: Annotated[float, Meta(gt=0)] | None = None
    map: dict[str, Id] = {}
    agents: dict[str, Id] = {}
    states: dict[str, AgentState] = {}
    system: Id | None = None
    wrap_up_s: Seconds | dict[str, Seconds] | None = None
    secret_env: str | None = None
    secret_file: str | None = None
    previous_secret_env: str | None = None
    previous_secret_file: str | None = None
    # where it is, and as whom we speak with it
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    user: str | None = None
    tls: Literal["none", "starttls", "tls"] | None = None
    ca_file: str | None = None
    url: str | None = None
    login_url: str | None = None
    region: str | None = None
    # webhooks
    public_url: str | None = None
    allow_unsigned: bool = False
    # files
    file: str | None = None
    format: Literal["json", "plain", "log", "tsv", "csv", "jsonl"] | None = None
    time_zone: str | None = None
    time_format: str | None = None
    backfill_s: Seconds | None = None
    # what is called otherwise there: our field = theirs, their type = our event, their outcome = ours
    columns: dict[str, str] = {}
    events: dict[str, str] = {}
    outcomes: dict[str, Outcome] = {}
    # queues of the source's own, mailboxes, streams
    queue: Id | None = None
    channel: Channel | None = None
    mailbox: str | None = None
    sent_mailbox: str | None = None
    closed_mailboxes: list[str] = []
    addresses: list[str] = []
    poll_s: Annotated[float, Meta(gt=0)] | None = None
    bootstrap: str | None = None
    topic: str | None = None
    topics: list[str] = []
    queue_url: str | None = None
    stream: str | None = None
    abandon_after_s: Seconds | None = None

    @property
    def port_in_force(self) -> int:
        return self.port or PORTS.get(self.kind, 0)


Metric = Literal[
    "longest_wait_s",
    "service_level",
    "abandonment",
    "occupancy",
    "agents.available",
    "backlog",
    "oldest_item_s",
    "oldest_item_business_s",
    "cleared",
    "cleared_business",
]
"""What a rule may compare. The last five are those of deferred channels (docs/decisions/0016)."""


class RuleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as written. Expressions: `<`, `<=`, `>`, `>=`, then [number *] number or queue setting."""

    id: Id
    metric: Metric
    fire: str
    clear: str | None = None
    window: WindowName = WindowName.M15
    min_contacts: Annotated[int, Meta(ge=0)] = 10
    queues: list[Id] | None = None
    channels: list[Channel] | None = None
    severity: Severity = Severity.CRITICAL

    def concerns(self, queue: QueueConfig) -> bool:
        """Whether the rule looks at the queue."""
        is_named = self.queues is None or queue.id in self.queues
        return is_named and (self.channels is None or queue.channel in self.channels)


RATIOS = frozenset({"service_level", "abandonment", "occupancy", "cleared", "cleared_business"})
"""Metrics of rules whose values lie between 0 and 1."""


class FlapConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    episodes: Annotated[int, Meta(ge=2)] = 4
    within_s: Seconds = 600


DEFAULT_RULE = RuleConfig(
    id="wait_over_two_minutes",
    metric="longest_wait_s",
    fire="> wait_limit_s",
    clear="< 0.75 * wait_limit_s",
)


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `from_file` false: no file, so sites and queues appear by themselves.

    With a file that lists sites, an event for another site is refused (`unknown_site`).
    """

    kafka: KafkaConfig = KafkaConfig()
    http: HttpConfig = HttpConfig()
    auth: AuthConfig | None = None
    sites: list[SiteConfig] = []
    queues: list[QueueConfig] = []
    teams: list[TeamConfig] = []
    people: list[PersonConfig] = []
    notices: NoticesConfig = NoticesConfig()
    egress: EgressConfig = EgressConfig()
    smtp: SmtpConfig | None = None
    sources: list[SourceConfig] = []
    rules: list[RuleConfig] = field(default_factory=lambda: [DEFAULT_RULE])
    flap: FlapConfig = FlapConfig()
    from_file: bool = False

    def lists(self, site: str) -> bool:
        """Whether the site may be: it is in the file, or the file lists none."""
        return not self.sites or any(s.id == site for s in self.sites)

    def site(self, site: str) -> SiteConfig:
        """The site's settings; defaults for one that is not in the file."""
        return next((s for s in self.sites if s.id == site), SiteConfig(id=site))

    def queue(self, site: str, queue: str, channel: Channel | None = None) -> QueueConfig:
        """The queue's settings; the defaults of its channel for one that is not in the file."""
        found = next((q for q in self.queues if q.id == queue and q.site == site), None)
        return found or QueueConfig(id=queue, site=site, channel=channel or Channel.PHONE)

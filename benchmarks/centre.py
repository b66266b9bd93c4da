"""A contact centre of any size in balance: as many contacts end as begin, so as many stay open.

What happens in one second after the other, as CloudEvents; nothing is random. An instant of a second
is told in the order in which it happens, site by site.
"""

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from services.cli.demo.timeline import CloudEvent, timestamp

_QUEUES_OF_A_SITE = 10
_QUEUES_OF_AN_AGENT = 3
_AGENTS_BUSY = 0.75
_ABANDON_EVERY = 10


class Scale(Struct, frozen=True, kw_only=True):
    """How large: `rate` is contacts per second, of all sites together; `opened` those open at any time."""

    queues: int
    agents: int
    opened: int
    rate: float

    @property
    def sites(self) -> int:
        return -(-self.queues // _QUEUES_OF_A_SITE)

    def __str__(self) -> str:
        return f"{self.queues:,} queues"


def settings(scale: Scale) -> str:
    """`vigie.toml` behind the addresses. Waits are long here, and no alert is meant to fire."""
    lines: list[str] = []
    for site, queues in _queues(scale).items():
        lines += ["[[sites]]", f'id = "{site}"', 'time_zone = "Europe/Paris"']
        for queue in queues:
            lines += ["[[queues]]", f'id = "{queue}"', f'site = "{site}"', "wait_limit_s = 86400"]
    return "\n".join(lines) + "\n"


def _queues(scale: Scale) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {f"site-{number:03}": [] for number in range(scale.sites)}
    for number in range(scale.queues):
        found[f"site-{number % scale.sites:03}"].append(f"queue-{number:04}")
    return found


class Centre:
    """All sites. `begin` once, then `second` for each second."""

    def __init__(self, scale: Scale) -> None:
        self._rate = scale.rate
        self._owed = 0.0
        self._next = 0
        self._sites = [
            Site(name, queues, agents=_share(scale.agents, scale.sites, n), number=n)
            for n, (name, queues) in enumerate(_queues(scale).items())
        ]
        self._opened = scale.opened

    @property
    def waiting(self) -> int:
        """How many wait now, of all sites."""
        return sum(site.waiting for site in self._sites)

    def begin(self, at_ms: int) -> Iterator[CloudEvent]:
        """The agents come, the contacts that are open at any time begin."""
        for site in self._sites:
            yield from site.begin(at_ms, _share(self._opened, len(self._sites), site.number))

    def second(self, at_ms: int) -> Iterator[CloudEvent]:
        """So many contacts end, are answered and begin, each site in its turn."""
        self._owed += self._rate
        while self._owed >= 1:
            self._owed -= 1
            self._next = (self._next + 1) % len(self._sites)
            yield from self._sites[self._next].turn(at_ms)


class Site:
    """One site: who waits, who talks to whom, and which agents are free."""

    def __init__(self, name: str, queues: list[str], *, agents: int, number: int) -> None:
        self.name = name
        self.number = number
        self._queues = queues
        self._free = deque(f"agent-{number:03}-{n:03}" for n in range(agents))
        self._waiting: deque[dict[str, object]] = deque()
        self._talking: deque[dict[str, object]] = deque()
        self._contacts = self._told = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def begin(self, at_ms: int, opened: int) -> Iterator[CloudEvent]:
        for n, agent in enumerate(self._free):
            own = [self._queues[(n + k) % len(self._queues)] for k in range(_QUEUES_OF_AN_AGENT)]
            yield self._say("agent.state", at_ms, agent=agent, state="available", queues=sorted(set(own)))
        for _ in range(opened):
            yield self._enter(at_ms)
        for _ in range(min(opened // 2, round(len(self._free) * _AGENTS_BUSY))):
            yield from self._answer(at_ms)

    def turn(self, at_ms: int) -> Iterator[CloudEvent]:
        """The longest talk ends, the longest wait is answered or given up, a contact begins."""
        talk = self._talking.popleft()
        yield self._say("talk.ended", at_ms, **talk, by="customer")
        yield self._say("contact.ended", at_ms, contact=talk["contact"])
        self._free.append(str(talk["agent"]))
        yield from self._answer(at_ms)
        yield self._enter(at_ms)
        if self._contacts % _ABANDON_EVERY == 0:
            yield self._say("queue.left", at_ms, **self._waiting.popleft(), outcome="abandoned")
            yield self._enter(at_ms)
        for state in ("paused", "available"):  # one who is free has been away
            yield self._say("agent.state", at_ms, agent=self._free[0], state=state)

    def _enter(self, at_ms: int) -> CloudEvent:
        self._contacts += 1
        queue = self._queues[self._contacts % len(self._queues)]
        visit: dict[str, object] = {"contact": f"c-{self._contacts}", "queue": queue}
        self._waiting.append(visit)
        return self._say("queue.entered", at_ms, **visit, channel="phone")

    def _answer(self, at_ms: int) -> Iterator[CloudEvent]:
        talk = {**self._waiting.popleft(), "agent": self._free.popleft()}
        self._talking.append(talk)
        yield self._say("agent.offered", at_ms, **talk)
        yield self._say("agent.accepted", at_ms, **talk)

    def _say(self, name: str, at_ms: int, **data: object) -> CloudEvent:
        self._told += 1
        return CloudEvent(
            id=str(self._told),
            source=f"pbx-{self.number:03}",
            type=f"vigie.{name}.v1",
            time=timestamp(at_ms),
            site=self.name,
            data=data,
        )


def _share(whole: int, parts: int, number: int) -> int:
    return whole // parts + (number < whole % parts)

"""Lines as Asterisk writes them, told to a translator."""

from schemas.config import SourceConfig
from schemas.events import AgentStateChanged, SourceEvent
from services.ingest.adapters.asterisk_queue_log.translate import Translator
from tests.doubles.running_source import PSEUDONYMS

START_S = 1_700_000_000
"""Seconds in the tests are counted from here."""


def source(**settings: object) -> SourceConfig:
    values: dict[str, object] = {"id": "log", "kind": "asterisk_queue_log", "site": "paris", **settings}
    return SourceConfig(**values)  # type: ignore[arg-type] # the tests name real fields


def line(at_s: int, callid: str, queue: str, agent: str, event: str, *parameters: object) -> bytes:
    return "|".join([str(START_S + at_s), callid, queue, agent, event, *map(str, parameters)]).encode()


def enter(at_s: int, callid: str = "1.1", queue: str = "support", number: str = "+33102030405") -> bytes:
    return line(at_s, callid, queue, "NONE", "ENTERQUEUE", "", number, 1)


def connect(at_s: int, agent: str, callid: str = "1.1", queue: str = "support", *more: object) -> bytes:
    return line(at_s, callid, queue, agent, "CONNECT", *(more or (5, "9.9", 0)))


def complete(at_s: int, agent: str, callid: str = "1.1", queue: str = "support", talk_s: int = 10) -> bytes:
    return line(at_s, callid, queue, agent, "COMPLETECALLER", 5, talk_s, 1)


class Story:
    """A translator that is told lines; `events` is all that it said."""

    def __init__(self, *, tells_agents: bool = True, **settings: object) -> None:
        self.config = source(**settings)
        self.translator = Translator(self.config, PSEUDONYMS, tells_agents=tells_agents)
        self.events: list[SourceEvent] = []

    def tell(self, *lines: bytes) -> list[SourceEvent]:
        said: list[SourceEvent] = []
        for each in lines:
            epoch_s = each.split(b"|")[0]
            received_ms = int(epoch_s) * 1000 if epoch_s.isdigit() else START_S * 1000
            said += self.translator.line(each, received_ms)
        self.events += said
        return said

    def wait_until(self, at_s: float) -> list[SourceEvent]:
        said = self.translator.rest(round((START_S + at_s) * 1000))
        self.events += said
        return said


def short(event: SourceEvent) -> tuple[object, ...]:
    """Seconds since the start, type, and what it is about."""
    at_s = (event.occurred_ms - START_S * 1000) / 1000
    about = [
        getattr(event, name, None)
        for name in ("segment", "agent", "outcome", "state", "reason", "by", "kind")
    ]
    return (at_s, event.__struct_config__.tag, *(str(each) for each in about if each is not None))


def of_contacts(events: list[SourceEvent]) -> list[tuple[object, ...]]:
    return [short(event) for event in events if not isinstance(event, AgentStateChanged)]


def states(events: list[SourceEvent], agent: str) -> list[tuple[float, str]]:
    """In the order in which they hold."""
    said = [event for event in events if isinstance(event, AgentStateChanged) and event.agent == agent]
    said.sort(key=lambda event: (event.occurred_ms, event.id))
    return [((event.occurred_ms - START_S * 1000) / 1000, event.state.value) for event in said]

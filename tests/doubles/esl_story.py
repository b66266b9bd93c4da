"""A call centre of FreeSWITCH told happening by happening to a translator, without a wire."""

import json

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from services.ingest.adapters.freeswitch_esl.survey import Snapshot, Survey
from services.ingest.adapters.freeswitch_esl.translate import Translator
from services.ingest.adapters.freeswitch_esl.wire import Event, from_json
from services.ingest.pseudonym import Pseudonyms
from tests.doubles.callcenter import START_MS, CallCenter, Headers

PSEUDONYMS = Pseudonyms(b"a key of the tests, 32 bytes long")


def source(**settings: object) -> SourceConfig:
    values: dict[str, object] = {"id": "fs1", "kind": "freeswitch_esl", "site": "paris", **settings}
    return SourceConfig(**values)  # type: ignore[arg-type] # the tests name real fields


def event(headers: Headers) -> Event:
    read = from_json(json.dumps(headers).encode())
    assert isinstance(read, Event)
    return read


def survey(pbx: CallCenter, channels: list[str]) -> Snapshot:
    """The tables as they are now."""
    asking = Survey(lambda: channels)
    questions = asking.begin()
    while questions:
        questions += asking.answer(questions[0], pbx.api(questions[0]))
        del questions[0]
    assert asking.is_done
    return asking.snapshot()


class Story:
    """A translator that hears what happens in `pbx`, unless it `is_deaf`; `events` is all that it said."""

    def __init__(self, pbx: CallCenter | None = None, **settings: object) -> None:
        self.pbx = pbx or CallCenter()
        self.translator = Translator(source(**settings), PSEUDONYMS)
        self.translator.go_on()
        self.events: list[SourceEvent] = []
        self.heard: list[Headers] = []
        self.is_deaf = False
        self.pbx.listeners.append(self._hear)

    def _hear(self, headers: Headers) -> None:
        if not self.is_deaf:
            self.heard.append(headers)
            self.tell(headers)

    def tell(self, headers: Headers) -> None:
        now_ms = int(headers["Event-Date-Timestamp"]) // 1000
        self.events += self.translator.event(event(headers), now_ms)

    def wait_until(self, at_s: float) -> None:
        self.pbx.at(at_s)
        self.events += self.translator.due(START_MS + round(at_s * 1000))

    def look(self, at_s: float) -> None:
        """A snapshot at that moment."""
        self.pbx.at(at_s)
        snapshot = survey(self.pbx, self.translator.channels())
        self.events += self.translator.snapshot(snapshot, START_MS + round(at_s * 1000))

    def reconnect(self, at_s: float) -> None:
        """The line is there again; what it may still contradict is over a moment later."""
        self.is_deaf = False
        self.translator.reconnected()
        self.look(at_s)
        self.wait_until(at_s + 3)

    def words(self, *kinds: type) -> list[str]:
        """What was said, one line each; of these kinds, or all."""
        return [line(each) for each in self.events if not kinds or isinstance(each, kinds)]


def line(event: SourceEvent) -> str:
    """`queue.left abandoned c1/support/m-c1 at 5 inferred`."""
    words = [str(event.__struct_config__.tag)]
    for name in ("outcome", "state", "reason", "by", "kind"):
        value = getattr(event, name, None)
        words += [str(value)] if value is not None else []
    named = (getattr(event, name, None) for name in ("agent", "segment"))
    words += [each for each in named if each is not None]
    at = f"at {(event.occurred_ms - START_MS) // 100 / 10:g}"
    return " ".join([*words, at, *(["inferred"] if event.inferred else [])])

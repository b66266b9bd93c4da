"""Rows and messages of others into our events, by a mapping in the settings. Pure.

`columns` says which of their fields holds which of ours. A row is one event (`type` and `time` are
mapped), or a whole contact (`entered` is mapped, and whatever of `answered`, `left`, `talk_ended`,
`wrap_ended`, `ended` there is): the form of call detail records. Fields are found by name, or by a path
with dots into objects. What the events may hold is checked as if it had been posted (`kinds.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.config import ROW_INSTANTS, SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import SourceEvent
from schemas.vocabulary import Outcome, Reason
from services.ingest.cloudevents import pseudonymous
from services.ingest.instants import epoch_ms
from services.ingest.kinds import KINDS, Kind, build
from services.ingest.names import fit
from services.ingest.translated import Pseudonyms

_BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS.values()}
_LISTS = frozenset({"queues"})


class Mapper:
    """One source's mapping."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._pseudonyms = pseudonyms
        self._zone = ZoneInfo(source.time_zone) if source.time_zone else None
        self._columns = {ours: theirs.split(".") for ours, theirs in source.columns.items()}

    @property
    def is_of_contacts(self) -> bool:
        """Whether a row is a whole contact."""
        return "entered" in self._columns

    def events(self, row: Mapping[str, Any], *, received_ms: int) -> list[SourceEvent]:
        """What the row tells. Raises `InvalidMessage`: nothing of it is taken."""
        values = self._values(row)
        if self.is_of_contacts:
            return list(self._contact(values, received_ms))
        return [self._one(values, received_ms)]

    def event(
        self, name: str, data: Mapping[str, Any], *, id_: str, at_ms: int, received_ms: int
    ) -> SourceEvent:
        """One event with these fields of ours. Raises `InvalidMessage`."""
        kind = _BY_NAME.get(name)
        if kind is None:
            raise InvalidMessage("type: not one that a source may send", reason=Reason.UNKNOWN_TYPE)
        envelope = {
            "id": fit(id_),
            "source": self._source.id,
            "site": self._source.site,
            "occurred_ms": at_ms,
            "received_ms": received_ms,
        }
        return pseudonymous(build(kind, envelope, self._ours(data)), self._pseudonyms)

    def name_of(self, word: object) -> str:
        """Our event for their word; their word where none is mapped."""
        text = str(word)
        return self._source.events.get(text, text.removeprefix("vigie.").removesuffix(".v1"))

    def instant(self, name: str, value: object) -> int:
        """Raises `InvalidMessage` with the name of the field."""
        try:
            return epoch_ms(value, zone=self._zone, form=self._source.time_format)
        except InvalidMessage as error:
            raise InvalidMessage(f"{name}: {error.detail}") from error

    def data(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of ours in `row`; all of them under their own names where nothing is mapped."""
        return self._values(row) if self._columns else dict(row)

    def _values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What the row holds, by our names; empty cells are left out."""
        found = {name: _at(row, path) for name, path in self._columns.items()}
        return {name: value for name, value in found.items() if value not in (None, "")}

    def _ours(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Queues, agents and outcomes by our names; what the settings say for all rows."""
        values = dict(data)
        source = self._source
        for name in ("queue", "from_queue", "to_queue"):
            if name in values:
                values[name] = source.map.get(str(values[name]), _text(values[name]))
        values.setdefault("queue", source.queue)
        values.setdefault("channel", source.channel)
        if "agent" in values:
            values["agent"] = source.agents.get(str(values["agent"]), _text(values["agent"]))
        if "outcome" in values:
            values["outcome"] = source.outcomes.get(str(values["outcome"]), values["outcome"])
        if "state" in values:
            values["state"] = source.states.get(str(values["state"]), values["state"])
        for name in _LISTS & values.keys():
            if isinstance(values[name], str):
                values[name] = [source.map.get(q, q) for q in values[name].split(",") if q]
        if isinstance(values.get("score"), str):
            values["score"] = _number(values["score"])
        for name in ("contact", "segment"):
            if name in values:
                values[name] = _text(values[name])
        return {name: value for name, value in values.items() if value is not None}

    def _one(self, values: dict[str, Any], received_ms: int) -> SourceEvent:
        for name in ("type", "time"):
            if name not in values:
                raise InvalidMessage(f"{name}: missing")
        at_ms = self.instant("time", values.pop("time"))
        name = self.name_of(values.pop("type"))
        about = values.get("segment") or values.get("contact") or values.get("agent") or ""
        id_ = str(values.pop("id", f"{about}/{name}/{at_ms}"))
        return self.event(name, values, id_=id_, at_ms=at_ms, received_ms=received_ms)

    def _contact(self, values: dict[str, Any], received_ms: int) -> Iterator[SourceEvent]:
        """A whole contact: what happened to it, in order."""
        told = {name: self.instant(name, values.pop(name)) for name in ROW_INSTANTS if name in values}
        if "entered" not in told:
            raise InvalidMessage("entered: missing")
        if "contact" not in values:
            raise InvalidMessage("contact: missing")
        values.pop("type", None)
        values.pop("time", None)
        queue = values.get("queue", self._source.queue)
        values.setdefault("segment", f"{values['contact']}/{queue}/{told['entered']}")
        about = str(values.pop("id", values["segment"]))
        for step in _steps(told, values):
            yield self.event(
                step.name, step.data, id_=f"{about}/{step.name}", at_ms=step.at_ms, received_ms=received_ms
            )


class _Step(Struct, frozen=True):
    name: str
    at_ms: int
    data: Mapping[str, Any]


def _steps(told: Mapping[str, int], values: Mapping[str, Any]) -> Iterator[_Step]:
    entered = told["entered"]
    yield _Step("contact.created", entered, values)
    yield _Step("queue.entered", entered, values)
    answered = told.get("answered")
    end = _last(told, ("left", "talk_ended", "ended"))
    if answered is not None:
        yield _Step("queue.left", answered, {**values, "outcome": Outcome.ANSWERED.value})
        if "agent" in values:
            yield _Step("agent.accepted", answered, values)
        talk_ended = told.get("talk_ended", end)
        if talk_ended is not None:
            yield _Step("talk.ended", talk_ended, values)
        if "wrap_ended" in told:
            yield _Step("wrap.end", told["wrap_ended"], values)
    elif end is not None:
        outcome = values.get("outcome", Outcome.UNKNOWN.value)
        yield _Step("queue.left", told.get("left", end), {**values, "outcome": outcome})
    if end is not None:
        yield _Step("contact.ended", max(end, told.get("ended", end)), values)


def _last(told: Mapping[str, int], names: Sequence[str]) -> int | None:
    return max((told[name] for name in names if name in told), default=None)


def _at(row: Mapping[str, Any], path: Sequence[str]) -> Any:
    if len(path) > 1 and ".".join(path) in row:
        return row[".".join(path)]
    value: Any = row
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> Any:
    """Numbers as names: identifiers are opaque (SOURCES.md §1.6), and JSON writes them as it likes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(text: str) -> float | str:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text

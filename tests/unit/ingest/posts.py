"""A good posted event of every kind, read off the structs, to spoil one field at a time."""

import base64
import json
from typing import Any

import msgspec

from schemas.events import Event
from services.ingest.admission import Admission
from services.ingest.cloudevents import Refused, Taken, read_structured
from services.ingest.intake import Door
from services.ingest.kinds import KINDS
from services.ingest.pseudonym import Pseudonyms

NOW_MS = 1_795_341_600_000
"""2026-11-22T10:00:00Z."""

PSEUDONYMS = Pseudonyms(b"a key of the tests, no secret")
ENVELOPE: dict[str, Any] = {"specversion": "1.0", "id": "e1", "source": "shop", "site": "paris"}


def post(kind: str, **members: Any) -> dict[str, Any]:
    """The event with every field of its row."""
    return {**ENVELOPE, "type": kind, "data": full_data(kind), **members}


def entered(**members: Any) -> dict[str, Any]:
    return post("vigie.queue.entered.v1", **members)


def full_data(kind: str) -> dict[str, Any]:
    """A good value for every field of the row."""
    return {field.name: good(field.type) for field in row(kind)}


def row(kind: str) -> list[msgspec.inspect.Field]:
    info = msgspec.inspect.type_info(KINDS[kind].struct)
    assert isinstance(info, msgspec.inspect.StructType)
    return [field for field in info.fields if field.name not in Event.__struct_fields__]


def core(kind: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """A field's type without "or null"."""
    if isinstance(kind, msgspec.inspect.UnionType):
        return next(each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType))
    return kind


def good(kind: msgspec.inspect.Type) -> Any:
    """A value of that type."""
    match core(kind):
        case msgspec.inspect.EnumType(cls=words):
            return next(iter(words)).value
        case msgspec.inspect.StrType():
            return "a-1"
        case msgspec.inspect.VarTupleType(item_type=item):
            return [good(item)]
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return {good(key): good(value)}
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 4
        case other:
            raise AssertionError(f"no good value is known for {other}")


def body(posted: Any) -> bytes:
    return json.dumps(posted).encode()


def packed(data: Any) -> str:
    return base64.b64encode(json.dumps(data).encode()).decode()


def read(posted: Any) -> Taken | Refused:
    """What becomes of it, structured."""
    entry = posted if isinstance(posted, bytes) else body(posted)
    return read_structured(entry, received_ms=NOW_MS, pseudonyms=PSEUDONYMS)


def taken(posted: Any) -> Taken:
    outcome = read(posted)
    assert isinstance(outcome, Taken), outcome
    return outcome


def refused(posted: Any) -> Refused:
    outcome = read(posted)
    assert isinstance(outcome, Refused), outcome
    return outcome


def door(*sites: str) -> Door:
    """A door for these sites; none: sites appear by themselves."""
    return Door(pseudonyms=PSEUDONYMS, admission=Admission(frozenset(sites)))

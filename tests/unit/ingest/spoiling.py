"""One field of a good posted event spoiled at a time: left out, null, of the wrong type, too long."""

from typing import Any

import msgspec

from services.ingest.kinds import KINDS
from tests.unit.ingest.posts import core, full_data, post, row

FIELDS = [(kind, field) for kind in KINDS for field in row(kind)]


def spoiled(kind: str, name: str, value: Any) -> dict[str, Any]:
    return post(kind, data={**full_data(kind), name: value})


def without(kind: str, name: str) -> dict[str, Any]:
    data = full_data(kind)
    del data[name]
    return post(kind, data=data)


def wrong(field: msgspec.inspect.Field) -> list[Any]:
    """Values of other types than the field's."""
    values: list[Any] = [True, [[]], {"a": {}}, ["x"] * 501]
    return values + (["7", 1e308, -1e9] if _is_number(field) else [7, 1.5])


def oversize(field: msgspec.inspect.Field) -> Any:
    """A value of the field's type, just above what it may be."""
    match core(field.type):
        case msgspec.inspect.VarTupleType():
            return ["q"] * 501
        case msgspec.inspect.DictType():
            return {"phone": 1001}
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 2**53
        case _:
            return "x" * 257


def _is_number(field: msgspec.inspect.Field) -> bool:
    return isinstance(core(field.type), msgspec.inspect.IntType | msgspec.inspect.FloatType)

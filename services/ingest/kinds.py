"""The rows of INTERFACE.md §4: which `type` is which event, and `data` put into its struct.

Pure. Everything is read off the structs of `schemas.events`; nothing here names a field twice.
Details of what is refused name the place and the rule, never the value: they go into dead letters.
"""

import re
import typing
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from schemas.errors import InvalidMessage
from schemas.events import Event, SourceEvent
from schemas.faults import MISSING, NO_WORD, place_and_rule

_ENVELOPE = frozenset(Event.__struct_fields__)
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")
"""Control characters, line separators, non-characters, lone surrogates (CloudEvents 1.0, type String)."""


class Kind(Struct, frozen=True, kw_only=True):
    """One row. `names` are its identifiers, which may not be blank; `words` its closed sets, spelled out."""

    name: str
    struct: type[Event]
    fields: frozenset[str]
    names: frozenset[str]
    words: dict[str, str]


def build(kind: Kind, envelope: Mapping[str, object], data: Mapping[str, object]) -> SourceEvent:
    """The event of `kind` with these envelope fields and what `data` holds of its row.

    Raises `InvalidMessage` with the place: `data.outcome: …`, or the envelope's `id`, `source`, `site`.
    """
    flat = dict(envelope)
    for name in kind.fields:
        if name in data:
            flat[name] = data[name]
    try:
        event = msgspec.convert(flat, kind.struct)
    except msgspec.ValidationError as error:
        raise InvalidMessage(_told(kind, error)) from error
    _check_text(kind, flat)
    return typing.cast(SourceEvent, event)


def check(event: SourceEvent) -> None:
    """Raises `InvalidMessage`, as `build` would have, for an event that was made in another way."""
    flat = msgspec.to_builtins(event)
    kind = KINDS[f"vigie.{flat.pop('type')}.v1"]
    build(kind, {name: flat[name] for name in _ENVELOPE & flat.keys()}, flat)


def _check_text(kind: Kind, flat: Mapping[str, object]) -> None:
    for name, value in flat.items():
        if isinstance(value, str):
            if value.isspace() or not value.isprintable():  # nearly no text needs a closer look
                _check_one(kind, name, value)
        elif isinstance(value, list):
            for i, each in enumerate(value):
                _check_one(kind, name, each, index=f"[{i}]")


def _check_one(kind: Kind, name: str, value: str, *, index: str = "") -> None:
    if _UNFIT.search(value):
        raise InvalidMessage(f"{_place(name)}{index}: holds a control character")
    if name in kind.names and value.isspace():
        raise InvalidMessage(f"{_place(name)}{index}: blank")


def _place(name: str) -> str:
    return name if name in _ENVELOPE else f"data.{name}"


def _told(kind: Kind, error: msgspec.ValidationError) -> str:
    """What msgspec says, with our place first and without the value."""
    path, rule = place_and_rule(error)
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    if rule == MISSING:
        return f"{_place(name)}: {rule}"
    if rule == NO_WORD:
        rule = f"not one of {kind.words[name]}"
    return f"{_place(name) + path[len(name) :] if name else 'data'}: {rule}"


def _kinds() -> dict[str, Kind]:
    found = {}
    for struct in typing.get_args(SourceEvent):
        info = msgspec.inspect.type_info(struct)
        assert isinstance(info, msgspec.inspect.StructType)
        parts = {field.name: list(_parts(field.type)) for field in info.fields}
        fields = frozenset(parts) - _ENVELOPE
        found[f"vigie.{info.tag}.v1"] = Kind(
            name=str(info.tag),
            struct=struct,
            fields=fields,
            names=frozenset(name for name in parts if any(map(_is_name, parts[name]))),
            words={
                name: ", ".join(member.value for member in part.cls)
                for name in fields
                for part in parts[name]
                if isinstance(part, msgspec.inspect.EnumType)
            },
        )
    return found


def _parts(kind: msgspec.inspect.Type) -> typing.Iterator[msgspec.inspect.Type]:
    """A field's type taken apart: union members, items of arrays, keys of objects."""
    yield kind
    if isinstance(kind, msgspec.inspect.UnionType):
        for each in kind.types:
            yield from _parts(each)
    elif isinstance(kind, msgspec.inspect.VarTupleType):
        yield from _parts(kind.item_type)
    elif isinstance(kind, msgspec.inspect.DictType):
        yield from _parts(kind.key_type)


def _is_name(kind: msgspec.inspect.Type) -> bool:
    return isinstance(kind, msgspec.inspect.StrType) and kind.min_length == 1


KINDS = _kinds()
"""By `type`: `vigie.queue.entered.v1` and the others that a source may say."""

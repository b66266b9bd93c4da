"""Plain values into the structs of `schemas.config`, with every fault of their shape at once.

The library stops at the first fault. Here each field is converted by itself; one that is wrong is
named and takes its default, so that what refers to its neighbours can still be checked.
"""

import math
import re
import types
import typing
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import Struct, structs

from schemas.config import Config
from services.runtime.toml_lines import Place

Fault = tuple[Place, str]
"""Where, and what is wrong there."""

_NOT_IN_FILE = {"from_file"}
_WHERE = re.compile(r" - at `(?P<where>[^`]*)`$")


def convert(values: dict[str, Any]) -> tuple[Config, list[Fault]]:
    """The configuration as far as it can be understood, and every fault of names, types and ranges.

    A field that is required and wrong is None in the result.
    """
    faults: list[Fault] = []
    config: Config = _struct(Config, values, (), faults)
    return structs.replace(config, from_file=True), faults


def suggestion(word: str, known: typing.Iterable[str]) -> str:
    """` (did you mean "…"?)`, or nothing when no known word is near."""
    near = get_close_matches(word, list(known), n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _struct(kind: type[Struct], values: Any, place: Place, faults: list[Fault]) -> Any:
    if not isinstance(values, dict):
        faults.append((place, f"expected a table, got {_kind_of(values)}"))
        values = {}
    fields = {f.encode_name: f for f in structs.fields(kind) if f.name not in _NOT_IN_FILE}
    unknown = [name for name in values if name not in fields]
    faults.extend(((*place, name), f"unknown field{suggestion(name, fields)}") for name in unknown)
    made: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            before = len(faults)
            value = _value(field.type, values[name], (*place, name), faults)
            if len(faults) == before or _inner_struct(field.type):
                made[field.name] = value
        elif field.required:
            faults.append((place, f"{name} is missing"))
        if field.required:
            made.setdefault(field.name, None)
    return kind(**made)


def _value(kind: Any, value: Any, place: Place, faults: list[Fault]) -> Any:
    inner = _inner_struct(kind)
    if inner is None:
        return _leaf(kind, value, place, faults)
    if typing.get_origin(_without_none(kind)) is not list:
        return _struct(inner, value, place, faults)
    if not isinstance(value, list):
        faults.append((place, f"expected [[{place[-1]}]], got {_kind_of(value)}"))
        return []
    return [_struct(inner, each, (*place, i), faults) for i, each in enumerate(value)]


def _leaf(kind: Any, value: Any, place: Place, faults: list[Fault]) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        faults.append((place, f"expected a number, got {value}"))
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        where = _WHERE.search(text)
        inside = tuple(_steps(where["where"])) if where else ()
        said = _WHERE.sub("", text)
        faults.append(((*place, *inside), said[:1].lower() + said[1:] + _choices(kind, value)))
        return None


def _choices(kind: Any, value: Any) -> str:
    """The words that would do, where only some do."""
    kind = _without_none(kind)
    if typing.get_origin(kind) is typing.Literal:
        words = [str(word) for word in typing.get_args(kind)]
    elif isinstance(kind, type) and hasattr(kind, "__members__"):
        words = [str(word.value) for word in kind.__members__.values()]
    else:
        return ""
    return f"; one of {', '.join(words)}{suggestion(str(value), words)}"


def _steps(where: str) -> Iterator[str | int]:
    for name, position in re.findall(r"\.([A-Za-z0-9_]+)|\[(\d+)\]", where):
        yield name or int(position)


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        rest = [each for each in typing.get_args(kind) if each is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _inner_struct(kind: Any) -> type[Struct] | None:
    """The struct of a field that is one, may be one, or lists them."""
    kind = _without_none(kind)
    if typing.get_origin(kind) is list:
        kind = typing.get_args(kind)[0]
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def _kind_of(value: Any) -> str:
    return {dict: "a table", list: "an array", str: "a string", bool: "a boolean"}.get(
        type(value), f"`{type(value).__name__}`"
    )

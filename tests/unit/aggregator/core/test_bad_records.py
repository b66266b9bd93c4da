"""Whatever stands in `vigie.events`, the fold goes on: it is counted, or it becomes a dead letter."""

import json
from typing import Any

import msgspec
import pytest

from schemas import events as ev
from schemas.config import Config
from schemas.vocabulary import Reason
from services.aggregator.core.partition import Partition
from tests.unit.aggregator.core.folding import rows, whole

NOW_MS = 1_795_341_600_000
LAST_MS = 2**53 - 1
KINDS = msgspec.inspect.type_info(ev.AnyEvent)
assert isinstance(KINDS, msgspec.inspect.UnionType)
STRUCTS = [kind for kind in KINDS.types if isinstance(kind, msgspec.inspect.StructType)]


def partition() -> Partition:
    return whole(Config(), NOW_MS)


def plain(kind: msgspec.inspect.StructType) -> dict[str, Any]:
    """A record of that type with every field."""
    record: dict[str, Any] = {"type": kind.tag}
    for field in kind.fields:
        if field.name not in ("rank", "inferred", "precision_ms"):
            record[field.name] = NOW_MS if field.name.endswith("_ms") else _good(field.type)
    return record


def _good(kind: msgspec.inspect.Type) -> Any:
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = kind.types[0]
    match kind:
        case msgspec.inspect.EnumType(cls=words):
            return next(iter(words)).value
        case msgspec.inspect.VarTupleType():
            return ["q"]
        case msgspec.inspect.DictType():
            return {"phone": 1}
        case msgspec.inspect.FloatType() | msgspec.inspect.IntType():
            return 1
        case _:
            return "x"


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"no json",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"type":"queue.entered"}',
        b'{"type":"nobody.knows","id":"1"}',
        b'{"id":"\\ud800"}',
        b'{"id":"\xff"}',
        b'{"id":NaN}',
        b"[" * 10_000,
        b'{"type":' * 10_000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_event_becomes_a_dead_letter(value: bytes | None) -> None:
    folding = partition()
    letter = folding.fold(value, offset=7, appended_ms=NOW_MS, now_ms=NOW_MS)
    assert letter is not None
    assert (letter.reason, letter.offset, letter.size) == ("invalid", 7, len(value or b""))
    assert folding.applied == 7


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.tag)
@pytest.mark.parametrize(
    "value", [None, "", [], {}, True, -1, 1.5, 2**53, 10**400, "x" * 257, "\x00", 0, LAST_MS]
)
def test_any_value_in_any_field_is_folded_or_refused(kind: msgspec.inspect.StructType, value: Any) -> None:
    folding = partition()
    good = plain(kind)
    names = [field.name for field in kind.fields]
    for offset, name in enumerate(names):
        record = {**good, "id": f"e{offset}", name: value}
        for repeat in range(2):
            letter = folding.fold(
                json.dumps(record).encode(), offset=2 * offset + repeat, appended_ms=NOW_MS, now_ms=NOW_MS
            )
            assert letter is None or letter.reason in (Reason.INVALID, Reason.FUTURE)
    for at_ms in (NOW_MS, NOW_MS + 1000, NOW_MS + 3_600_000):
        folding.advance(at_ms)
        folding.next_deadline_ms(at_ms)
        rows(folding, at_ms)
    restored = partition()
    folding.claim()
    restored.restore({key: made for key, made in folding.changes() if made is not None}, NOW_MS)
    rows(restored, NOW_MS)


@pytest.mark.parametrize("name", ["occurred_ms", "received_ms"])
def test_an_instant_far_ahead_of_its_append_is_a_dead_letter(name: str) -> None:
    entered = next(kind for kind in STRUCTS if kind.tag == "queue.entered")
    folding = partition()
    for offset, (ahead_ms, reason) in enumerate([(360_000, None), (360_001, "future"), (10**15, "future")]):
        record = {**plain(entered), "id": f"e{offset}", name: NOW_MS + ahead_ms}
        letter = folding.fold(json.dumps(record).encode(), offset=offset, appended_ms=NOW_MS, now_ms=NOW_MS)
        assert (letter and letter.reason) == reason


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.tag)
def test_a_dead_letter_holds_place_rule_sender_and_never_the_value(
    kind: msgspec.inspect.StructType,
) -> None:
    folding = partition()
    told = plain(kind) | {"source": "pbx", "site": "paris"}
    secret = "+33612345678"
    names = [field.name for field in kind.fields]
    letters = {}
    for name in names:
        for value in (secret, secret * 30, [secret], {secret: secret}, {secret: 1}, [[secret]]):
            record = json.dumps({**told, "id": "e", name: value}).encode()
            letter = folding.fold(record, offset=folding.applied + 1, appended_ms=NOW_MS, now_ms=NOW_MS)
            if letter is not None:
                assert secret not in letter.detail
                letters[name, letter.source, letter.site, letter.detail.split(":")[0].split("[")[0]] = letter
    for name in {"id", "occurred_ms"}:
        assert (name, "pbx", "paris", name) in letters
    assert {key[0] for key in letters} == set(names)


def test_what_a_dead_letter_says() -> None:
    folding = partition()
    told: dict[str, Any] = {"type": "queue.left", "id": "e", "source": "pbx", "site": "paris", "contact": "c"}
    told |= {"occurred_ms": NOW_MS, "received_ms": NOW_MS, "outcome": "+33612345678"}
    cases = [
        (json.dumps(told).encode(), "outcome: not one of its words", "pbx"),
        (json.dumps({**told, "type": "+33612345678"}).encode(), "type: not one of its words", "pbx"),
        (json.dumps({**told, "outcome": None}).encode(), "outcome: expected str, got null", "pbx"),
        (b'{"type":"queue.left","source":"pbx","site":"paris"}', "id: missing", "pbx"),
        (b"+33612345678", "record: JSON is malformed: invalid character (byte 0)", "vigie/aggregator"),
        (b"{", "record: Input data was truncated", "vigie/aggregator"),
        (b'{"type":"queue.left","id":"\xff"}', "record: not UTF-8", "vigie/aggregator"),
    ]
    for offset, (value, detail, source) in enumerate(cases):
        letter = folding.fold(value, offset=offset, appended_ms=NOW_MS, now_ms=NOW_MS)
        assert letter is not None
        assert (letter.detail, letter.source) == (detail, source)

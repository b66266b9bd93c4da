"""CloudEvents in Kafka, structured and binary: samples of the specification, and ours."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import SourceConfig
from schemas.events import ContactCreated, QueueEntered
from schemas.vocabulary import Reason
from services.ingest.adapters.kafka.translate import Record, Translator, read
from services.ingest.translated import Translated
from tests.doubles.running_source import PSEUDONYMS

NOW_MS = 1_795_341_600_000
SAMPLES = Path(__file__).parents[4] / "data" / "cloudevents" / "kafka_records.json"
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/crm",
    "type": "vigie.queue.entered.v1",
    "time": "2026-11-22T10:00:00.250Z",
    "data": {"contact": "c1", "queue": "support", "channel": "phone"},
}


def source(**more: object) -> SourceConfig:
    told: dict[str, object] = {"id": "bus", "kind": "kafka", "site": "paris", "topic": "t", **more}
    return SourceConfig(**told)  # type: ignore[arg-type] # the tests name real fields


def structured(**more: Any) -> Record:
    members = {name: value for name, value in {**EVENT, **more}.items() if value is not None}
    media = b"application/cloudevents+json; charset=UTF-8"
    return Record([("content-type", media)], json.dumps(members).encode(), NOW_MS - 5)


def binary(value: bytes | None = None, **more: str) -> Record:
    attributes = {name: text for name, text in EVENT.items() if name != "data"} | more
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    body = json.dumps(EVENT["data"]).encode() if value is None else value
    return Record([*headers, ("content-type", b"application/json")], body, NOW_MS - 5)


def told(record: Record, **more: object) -> Translated:
    return Translator(source(**more), PSEUDONYMS).record(record, NOW_MS)


@pytest.mark.parametrize("record", [structured(), binary()], ids=["structured", "binary"])
def test_both_modes_tell_the_same(record: Record) -> None:
    (event,) = told(record).events

    assert isinstance(event, QueueEntered)
    assert (event.id, event.source, event.site) == ("/crm|e1", "bus", "paris")
    assert (event.contact, event.queue, event.occurred_ms) == ("c1", "support", NOW_MS + 250)


def test_without_a_time_it_is_the_broker_s() -> None:
    (event,) = told(structured(time=None)).events

    assert event.occurred_ms == NOW_MS - 5


def test_what_is_called_otherwise_there_is_mapped() -> None:
    data = {"call": {"id": 4711, "from": "+33102030405"}, "skill": "600"}
    record = structured(type="com.example.call.new", data=data)
    (event,) = told(
        record,
        columns={"contact": "call.id", "customer": "call.from"},
        events={"com.example.call.new": "contact.created"},
    ).events

    assert isinstance(event, ContactCreated)
    assert (event.contact, event.customer) == ("4711", PSEUDONYMS.of("+33102030405"))


def test_the_samples_of_the_specification_are_of_no_type_of_ours() -> None:
    recording = read([SAMPLES.read_bytes()], source(), PSEUDONYMS)

    assert recording.payloads == 3
    assert recording.unknown == {"com.example.someevent": 1}
    assert recording.dropped == {Reason.NOT_AN_EVENT: 1}
    assert len(recording.spoiled) == 1  # its data are XML


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (structured(id=None), "id: missing"),
        (structured(source=None), "source: missing"),
        (structured(type=None), "type: missing"),
        (structured(time="noon"), "time: not an instant"),
        (structured(data=[1]), "data: expected an object"),
        (structured(data={"queue": "q"}), "data.contact: missing"),
        (Record([("content-type", b"application/cloudevents+json")], b"["), "value: no JSON"),
        (Record([("content-type", b"application/cloudevents+json")], b"[]"), "value: expected an object"),
        (Record([], b"{}"), "headers: neither ce_ attributes nor a CloudEvents content type"),
        (binary(value=b"<x/>"), "value: no JSON"),
    ],
)
def test_what_cannot_be_read_is_spoiled_with_its_reason(record: Record, detail: str) -> None:
    found = told(record)

    assert [each.detail for each in found.spoiled] == [detail]
    assert found.events == []


def test_a_large_one_is_refused() -> None:
    (spoiled,) = told(binary(value=b"x" * 70_000)).spoiled

    assert spoiled.is_too_large


def test_events_of_other_sites_are_another_source_s() -> None:
    found = told(structured(site="lyon"))

    assert (found.events, found.dropped) == ([], {Reason.UNKNOWN_SITE: 1})
    assert len(told(structured(site="paris")).events) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["content-type", "ce_id", "ce_type", "ce_source", "ce_time"]), st.binary())
    ),
    st.none() | st.binary(),
)
def test_any_record_never_raises(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    told(Record(headers, value))

"""Posted CloudEvents: every field of INTERFACE.md §4 good, missing, null, of the wrong type, too long."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import InvalidMessage
from schemas.events import ContactCreated, SurveyAnswered
from schemas.vocabulary import Reason
from services.ingest.cloudevents import Mode, Refused, Taken, instant, mode_of, read_binary, split
from services.ingest.kinds import KINDS
from tests.unit.ingest.posts import (
    NOW_MS,
    PSEUDONYMS,
    body,
    entered,
    full_data,
    packed,
    post,
    read,
    refused,
    taken,
)
from tests.unit.ingest.spoiling import FIELDS, oversize, spoiled, without, wrong

each_field = pytest.mark.parametrize(
    ("kind", "field"), FIELDS, ids=[f"{KINDS[kind].name}-{field.name}" for kind, field in FIELDS]
)
TEXT = "2026-11-22T10:00:00Z"


def is_invalid_at(outcome: Taken | Refused, place: str) -> bool:
    return (
        isinstance(outcome, Refused)
        and outcome.reason is Reason.INVALID
        and outcome.detail.startswith((f"{place}: ", f"{place}["))
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_whole_event_of_each_kind_is_taken(kind: str) -> None:
    outcome = taken(post(kind))
    assert (outcome.kind, outcome.ignored) == (KINDS[kind].name, 0)
    assert codec.decode_event(codec.encode(outcome.event)) == outcome.event
    assert (outcome.event.id, outcome.event.source, outcome.event.site) == ("e1", "shop", "paris")


@each_field
def test_missing_field_is_refused_when_required_only(kind: str, field: msgspec.inspect.Field) -> None:
    outcome = read(without(kind, field.name))
    assert is_invalid_at(outcome, f"data.{field.name}") if field.required else isinstance(outcome, Taken)


@each_field
def test_null_field_is_refused_when_required_only(kind: str, field: msgspec.inspect.Field) -> None:
    outcome = read(spoiled(kind, field.name, None))
    assert is_invalid_at(outcome, f"data.{field.name}") if field.required else isinstance(outcome, Taken)


@each_field
def test_wrong_type_is_refused_with_its_place(kind: str, field: msgspec.inspect.Field) -> None:
    for value in wrong(field):
        assert is_invalid_at(read(spoiled(kind, field.name, value)), f"data.{field.name}"), value


@each_field
def test_oversize_field_is_refused_with_its_place(kind: str, field: msgspec.inspect.Field) -> None:
    assert is_invalid_at(read(spoiled(kind, field.name, oversize(field))), f"data.{field.name}")


@each_field
def test_control_character_is_refused_with_its_place(kind: str, field: msgspec.inspect.Field) -> None:
    for text in ("a\x00b", "a\nb", "\x7f", "a\u0085", "\u2028", "\ufffe"):
        values: tuple[Any, ...] = (text, [text])
        for value in values:
            assert is_invalid_at(read(spoiled(kind, field.name, value)), f"data.{field.name}"), value


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_identifiers_are_not_blank(kind: str) -> None:
    for name in KINDS[kind].names & KINDS[kind].fields:
        for blank in ("", " "):
            value = [blank] if name == "queues" else blank
            assert is_invalid_at(read(spoiled(kind, name, value)), f"data.{name}")


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
def test_required_attribute_is_a_filled_string(kind: str, name: str) -> None:
    posted = post(kind)
    values: tuple[Any, ...] = (None, "", 7, ["a"], {}, True)
    for value in values:
        assert is_invalid_at(read({**posted, name: value}), name), value
    del posted[name]
    assert is_invalid_at(read(posted), name)


@pytest.mark.parametrize("name", ["id", "source", "site"])
@pytest.mark.parametrize("value", ["x" * 257, " ", "a\x01", "\x00"])
def test_envelope_identifiers_keep_the_rules_of_identifiers(name: str, value: str) -> None:
    assert is_invalid_at(read(entered(**{name: value})), name)


@pytest.mark.parametrize("value", ["", 7, [], {}, True, "*"])
def test_site_is_a_filled_string_and_not_every_site(value: Any) -> None:
    assert is_invalid_at(read(entered(site=value)), "site")


@pytest.mark.parametrize("members", [{}, {"site": None}])
def test_site_left_out_is_main(members: dict[str, Any]) -> None:
    posted = entered()
    del posted["site"]
    assert taken({**posted, **members}).event.site == "main"


@pytest.mark.parametrize("source", ["vigie/ingest", "vigie/api", "vigie/"])
def test_nobody_outside_speaks_as_vigie(source: str) -> None:
    assert is_invalid_at(read(entered(source=source)), "source")
    assert is_invalid_at(read(post("vigie.source.heartbeat.v1", source=source)), "source")


@pytest.mark.parametrize(
    "kind",
    [
        "vigie.queue.entered.v2",
        "vigie.queue.entered",
        "queue.entered.v1",
        "Vigie.queue.entered.v1",
        "com.example.someevent",
        "vigie.alert.acknowledge.v1",
        "vigie.alert.snooze.v1",
        "vigie.alert.resolve.v1",
        "x" * 100_000,
        "\x00",
    ],
)
def test_other_types_are_unknown(kind: str) -> None:
    assert refused(entered(type=kind)).reason is Reason.UNKNOWN_TYPE


@pytest.mark.parametrize("version", ["1", "1.0.2", "0.3", " 1.0", "2.0"])
def test_only_version_1_0_is_read(version: str) -> None:
    assert is_invalid_at(read(entered(specversion=version)), "specversion")


@pytest.mark.parametrize("name", ["comExample", "com-example", "com_example", "é", "a b", "a.b"])
def test_attribute_names_are_lower_case_letters_and_digits(name: str) -> None:
    assert is_invalid_at(read(entered(**{name: "x"})), "body")


def test_other_attributes_are_passed_over() -> None:
    members = {"traceparent": "00-1-2-01", "n1": 5, "b": True, "subject": "c", "dataschema": None}
    assert taken(entered(**members)).ignored == 0


def test_fields_of_no_row_are_ignored_and_counted() -> None:
    ours = {"rank": 9, "id": "x", "received_ms": 1, "precision_ms": 1000, "inferred": True}
    outcome = taken(entered(data={**full_data("vigie.queue.entered.v1"), "agent": "lea", **ours}))
    assert outcome.ignored == 6
    assert (outcome.event.rank, outcome.event.id, outcome.event.received_ms) == (0, "e1", NOW_MS)
    assert (outcome.event.precision_ms, outcome.event.inferred) == (0, False)


def test_details_hold_no_value() -> None:
    secret = "+33 6 12 34 56 78"
    for kind, field in FIELDS:
        for value in (secret + "\n", [secret], {secret: secret}, secret * 20):
            outcome = read(spoiled(kind, field.name, value))
            assert isinstance(outcome, Taken) or "12 34" not in outcome.detail


def test_bad_word_is_answered_with_the_good_ones() -> None:
    outcome = refused(spoiled("vigie.hold.start.v1", "contact", 5))
    assert outcome.detail == "data.contact: expected str, got int"
    outcome = refused(spoiled("vigie.transfer.v1", "kind", "cold"))
    assert outcome.detail == "data.kind: not one of blind, attended, queue"
    outcome = refused(spoiled("vigie.agent.state.v1", "capacity", {"fax": 1}))
    assert outcome.detail == "data.capacity: not one of phone, chat, email, social, letter, sms"


class TestCustomer:
    def test_becomes_a_pseudonym_always(self) -> None:
        event = taken(
            post("vigie.contact.created.v1", data={"contact": "c", "customer": "+33612345678"})
        ).event
        assert isinstance(event, ContactCreated)
        assert event.customer == PSEUDONYMS.of("+33612345678")
        again = taken(
            post("vigie.contact.created.v1", data={"contact": "c", "customer": event.customer})
        ).event
        assert isinstance(again, ContactCreated)
        assert again.customer != event.customer

    def test_empty_is_nobody(self) -> None:
        event = taken(post("vigie.contact.ended.v1", data={"contact": "c", "customer": ""})).event
        assert codec.encode(event).find(b"customer") == -1

    def test_is_never_in_what_is_refused(self) -> None:
        outcome = refused(post("vigie.contact.created.v1", data={"contact": "c", "customer": "0612" * 100}))
        assert "0612" not in outcome.detail


class TestTime:
    def test_left_out_or_null_is_the_receipt(self) -> None:
        assert taken(entered()).event.occurred_ms == NOW_MS
        assert taken(entered(time=None)).event.occurred_ms == NOW_MS

    @pytest.mark.parametrize("value", ["", "now", 1795341600000, "2026-11-22", "2026-11-22T10:00:00", True])
    def test_other_forms_are_invalid(self, value: Any) -> None:
        assert is_invalid_at(read(entered(time=value)), "time")

    def test_up_to_300_s_ahead_is_taken(self) -> None:
        assert taken(entered(time="2026-11-22T10:05:00Z")).event.occurred_ms == NOW_MS + 300_000

    @pytest.mark.parametrize(
        "text", ["2026-11-22T10:05:00.001Z", "2026-11-22T11:00:00Z", "9999-12-31T23:59:59Z"]
    )
    def test_more_is_future(self, text: str) -> None:
        assert refused(entered(time=text)).reason is Reason.FUTURE

    def test_a_source_whose_clock_is_further_ahead_is_future_too(self) -> None:
        beat = post("vigie.source.heartbeat.v1", data={"clock_ms": NOW_MS + 300_000})
        assert isinstance(read(beat), Taken)
        for clock_ms in (NOW_MS + 300_001, 2**53 - 1):
            outcome = refused(post("vigie.source.heartbeat.v1", data={"clock_ms": clock_ms}))
            assert (outcome.reason, outcome.detail.split(":")[0]) == (Reason.FUTURE, "data.clock_ms")

    @pytest.mark.parametrize(
        ("text", "ms"),
        [
            ("1970-01-01T00:00:00Z", 0),
            ("2018-04-05T17:31:00Z", 1_522_949_460_000),
            ("2018-04-05t17:31:00z", 1_522_949_460_000),
            ("2018-04-05T19:31:00+02:00", 1_522_949_460_000),
            ("2018-04-05T17:31:00-00:00", 1_522_949_460_000),
            ("2018-04-05T23:16:00+05:45", 1_522_949_460_000),
            ("2018-04-05T17:31:00.5Z", 1_522_949_460_500),
            ("2018-04-05T17:31:00.123456789Z", 1_522_949_460_123),
            ("2018-04-05T17:31:00.9999Z", 1_522_949_460_999),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("2017-01-01T05:29:60.5+05:30", 1_483_228_800_000),
        ],
    )
    def test_instants_of_rfc_3339(self, text: str, ms: int) -> None:
        assert instant(text) == ms

    @pytest.mark.parametrize(
        "text",
        [
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:60:00Z",
            "2026-01-01T10:00:61Z",
            "2026-01-01T10:00:60Z",
            "2026-01-01 10:00:00Z",
            "2026-01-01T10:00:00+2400",
            "2026-01-01T10:00:00+24:00",
            "2026-01-01T10:00:00.Z",
            "2026-W01-1T10:00:00Z",
            "20260101T100000Z",
            "1969-12-31T23:59:59Z",
            "0001-01-01T00:00:00+10:00",
            "٢026-01-01T00:00:00Z",
            "2026-01-01T10:00:00Z\n",
        ],
    )
    def test_others_are_refused(self, text: str) -> None:
        with pytest.raises(InvalidMessage):
            instant(text)

    @given(st.integers(0, 4_102_444_800_000), st.integers(-23 * 60 - 59, 23 * 60 + 59))
    def test_every_instant_in_every_offset(self, ms: int, minutes: int) -> None:
        moment = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
        text = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
        assert instant(text) == 31_536_000_000 + ms


class TestData:
    @pytest.mark.parametrize("value", ["{}", 5, [], True, 0, "", False])
    def test_is_an_object(self, value: Any) -> None:
        assert is_invalid_at(read(entered(data=value)), "data")

    @pytest.mark.parametrize("value", [None, {}])
    def test_absent_or_empty_lacks_the_required_fields(self, value: Any) -> None:
        assert is_invalid_at(read(entered(data=value)), "data.contact")

    def test_absent_is_enough_for_a_heartbeat(self) -> None:
        posted = post("vigie.source.heartbeat.v1")
        del posted["data"]
        taken(posted)

    @pytest.mark.parametrize(
        "media",
        ["application/json", "application/json; charset=utf-8", "text/json", "application/vnd.x+json", None],
    )
    def test_json_is_read(self, media: str | None) -> None:
        taken(entered(datacontenttype=media))

    @pytest.mark.parametrize("media", ["application/xml", "", 5, "json", "application/json; charset=utf-16"])
    def test_other_media_are_invalid(self, media: Any) -> None:
        assert is_invalid_at(read(entered(datacontenttype=media)), "datacontenttype")

    def test_base64_is_read_when_it_holds_json(self) -> None:
        posted = entered(data_base64=packed({"contact": "c", "queue": "q"}), data=None)
        assert taken(posted).kind == "queue.entered"

    @pytest.mark.parametrize("value", ["AAECAwQ=", "%%", "e30", 5, "", "é", packed([]), "e30=\n"])
    def test_base64_of_anything_else_is_invalid(self, value: Any) -> None:
        assert refused(entered(data_base64=value, data=None)).reason is Reason.INVALID

    def test_base64_beside_data_is_invalid(self) -> None:
        assert is_invalid_at(read(entered(data_base64=packed({}))), "data_base64")

    def test_control_characters_inside_base64_are_found(self) -> None:
        posted = entered(data_base64=packed({"contact": "c\x00", "queue": "q"}), data=None)
        assert is_invalid_at(read(posted), "data.contact")


class TestBrokenBodies:
    @pytest.mark.parametrize(
        "entry",
        [
            b"",
            b"null",
            b"[]",
            b"7",
            b'"x"',
            b"{",
            b'{"a":',
            b"\xff\xfe",
            b'{"id":"\xff"}',
            b"\xef\xbb\xbf{}",
            b'{"id":"\\ud800"}',
            b'{"id":"a\x00"}',
            b'{"id":NaN}',
            b'{"id":1e999}',
            b'{"id":Infinity}',
            b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
            b"[" * 10_000,
        ],
        ids=lambda entry: repr(entry[:20]),
    )
    def test_are_invalid_and_said_to_be_the_body(self, entry: bytes) -> None:
        assert is_invalid_at(read(entry), "body")

    def test_every_half_of_a_frame_is_invalid(self) -> None:
        whole = body(entered(time=TEXT))
        for length in range(len(whole)):
            assert refused(whole[:length]).reason is Reason.INVALID

    @pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e308", b"1e999", b"9" * 400])
    def test_numbers_that_are_none(self, number: bytes) -> None:
        entry = body(post("vigie.survey.answered.v1")).replace(b'"score": 4', b'"score": ' + number)
        outcome = refused(entry)
        assert outcome.reason is Reason.INVALID
        assert outcome.detail.startswith(("body: ", "data.score: "))

    def test_a_score_of_minus_zero_and_of_fractions_is_a_score(self) -> None:
        for score in (-0.0, 4.5, -1000, 1000):
            event = taken(spoiled("vigie.survey.answered.v1", "score", score)).event
            assert isinstance(event, SurveyAnswered)
            assert event.score == score

    @given(st.binary(max_size=300))
    def test_no_bytes_raise(self, entry: bytes) -> None:
        assert isinstance(read(entry), Refused)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
            max_leaves=8,
        ),
        st.sampled_from(["id", "source", "type", "site", "time", "data", "datacontenttype", "data_base64"]),
    )
    def test_no_value_raises(self, value: Any, name: str) -> None:
        read(entered(**{name: value}))


class TestBatches:
    def test_are_cut_into_their_entries(self) -> None:
        assert [bytes(memoryview(entry)) for entry in split(b' [{"a": 1} , 2,"x,]"]\n')] == [
            b'{"a": 1}',
            b"2",
            b'"x,]"',
        ]
        assert split(b"[]") == []

    @pytest.mark.parametrize(
        "bad",
        [b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 9_999 + b"]" * 9_999, b'{"a":"\x01"}', b"nul", b'{"a" 1}'],
        ids=lambda entry: repr(entry[:12]),
    )
    def test_bad_entry_spoils_no_other(self, bad: bytes) -> None:
        good = body(entered(id="a]},{["))
        entries = split(b"[" + good + b"," + bad + b"," + good + b"]")
        assert [type(read(bytes(memoryview(entry)))) for entry in entries] == [Taken, Refused, Taken]

    @pytest.mark.parametrize(
        "whole", [b"", b"{}", b"null", b"[", b"[{}", b"[{}]]", b"[1]x", b"[}", b'["', b"\xff", b"[" * 10_000]
    )
    def test_that_are_no_array_are_refused_whole(self, whole: bytes) -> None:
        with pytest.raises(InvalidMessage, match=r"^body: "):
            split(whole)

    @given(st.lists(st.binary(max_size=20), max_size=5))
    def test_no_bytes_raise_anything_else(self, parts: list[bytes]) -> None:
        with contextlib.suppress(InvalidMessage):
            assert isinstance(split(b"[" + b",".join(parts) + b"]"), list)


class TestModes:
    @pytest.mark.parametrize(
        ("content_type", "is_binary", "mode"),
        [
            ("application/cloudevents+json", False, Mode.STRUCTURED),
            ("Application/CloudEvents+JSON; charset=UTF-8", True, Mode.STRUCTURED),
            ("application/cloudevents-batch+json;charset=utf-8", False, Mode.BATCH),
            ("application/json", True, Mode.BINARY),
            ("application/json; charset=utf-8", True, Mode.BINARY),
            ("application/vnd.call+json", True, Mode.BINARY),
            ("", True, Mode.BINARY),
            (None, True, Mode.BINARY),
            ("application/json", False, None),
            ("", False, None),
            (None, False, None),
            ("text/plain", True, None),
            ("application/cloudevents+xml", False, None),
            ("application/cloudevents-batch+avro", True, None),
            ("application/cloudevents+json; charset=utf-16", False, None),
            ('application/json; charset="latin-1"', True, None),
            ("application/x-www-form-urlencoded", True, None),
        ],
    )
    def test_by_media_type(self, content_type: str | None, is_binary: bool, mode: Mode | None) -> None:
        assert mode_of(content_type, is_binary=is_binary) is mode


class TestBinary:
    HEADERS: tuple[tuple[bytes, bytes], ...] = (
        (b"ce-specversion", b"1.0"),
        (b"ce-id", b"e1"),
        (b"ce-source", b"shop"),
        (b"ce-type", b"vigie.queue.entered.v1"),
        (b"content-type", b"application/json"),
    )
    BODY = json.dumps({"contact": "c", "queue": "q"}).encode()

    def read(self, *more: tuple[bytes, bytes], data: bytes = BODY, without: bytes = b"") -> Taken | Refused:
        replaced = {name.lower() for name, _ in more} | {without}
        headers = [pair for pair in self.HEADERS if pair[0] not in replaced] + list(more)
        return read_binary(headers, data, received_ms=NOW_MS, pseudonyms=PSEUDONYMS)

    def test_is_the_same_event_as_structured(self) -> None:
        outcome = self.read((b"ce-site", b"paris"), (b"ce-time", TEXT.encode()))
        structured = taken(entered(time=TEXT, data={"contact": "c", "queue": "q"}))
        assert outcome == structured

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (b"caf%C3%A9", "café"),
            (b"a%20b", "a b"),
            (b"a%2520b", "a%20b"),
            (b"100%", "100%"),
            (b"%zz", "%zz"),
            (b'"quoted \\"x\\""', 'quoted "x"'),
            ("café".encode(), "café"),
            (b" a ", "a"),
        ],
    )
    def test_header_values_are_decoded_once(self, value: bytes, text: str) -> None:
        outcome = self.read((b"ce-id", value))
        assert isinstance(outcome, Taken)
        assert outcome.event.id == text

    @pytest.mark.parametrize("value", [b"%FF", b"\xff", b"%ED%A0%80", b"caf\xe9"])
    def test_other_bytes_are_refused(self, value: bytes) -> None:
        assert is_invalid_at(self.read((b"ce-id", value)), "id")

    @pytest.mark.parametrize("value", [b"%00", b"a%0Ab", b"%20", b""])
    def test_decoded_values_keep_the_rules(self, value: bytes) -> None:
        assert is_invalid_at(self.read((b"ce-id", value)), "id")

    def test_names_are_read_in_any_case(self) -> None:
        assert isinstance(self.read((b"CE-Id", b"e2")), Taken)

    @pytest.mark.parametrize("name", [b"ce-data", b"ce-data_base64", b"ce-", b"ce-a-b", b"ce-\xe9"])
    def test_headers_that_name_no_attribute_are_refused(self, name: bytes) -> None:
        assert is_invalid_at(self.read((name, b"{}")), "headers")

    def test_attribute_given_twice_is_refused(self) -> None:
        assert is_invalid_at(self.read((b"ce-id", b"a"), (b"ce-id", b"b")), "id")

    @pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
    def test_required_attributes(self, name: str) -> None:
        assert is_invalid_at(self.read(without=f"ce-{name}".encode()), name)

    def test_broken_data_is_refused_with_its_source(self) -> None:
        outcome = self.read(data=b"{")
        assert is_invalid_at(outcome, "data")
        assert isinstance(outcome, Refused)
        assert outcome.source == "shop"

    def test_no_body_is_no_data(self) -> None:
        assert isinstance(self.read((b"ce-type", b"vigie.source.heartbeat.v1"), data=b""), Taken)
        assert is_invalid_at(self.read(data=b""), "data.contact")

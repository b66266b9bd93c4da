"""What `vigie source test` says in the end."""

import pytest

from schemas.board import DeadLetter
from schemas.config import SourceConfig
from schemas.events import AgentStateChanged, QueueEntered
from schemas.sources import SourceState, SourceStatus
from schemas.vocabulary import AgentState
from services.ingest.verdict import line_of, verdict

SOURCE = SourceConfig(id="crm", kind="chatwoot", site="paris")


def status(**more: object) -> SourceStatus:
    told: dict[str, object] = {
        "source": "crm",
        "instance": "trial",
        "site": "paris",
        "kind": "chatwoot",
        "state": SourceState.LISTENING,
        "as_of_ms": 0,
        "since_ms": 0,
        **more,
    }
    return SourceStatus(**told)  # type: ignore[arg-type] # the tests name real fields


def judged(told: SourceStatus, *, events: int = 3, source: SourceConfig = SOURCE) -> tuple[bool, str]:
    works, lines = verdict(source, told, events=events, seconds=30)
    return works, "\n".join(lines)


def test_events_came_and_nothing_is_wrong() -> None:
    works, said = judged(status(types={"message_created": 3}, unknown={"inbox_updated": 1}))

    assert works
    assert "3 events, 0 refused; came message_created 3" in said
    assert "unknown, passed over: inbox_updated 1" in said
    assert said.endswith("-- it works")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            status(state=SourceState.REFUSED, reason="login refused: see permit"),
            "!! login refused: see permit",
        ),
        (status(state=SourceState.UNUSABLE, reason="set timestampevents = yes"), "!! set timestampevents"),
        (status(state=SourceState.CONNECTING), "!! no connection within 30 s"),
        (status(unsigned={"signature_missing": 2}), "!! 2 webhooks refused: they are not signed"),
        (status(unsigned={"signature_wrong": 1}), "compare the secret, and public_url"),
    ],
)
def test_what_is_wrong_is_said_in_words(told: SourceStatus, words: str) -> None:
    works, said = judged(told, events=0)

    assert not works
    assert words in said
    assert said.endswith("!! it does not work")


def test_silence_is_no_fault() -> None:
    works, said = judged(status(), events=0)

    assert works
    assert "nothing happened within 30 s" in said


def test_whoever_may_post_is_named() -> None:
    works, said = judged(
        status(is_open=True), source=SourceConfig(id="c", kind="chatwoot", allow_unsigned=True)
    )

    assert works
    assert "anybody can post here" in said


def test_refusals_are_shown_with_their_reason() -> None:
    letter = DeadLetter(
        source="crm",
        reason="invalid",
        detail="id: missing",
        sha256="0",
        size=1,
        received_ms=0,
    )

    assert "refused: invalid: id: missing" in judged(status(letters=[letter]))[1]


def test_an_event_is_a_line() -> None:
    entered = QueueEntered(
        id="x",
        source="crm",
        site="paris",
        occurred_ms=1_795_341_600_250,
        received_ms=0,
        contact="1",
        queue="q",
    )
    state = AgentStateChanged(
        id="y", source="crm", site="paris", occurred_ms=0, received_ms=0, agent="lea", state=AgentState.PAUSED
    )

    assert line_of(entered) == "2026-11-22T10:00:00.250+00:00  queue.entered      contact=1 queue=q"
    assert line_of(state) == "1970-01-01T00:00:00.000+00:00  agent.state        agent=lea state=paused"

"""Amazon Connect as it speaks, made by hand: contact events and agent events at seconds of a day."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from schemas.config import SourceConfig
from schemas.events import AgentStateChanged, QueueLeft, SourceEvent, TalkEnded, Transfer
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.pseudonym import Pseudonyms

START_MS = 1_795_321_200_000
"""Seconds in the tests are counted from here."""

PSEUDONYMS = Pseudonyms(b"a key of the tests, 32 bytes long")
INSTANCE = "arn:aws:connect:eu-west-3:123456789012:instance/i"
CUSTOMER = "+33102030405"


def source(**settings: object) -> SourceConfig:
    values: dict[str, object] = {"id": "aws", "kind": "amazon_connect", "site": "paris", "system": "aws"}
    return SourceConfig(**{**values, **settings})  # type: ignore[arg-type] # the tests name real fields


def iso(at_s: object) -> str:
    """A number of seconds after START_MS; None: not yet, as Connect says it."""
    if at_s is None:
        return "1970-01-01T00:00:00.001Z"
    assert isinstance(at_s, int | float)
    at = datetime.fromtimestamp(START_MS / 1000 + at_s, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def queue_arn(queue: str) -> str:
    return f"{INSTANCE}/queue/{queue}"


def agent_arn(agent: str) -> str:
    return f"{INSTANCE}/agent/{agent}"


def contact_event(kind: str, contact: str = "c1", at_s: float = 0, /, **detail: object) -> dict[str, object]:
    """One event of EventBridge. `queue`, `entered`, `agent`, `accepted`, `hung` are put where they belong."""
    told: dict[str, object] = {
        "eventType": kind,
        "contactId": contact,
        "channel": "VOICE",
        "initiationMethod": "INBOUND",
        "initiationTimestamp": iso(0),
    }
    if "queue" in detail:
        entered = detail.pop("entered", 1)
        told["queueInfo"] = {
            "queueArn": queue_arn(str(detail.pop("queue"))),
            "enqueueTimestamp": iso(entered),
        }
    if "agent" in detail:
        accepted = detail.pop("accepted", None)
        told["agentInfo"] = {
            "agentArn": agent_arn(str(detail.pop("agent"))),
            "connectedToAgentTimestamp": iso(accepted),
            **detail.pop("agent_more", {}),  # type: ignore[dict-item]
        }
    if "hung" in detail:
        told["disconnectTimestamp"] = iso(detail.pop("hung"))
    told |= detail
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{contact}{at_s}")),
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "time": iso(at_s)[:19] + "Z",
        "detail": told,
    }


def in_hand(
    contact: str = "c1", state: str = "CONNECTED", since_s: float = 0, **more: Any
) -> dict[str, object]:
    """A contact as an agent's snapshot has it. `accepted`: when it was connected."""
    accepted, queue = more.pop("accepted", None), more.pop("queue", "support")
    return {
        "ContactId": contact,
        "InitialContactId": "null",
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "State": state,
        "StateStartTimestamp": iso(since_s),
        "ConnectedToAgentTimestamp": iso(accepted) if accepted is not None else None,
        "QueueTimestamp": None,
        "Queue": {"ARN": queue_arn(str(queue)), "Name": "Whatever it is called"},
        **more,
    }


def snapshot(*contacts: dict[str, object], status: str = "Available", **more: object) -> dict[str, object]:
    """`type`: of the status, None to leave it out; `since`: of the status; `queues`: of the profile."""
    kinds = {"Available": "ROUTABLE", "Offline": "OFFLINE"}
    kind = more.pop("type", kinds.get(status, "CUSTOM"))
    queues = more.pop("queues", ["support"])
    assert isinstance(queues, list)
    return {
        "AgentStatus": {
            "Name": status,
            "StartTimestamp": iso(more.pop("since", 0)),
            **({"Type": kind} if kind is not None else {}),
        },
        "NextAgentStatus": {"Name": "Lunch", "Type": "CUSTOM"},
        "Configuration": {
            "FirstName": "Jacqueline",
            "LastName": "Untel",
            "Username": "jacqueline.untel@example.org",
            "RoutingProfile": {
                "Concurrency": [
                    {"Channel": "VOICE", "MaximumSlots": 1},
                    {"Channel": "CHAT", "MaximumSlots": 3},
                    {"Channel": "TASK", "MaximumSlots": 5},
                ],
                "InboundQueues": [
                    {"ARN": queue_arn("agent/alice"), "Name": None},
                    *({"ARN": queue_arn(str(queue)), "Name": "Whatever"} for queue in queues),
                ],
            },
        },
        "Contacts": list(contacts),
        **more,
    }


def agent_event(
    kind: str,
    at_s: float,
    now: dict[str, object] | None,
    before: dict[str, object] | None = None,
    agent: str = "alice",
) -> dict[str, object]:
    return {
        "EventId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{agent}{at_s}")),
        "EventType": kind,
        "EventTimestamp": iso(at_s),
        "AgentARN": agent_arn(agent),
        "AWSAccountId": "123456789012",
        "CurrentAgentSnapshot": now,
        "PreviousAgentSnapshot": before,
        "Version": "2017-10-01",
    }


def body(payload: object) -> bytes:
    return json.dumps(payload).encode()


class Story:
    """A translator that is told what happens; `events` is all that it said."""

    def __init__(self, *, is_stream: bool = True, **settings: object) -> None:
        self.translator = Translator(source(**settings), PSEUDONYMS, is_stream=is_stream)
        self.events: list[SourceEvent] = []

    def tell(self, payload: object, received_s: float = 0) -> list[str]:
        """What it said, in words; every event has to be readable."""
        found = self.translator.take(body(payload), START_MS + round(received_s * 1000))
        assert (found.spoiled, found.unknown.total()) == ([], 0)
        self.events += found.events
        return [line(event) for event in found.events]

    def wait_until(self, at_s: float) -> list[str]:
        found = self.translator.due(START_MS + round(at_s * 1000))
        self.events += found.events
        return [line(event) for event in found.events]


def line(event: SourceEvent) -> str:
    """An event in a line: what, how, about whom, where, and at which second."""
    words = [str(event.__struct_config__.tag)]
    if isinstance(event, QueueLeft):
        words.append(event.outcome)
    if isinstance(event, AgentStateChanged):
        words += [event.state, *([event.reason] if event.reason else [])]
    if isinstance(event, Transfer):
        words += [event.kind, f"to {event.to_queue}"]
    if isinstance(event, TalkEnded) and event.by is not None:
        words.append(f"by {event.by}")
    segment = getattr(event, "segment", None) or getattr(event, "contact", None)
    words += [
        str(word) for word in (segment, getattr(event, "queue", None), getattr(event, "agent", None)) if word
    ]
    words.append(f"at {(event.occurred_ms - START_MS) / 1000:g}")
    return " ".join(words + (["inferred"] if event.inferred else []))

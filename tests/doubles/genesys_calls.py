"""What Genesys Cloud says of calls: notifications, detail events, analytics, made up by tests."""

from datetime import UTC, datetime
from typing import Any

from schemas.config import SourceConfig

QUEUE, OTHER_QUEUE = "b3d2a7c4-0000-4000-8000-0000000000b1", "b3d2a7c4-0000-4000-8000-0000000000b2"
ADA, BOB = "6f1c2f36-0000-4000-8000-0000000000a1", "6f1c2f36-0000-4000-8000-0000000000a2"
CALL = "0c0ffee0-0000-4000-8000-0000000000d1"
START_MS = 1_709_283_600_000
CUSTOMER = "tel:+15550177"
Json = dict[str, Any]


def source(**more: Any) -> SourceConfig:
    settings: dict[str, Any] = {
        "id": "genesys",
        "kind": "genesys_cloud",
        "site": "paris",
        "system": "gc",
        "map": {QUEUE: "support", OTHER_QUEUE: "sales"},
        "agents": {ADA: "ada", BOB: "bob"},
        **more,
    }
    return SourceConfig(**settings)


def iso(at_s: float, *, start_ms: int = START_MS) -> str:
    at = datetime.fromtimestamp((start_ms + round(at_s * 1000)) / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms(at_s: float) -> int:
    return START_MS + round(at_s * 1000)


# --- notifications ---


def customer(at_s: float, *, end_s: float | None = None, ended: str = "endpoint", **more: Any) -> Json:
    return {
        "id": "p-cust",
        "purpose": "customer",
        "name": "Jeanne Untel",
        "direction": "inbound",
        "ani": CUSTOMER,
        "startTime": iso(at_s),
        "connectedTime": iso(at_s),
        "state": "connected" if end_s is None else "terminated",
        **_end(end_s, ended),
        **more,
    }


def acd(
    at_s: float,
    *,
    end_s: float | None = None,
    ended: str = "transfer",
    number: str = "p-acd",
    queue: str = QUEUE,
    **more: Any,
) -> Json:
    return {
        "id": number,
        "purpose": "acd",
        "queue": {"id": queue},
        "startTime": iso(at_s),
        "connectedTime": iso(at_s),
        "state": "connected" if end_s is None else "terminated",
        **_end(end_s, ended),
        **more,
    }


def agent(
    at_s: float,
    *,
    connected_s: float | None = None,
    end_s: float | None = None,
    ended: str = "peer",
    wrap_s: tuple[float, float | None] | None = None,
    number: str = "p-agent",
    user: str = ADA,
    queue: str = QUEUE,
    **more: Any,
) -> Json:
    told: Json = {
        "id": number,
        "purpose": "agent",
        "user": {"id": user},
        "queue": {"id": queue},
        "direction": "inbound",
        "startTime": iso(at_s),
        "state": "alerting" if connected_s is None and end_s is None else "connected",
        "held": False,
    }
    if connected_s is not None:
        told["connectedTime"] = iso(connected_s)
    if wrap_s is not None:
        told["startAcwTime"] = iso(wrap_s[0])
        if wrap_s[1] is not None:
            told["endAcwTime"] = iso(wrap_s[1])
    return {**told, **_end(end_s, ended), **more}


def _end(end_s: float | None, ended: str) -> Json:
    return {} if end_s is None else {"endTime": iso(end_s), "disconnectType": ended}


def conversation(*participants: Json, number: str = CALL) -> Json:
    return {"id": number, "participants": list(participants)}


def notification(body: Json, *, media: str = "calls", queue: str = QUEUE) -> Json:
    return {
        "topicName": f"v2.routing.queues.{queue}.conversations.{media}",
        "version": "2",
        "eventBody": body,
        "metadata": {"CorrelationId": "x"},
    }


def user(kind: str, body: Json, *, number: str = ADA) -> Json:
    return {"topicName": f"v2.users.{number}.{kind}", "version": "2", "eventBody": body}


def presence(word: str, at_s: float, **more: Any) -> Json:
    return {
        "presenceDefinition": {"id": "definition", "systemPresence": word},
        "modifiedDate": iso(at_s),
        **more,
    }


def routing(word: str, at_s: float) -> Json:
    return {"status": word, "startTime": iso(at_s)}


# --- detail events ---


def detail(kind: str, at_s: float, *, number: str = CALL, **body: Any) -> Json:
    """In an event of EventBridge."""
    told = {
        "eventTime": ms(at_s),
        "conversationId": number,
        "participantId": "p-acd" if kind.startswith("acd") else "p-cust",
        "sessionId": "s",
        "mediaType": "VOICE",
        "direction": "INBOUND",
        "ani": CUSTOMER,
        "dnis": "tel:+15550199",
        **({"queueId": QUEUE} if kind.startswith(("acd", "user", "acw")) else {}),
        **({"userId": ADA} if kind.startswith(("user", "acw")) and kind != "acd" else {}),
        **body,
    }
    return event(f"v2.detail.events.conversation.{number}.{kind}", told)


def agent_state(state: str, at_s: float, *, begun_s: float = 0.0, number: str = CALL, **body: Any) -> Json:
    told = {
        "conversationId": number,
        "sessionId": "s-agent",
        "sessionStart": ms(begun_s),
        "currentStateStart": ms(at_s),
        "currentState": state,
        "userId": ADA,
        "originatingDirection": "INBOUND",
        "mediaType": "VOICE",
        "queueId": QUEUE,
        **body,
    }
    return event(f"v2.detail.events.agent.{told['userId']}.state", told)


def event(topic: str, body: Json) -> Json:
    return {
        "version": "0",
        "id": "event",
        "detail-type": "v2.detail.events",
        "source": "aws.partner/genesys.com/cloud/x/bus",
        "detail": {"topicName": topic, "version": "2", "eventBody": body},
    }


# --- analytics ---


def analytics(*parts: Json, number: str = CALL, begun_s: float = 0.0, end_s: float | None = None) -> Json:
    told: Json = {
        "conversationId": number,
        "conversationStart": iso(begun_s),
        "participants": list(parts),
    }
    return told if end_s is None else {**told, "conversationEnd": iso(end_s)}


def part(number: str, purpose: str, *segments: tuple[str, float, float | None], **more: Any) -> Json:
    """`segments`: type, start, end; `more`: of each segment but `userId`, which is the participant's."""
    user_id = more.pop("userId", None)
    told: Json = {
        "participantId": number,
        "purpose": purpose,
        "sessions": [
            {
                "mediaType": "voice",
                "sessionId": f"s-{number}",
                "direction": "inbound",
                "ani": CUSTOMER,
                "segments": [
                    {
                        "segmentType": kind,
                        "segmentStart": iso(start_s),
                        **({"segmentEnd": iso(end_s)} if end_s is not None else {}),
                        **more,
                    }
                    for kind, start_s, end_s in segments
                ],
            }
        ],
    }
    return told if user_id is None else {**told, "userId": user_id}

"""The contract of ingest's HTTP as OpenAPI 3.1, and a page that shows it. INTERFACE.md §4.

Pure. The shapes of `data` are read off the structs of `schemas.events`; the words and examples are here.
"""

import html
import json
from typing import Any

import msgspec

from schemas.events import Event
from services.ingest.kinds import KINDS, Kind

MEDIA_TYPES = (
    "Content-Type: application/cloudevents+json, application/cloudevents-batch+json, "
    "or application/json with ce- headers"
)

Document = dict[str, Any]
_FORM = "application/x-www-form-urlencoded"

ENTERED = {
    "specversion": "1.0",
    "id": "7f1c2a",
    "source": "shop/chat",
    "type": "vigie.queue.entered.v1",
    "time": "2026-11-22T09:14:03.250Z",
    "site": "paris",
    "data": {"contact": "chat-5521", "queue": "support-chat", "segment": "chat-5521/1", "channel": "chat"},
}
ACCEPTED = {
    **ENTERED,
    "id": "7f1c2b",
    "type": "vigie.agent.accepted.v1",
    "time": "2026-11-22T09:14:21.900Z",
    "data": {"contact": "chat-5521", "queue": "support-chat", "segment": "chat-5521/1", "agent": "lea"},
}
HEADERS = {f"ce-{name}": value for name, value in ENTERED.items() if name != "data"}
_ALL_TAKEN = {"accepted": 2, "rejected": []}
_REJECTED = [{"index": 0, "reason": "invalid", "detail": "data.contact: missing"}]

_ANSWERS: dict[int, tuple[str, Document]] = {
    202: ("Every accepted event is in the log: the broker acknowledged it.", _ALL_TAKEN),
    400: ("Nothing in the body can be taken.", {"accepted": 0, "rejected": _REJECTED}),
    401: (
        "No key, or an unknown one, where [auth] asks for keys.",
        {"accepted": 0, "rejected": [], "detail": "a key is needed: Authorization: Bearer KEY"},
    ),
    403: (
        "The key is not for events, or not for the site of any of them.",
        {
            "accepted": 0,
            "rejected": [{"index": 0, "reason": "not_allowed", "detail": "site: this key is not for it"}],
        },
    ),
    408: ("The body did not arrive in time.", {"accepted": 0, "rejected": [], "detail": "…"}),
    413: (
        "Body above 1 MiB, or a single event above 64 KiB.",
        {
            "accepted": 0,
            "rejected": [{"index": 0, "reason": "too_large", "detail": "event: above 65536 bytes"}],
        },
    ),
    415: (
        "Media type not known, or a compressed body.",
        {"accepted": 0, "rejected": [], "detail": MEDIA_TYPES},
    ),
    429: (
        "Too much at once. Send all again after Retry-After.",
        {"accepted": 0, "rejected": [], "detail": "…"},
    ),
    503: (
        "The log does not answer. Send all again after Retry-After: ids make it harmless.",
        {"accepted": 0, "rejected": [], "detail": "the log does not answer; send all again"},
    ),
}


def document() -> Document:
    """The OpenAPI document."""
    components = {"Answer": _answer_schema(), "Event": _event_schema()}
    components |= {_component(kind): _data_schema(kind) for kind in KINDS.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vigie ingest", "version": "1", "description": "Events in."},
        "paths": {
            "/v1/events": {"post": _post()},
            "/v1/sources/{source}": {"post": _webhook()},
            "/health/live": {"get": _get("The process runs.", "application/json")},
            "/health/ready": {"get": _get("Ready, or what is missing (503).", "application/json")},
            "/metrics": {"get": _get("Prometheus series.", "text/plain")},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key for ingest of [auth]."}
            },
        },
    }


def page(doc: Document) -> str:
    """The document as one page of HTML, without script and without anything from elsewhere."""
    blocks = []
    for path, methods in doc["paths"].items():
        for method, operation in methods.items():
            blocks.append(f"<h2>{method.upper()} {html.escape(path)}</h2>{_operation(operation)}")
    for name, schema in doc["components"]["schemas"].items():
        blocks.append(f"<h3 id='{html.escape(name)}'>{html.escape(name)}</h3>{_json(schema)}")
    title = html.escape(doc["info"]["title"])
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
        f"<h1>{title}</h1><p><a href='/openapi.json'>openapi.json</a></p>{''.join(blocks)}</html>"
    )


def _post() -> Document:
    event = {"$ref": "#/components/schemas/Event"}
    batch = {"type": "array", "items": event}
    data = {"oneOf": [{"$ref": f"#/components/schemas/{_component(kind)}"} for kind in KINDS.values()]}
    return {
        "summary": "Events in, as CloudEvents 1.0: structured, batch or binary",
        "description": "(source, id) is the identity of an event: a repeat changes nothing.",
        "operationId": "postEvents",
        "security": [{}, {"key": []}],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": "Binary mode only: the attribute, percent-encoded.",
                "schema": {"type": "string"},
                "example": example,
            }
            for name, example in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": event, "example": ENTERED},
                "application/cloudevents-batch+json": {"schema": batch, "example": [ENTERED, ACCEPTED]},
                "application/json": {"schema": data, "example": ENTERED["data"]},
            },
        },
        "responses": {str(status): _response(status) for status in _ANSWERS},
    }


def _webhook() -> Document:
    """What a vendor posts is the vendor's own; docs/sources says what of it is read."""
    refused = "The signature is missing, wrong or old; or there is none, and allow_unsigned is not set."
    answers = {
        "202": "Taken: the log has what it told. `dropped` says what was of no use.",
        "400": "Nothing of the body could be read.",
        "401": refused,
        "404": "No source of that id takes webhooks.",
        "413": "Body above 1 MiB.",
        "429": "Too much at once. Send it again after Retry-After.",
        "503": "The log does not answer, or ingest is starting. Send it again after Retry-After.",
    }
    schema = {"schema": {"$ref": "#/components/schemas/Answer"}}
    return {
        "summary": "Webhooks of a source, as its vendor sends and signs them",
        "description": "A repeat changes nothing. Which kinds send webhooks, and how: docs/sources.",
        "operationId": "postWebhook",
        "parameters": [
            {
                "name": "source",
                "in": "path",
                "required": True,
                "description": "The id of one of [[sources]].",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {}, _FORM: {}}},
        "responses": {
            status: {"description": text, "content": {"application/json": schema}}
            for status, text in answers.items()
        },
    }


def _response(status: int) -> Document:
    text, example = _ANSWERS[status]
    schema = {"$ref": "#/components/schemas/Answer"}
    response: Document = {
        "description": text,
        "content": {"application/json": {"schema": schema, "example": example}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return response


def _get(text: str, media: str) -> Document:
    return {"summary": text, "responses": {"200": {"description": text, "content": {media: {}}}}}


def _answer_schema() -> Document:
    rejected = {
        "type": "object",
        "properties": {
            "index": {"type": "integer"},
            "reason": {"type": "string"},
            "detail": {"type": "string"},
        },
        "required": ["index", "reason", "detail"],
    }
    return {
        "type": "object",
        "properties": {
            "accepted": {"type": "integer"},
            "rejected": {"type": "array", "items": rejected},
            "dropped": {"type": "object", "additionalProperties": {"type": "integer"}},
            "detail": {"type": "string"},
        },
        "required": ["accepted", "rejected"],
    }


def _event_schema() -> Document:
    text = {"type": "string", "minLength": 1, "maxLength": 256}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"enum": sorted(KINDS)},
            "time": {
                "type": "string",
                "format": "date-time",
                "description": "Left out: the instant of receipt.",
            },
            "site": {**text, "default": "main"},
            "datacontenttype": {"type": "string", "default": "application/json"},
            "data": {
                "oneOf": [{"$ref": f"#/components/schemas/{_component(kind)}"} for kind in KINDS.values()]
            },
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
    }


def _component(kind: Kind) -> str:
    return f"data.{kind.name}"


def _data_schema(kind: Kind) -> Document:
    """The row's fields: its struct's schema without what the envelope gives."""
    _, parts = msgspec.json.schema_components([kind.struct], ref_template="#/components/schemas/{name}")
    whole = parts.pop(kind.struct.__name__)
    inner = {name: _plain(part) for name, part in parts.items()}
    envelope = {*Event.__struct_fields__, "type"}
    return {
        "type": "object",
        "description": f"vigie.{kind.name}.v1",
        "properties": {
            name: _inlined(value, inner)
            for name, value in whole["properties"].items()
            if name not in envelope
        },
        "required": [name for name in whole["required"] if name not in envelope],
    }


def _plain(part: Document) -> Document:
    return {key: value for key, value in part.items() if key not in ("title", "description")}


def _inlined(schema: Any, parts: dict[str, Document]) -> Any:
    """The schema with the named word lists written out: they are short."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return parts[schema["$ref"].rpartition("/")[2]]
        return {key: _inlined(value, parts) for key, value in schema.items()}
    return [_inlined(each, parts) for each in schema] if isinstance(schema, list) else schema


def _operation(operation: Document) -> str:
    parts = [f"<p>{html.escape(operation['summary'])}</p>"]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<h4>{html.escape(media)}</h4>{_json(content.get('example'))}")
    for status, response in operation["responses"].items():
        parts.append(f"<h4>{status}</h4><p>{html.escape(response['description'])}</p>")
        parts.extend(_json(c["example"]) for c in response["content"].values() if "example" in c)
    return "".join(parts)


def _json(value: object) -> str:
    return f"<pre>{html.escape(json.dumps(value, indent=1, ensure_ascii=False))}</pre>"

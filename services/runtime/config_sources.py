"""What each kind of source needs, may have, and has no use for. Pure: faults out, none stops at the first."""

import typing
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from schemas.config import ROW_INSTANTS, SourceConfig, SourceKind
from schemas.events import Event, SourceEvent
from services.runtime.config_shape import suggestion
from services.runtime.listening import is_loopback
from services.runtime.toml_lines import Place

_FOR_ALL = frozenset(
    {"id", "kind", "site", "label", "queues", "stale_after_s", "map", "agents", "states", "system"}
)
_SECRET = frozenset({"secret_env", "secret_file"})
_TWO_SECRETS = _SECRET | {"previous_secret_env", "previous_secret_file"}
_WEBHOOK = _TWO_SECRETS | {"public_url", "allow_unsigned"}
_ADDRESS = frozenset({"host", "port"})
_MAPPED = frozenset({"columns", "events", "outcomes", "time_zone", "time_format", "queue", "channel"})

SECRET = "secret"
"""Stands in `needs` for either of `secret_env` and `secret_file`."""


class Terms(Struct, frozen=True):
    """`fields`: what this kind reads besides what every kind does. `needs`: field → what it is.

    `is_webhook`: the source comes to us, and must sign what it sends unless `allow_unsigned`. `instead`:
    fields with any of which we go to the source, who then need not come to us: no secret is needed.
    """

    fields: frozenset[str]
    needs: Mapping[str, str] = {}
    is_webhook: bool = False
    instead: tuple[str, ...] = ()


TERMS: dict[SourceKind, Terms] = {
    "asterisk_ami": Terms(
        _ADDRESS | _SECRET | {"user", "wrap_up_s"},
        {
            "user": "the manager's name in Asterisk's manager.conf",
            SECRET: "where the manager's secret is found",
        },
    ),
    "asterisk_queue_log": Terms(
        frozenset({"file", "format", "time_zone", "backfill_s", "wrap_up_s"}),
        {"file": "where Asterisk writes it, such as /var/log/asterisk/queue_log"},
    ),
    "freeswitch_esl": Terms(
        _ADDRESS | _SECRET | {"format", "wrap_up_s"},
        {SECRET: "where the password of event_socket.conf.xml is found"},
    ),
    "twilio_taskrouter": Terms(
        _WEBHOOK | {"outcomes"}, {SECRET: "where the account's auth token is found"}, is_webhook=True
    ),
    "amazon_connect": Terms(
        _WEBHOOK | {"region", "url", "queue_url", "stream", "abandon_after_s"},
        {SECRET: "where the key of the API destination is found, unless queue_url or stream is given"},
        is_webhook=True,
        instead=("queue_url", "stream"),
    ),
    "genesys_cloud": Terms(
        _WEBHOOK | {"region", "url", "login_url", "user", "topics"},
        {SECRET: "where the OAuth client's secret is found, or without user the key of the API destination"},
        is_webhook=True,
    ),
    "chatwoot": Terms(_WEBHOOK, {SECRET: "where the webhook's secret is found"}, is_webhook=True),
    "rocketchat": Terms(_WEBHOOK, {SECRET: "where the webhook's secret token is found"}, is_webhook=True),
    "imap": Terms(
        _ADDRESS
        | _SECRET
        | {
            "user",
            "tls",
            "ca_file",
            "mailbox",
            "sent_mailbox",
            "closed_mailboxes",
            "addresses",
            "queue",
            "channel",
            "poll_s",
            "backfill_s",
        },
        {"user": "whose mailbox it is", SECRET: "where its password is found"},
    ),
    "kafka": Terms(
        _MAPPED | {"bootstrap", "topic", "backfill_s"},
        {"topic": "the topic that holds the CloudEvents"},
    ),
    "file": Terms(
        _MAPPED | {"file", "format"},
        {"file": "the CSV or JSONL file", "columns": "which of its columns is which field of ours"},
    ),
    "http": Terms(_TWO_SECRETS),
}
FORMATS: Mapping[SourceKind, tuple[str, ...]] = {
    "asterisk_queue_log": ("log", "tsv", "csv"),
    "freeswitch_esl": ("json", "plain"),
    "file": ("csv", "jsonl"),
}
_DEFAULTS = {field.name: field.default for field in structs.fields(SourceConfig)}


def faults_of(source: SourceConfig) -> Iterator[tuple[Place, str]]:
    """Every fault of one source: the place within it, and what is wrong there."""
    if source.kind not in TERMS:
        return  # said by the shape
    terms = TERMS[source.kind]
    yield from _unread(source, terms)
    yield from _missing(source, terms)
    yield from _misplaced(source)
    yield from _mapping(source)


def _unread(source: SourceConfig, terms: Terms) -> Iterator[tuple[Place, str]]:
    read = _FOR_ALL | terms.fields
    for name in source.__struct_fields__:
        value = getattr(source, name)
        default = _DEFAULTS[name]
        is_given = value is not None and value not in ({}, []) and value != default
        if is_given and name not in read:
            yield (name,), f"is not for sources of kind {source.kind}{suggestion(name, read)}"


def _missing(source: SourceConfig, terms: Terms) -> Iterator[tuple[Place, str]]:
    for name, what in terms.needs.items():
        if name == SECRET:
            is_pulled = any(getattr(source, each) for each in terms.instead)
            if not (source.secret_env or source.secret_file or source.allow_unsigned or is_pulled):
                more = "; or allow_unsigned = true takes what anybody sends" if terms.is_webhook else ""
                yield (), f"secret_env or secret_file is missing: {what}{more}"
        elif not getattr(source, name):
            yield (), f"{name} is missing: {what}"


def _misplaced(source: SourceConfig) -> Iterator[tuple[Place, str]]:
    if source.previous_secret_env and source.previous_secret_file:
        yield ("previous_secret_file",), "previous_secret_env is given too; one of them is enough"
    for name in ("url", "login_url", "public_url", "queue_url"):
        url = getattr(source, name)
        if url is None:
            continue
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield (name,), f'"{url}" does not start with https:// or http://'
        elif parts.username or parts.password:
            yield (name,), "a name or password in a url is not sent: use the secret"
        elif parts.scheme == "http" and name != "public_url" and not is_loopback(parts.hostname):
            yield (name,), "the secret would travel in clear: use https://"
    formats = FORMATS.get(source.kind, ())
    if source.format is not None and formats and source.format not in formats:
        yield ("format",), f'"{source.format}" is not one of {", ".join(formats)}'
    if source.time_zone is not None:
        try:
            ZoneInfo(source.time_zone)
        except (KeyError, OSError, ValueError):
            yield ("time_zone",), f'"{source.time_zone}" is not a time zone such as "Europe/Paris"'


def _mapping(source: SourceConfig) -> Iterator[tuple[Place, str]]:
    """What `columns` and `events` name that is not there."""
    for name in source.columns:
        if name not in _COLUMNS:
            yield ("columns", name), f"is no field of an event{suggestion(name, _COLUMNS)}"
    for word, name in source.events.items():
        if name not in _EVENTS:
            yield ("events", word), f'"{name}" is no event{suggestion(name, _EVENTS)}'
    if source.kind == "file" and source.columns and "entered" not in source.columns:
        for name in ("type", "time"):
            if name not in source.columns:
                yield ("columns",), f"{name} is missing; or entered, where each row is a whole contact"


_STRUCTS = typing.get_args(SourceEvent)
_EVENTS = frozenset(str(struct.__struct_config__.tag) for struct in _STRUCTS)
_COLUMNS = (
    frozenset(name for struct in _STRUCTS for name in struct.__struct_fields__)
    - frozenset(Event.__struct_fields__)
) | {"type", "time", "id", *ROW_INSTANTS}

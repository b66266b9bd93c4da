"""Genesys Cloud's topics: which are subscribed to, and what a notification's topic says. Pure.

List: developer.genesys.cloud/notificationsalerts/notifications/available-topics.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from services.ingest.translated import type_name

MEDIA = ("calls", "callbacks", "chats", "emails", "messages")
METADATA = "channel.metadata"
CLOSING = "v2.system.socket_closing"

_QUEUE = re.compile(r"v2\.routing\.queues\.([^.]+)\.conversations(?:\.([a-z]+))?")
_USER = re.compile(r"v2\.users\.([^.?]+)[.?].+")
_FORMS = (
    (
        re.compile(r"v2\.routing\.queues\.(?P<id>[^.]+)\.conversations(?:\.(?P<kind>[A-Za-z]+))?"),
        "conversations",
    ),
    (re.compile(r"v2\.users\.(?P<id>[^.]+)\.conversations(?:\.(?P<kind>[A-Za-z]+))?"), "conversations"),
    (re.compile(r"v2\.users\.(?P<id>[^.]+)\.(?P<kind>presence|routingStatus|activity)"), "user"),
    (re.compile(r"v2\.detail\.events\.conversation\.(?P<id>[^.]+)\.(?P<kind>[a-z.]+)"), "detail"),
    (re.compile(r"v2\.detail\.events\.agent\.(?P<id>[^.]+)\.(?P<kind>[a-z.]+)"), "detail_agent"),
    (re.compile(r"v2\.audits\.entitytype\.(?P<kind>[^.]+)\.entityid\.(?P<id>[^.]+)"), "audit"),
)


class Topic(Struct, frozen=True):
    """`form`: what kind of body it has; "" where nobody knows. `id`: of the queue, user or conversation.
    `type`: the topic without ids, as it is counted.
    """

    form: str
    id: str
    kind: str
    type: str


def read(name: str) -> Topic:
    """What a notification's topic says."""
    for pattern, form in _FORMS:
        found = pattern.fullmatch(name)
        if found is not None:
            number, kind = found["id"], found["kind"] or ""
            return Topic(form, number, kind, type_name(name.replace(f".{number}", ".{id}", 1)))
    return Topic("", "", "", type_name(_NUMBER.sub("{id}", name)))


def of_queue(queue: str) -> list[str]:
    return [f"v2.routing.queues.{queue}.conversations.{media}" for media in MEDIA]


def of_user(user: str) -> str:
    return f"v2.users.{user}.activity"


def queues_in(topics: Iterable[str]) -> list[str]:
    """The ids of queues whose conversations are told by these topics."""
    return _ids(_QUEUE, topics)


def users_in(topics: Iterable[str]) -> list[str]:
    return _ids(_USER, topics)


def _ids(pattern: re.Pattern[str], topics: Iterable[str]) -> list[str]:
    return sorted({found[1] for each in topics if (found := pattern.fullmatch(each)) is not None})


_NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

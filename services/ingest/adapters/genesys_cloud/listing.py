"""What is asked of Genesys Cloud beside notifications: who and what there is, and what is open now."""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime

from msgspec import Struct

from schemas.config import SourceConfig
from services.ingest.adapters.genesys_cloud import topics
from services.ingest.adapters.genesys_cloud.api import MAX_PAGES, PAGE, Api
from services.ingest.fields import Object, at, text
from services.ingest.names import our_queue

SEE_QUEUES = "routing:queue:view"
SEE_CONVERSATIONS = "analytics:conversationDetail:view"
DAY_MS = 86_400_000
OPEN_MS = 7 * DAY_MS
"""How old a conversation that is open may be to be found: a month is the most that may be asked for."""
MARGIN_MS = 60_000
IDS = 50


class Plan(Struct, frozen=True):
    """`names`: of the queues, by id. `activated`: user → the queues he has activated."""

    names: dict[str, str]
    users: frozenset[str]
    activated: dict[str, list[str]]
    topics: tuple[str, ...]


async def plan(api: Api, source: SourceConfig) -> Plan:
    """What is to be heard: the topics that are set; else every queue that the client sees (those of
    `queues`, where that is set) and every member of one.
    """
    set_queues = topics.queues_in(source.topics)
    names: dict[str, str] = {}
    if set_queues or not source.topics:
        async for each in api.pages("/api/v2/routing/queues", permission=SEE_QUEUES):
            number = text(each.get("id"))
            if number and _is_wanted(source, number, set_queues):
                names[number] = text(each.get("name")) or ""
    users: set[str] = set(topics.users_in(source.topics))
    activated: dict[str, list[str]] = {}
    for queue in names:
        path = f"/api/v2/routing/queues/{queue}/members"
        async for member in api.pages(path, permission=SEE_QUEUES):
            user = text(member.get("id")) or text(at(member, "user", "id"))
            if user is None:
                continue
            if not source.topics:
                users.add(user)
            joined = activated.setdefault(user, [])
            if member.get("joined") is True:
                joined.append(queue)
    wanted = source.topics or [
        *(topic for queue in sorted(names) for topic in topics.of_queue(queue)),
        *(topics.of_user(user) for user in sorted(users)),
    ]
    return Plan(names, frozenset(users), activated, tuple(wanted))


def _is_wanted(source: SourceConfig, queue: str, set_queues: list[str]) -> bool:
    if source.topics:
        return queue in set_queues
    return source.queues is None or our_queue(source, queue) in source.queues


async def users(api: Api, wanted: Collection[str]) -> AsyncIterator[Object]:
    """How these users stand."""
    if not wanted:
        return
    asked = {"expand": "presence,routingStatus", "state": "active"}
    async for each in api.pages("/api/v2/users", permission="", params=asked):
        if text(each.get("id")) in wanted:
            yield each


async def open_conversations(api: Api, now_ms: int) -> AsyncIterator[Object]:
    predicate = {"type": "dimension", "dimension": "conversationEnd", "operator": "notExists"}
    filters = [{"type": "and", "predicates": [predicate]}]
    async for each in _query(api, now_ms - OPEN_MS, now_ms, conversationFilters=filters):
        yield each


async def conversations_since(api: Api, since_ms: int, now_ms: int) -> AsyncIterator[Object]:
    """Those with anything in that time; of the last day at the most."""
    async for each in _query(api, max(since_ms - MARGIN_MS, now_ms - DAY_MS), now_ms):
        yield each


async def conversations(api: Api, ids: Iterable[str]) -> AsyncIterator[Object]:
    """These, as far as they are known."""
    wanted = list(ids)
    for start in range(0, len(wanted), IDS):
        page = await api.get(
            "/api/v2/analytics/conversations/details",
            permission=SEE_CONVERSATIONS,
            params={"id": ",".join(wanted[start : start + IDS])},
        )
        for each in _conversations_in(page):
            yield each


async def _query(api: Api, from_ms: int, to_ms: int, **more: object) -> AsyncIterator[Object]:
    interval = f"{_iso(from_ms)}/{_iso(to_ms + MARGIN_MS)}"
    for number in range(1, MAX_PAGES + 1):
        body = {
            "interval": interval,
            "order": "asc",
            "orderBy": "conversationStart",
            "paging": {"pageSize": PAGE, "pageNumber": number},
            **more,
        }
        page = await api.post(
            "/api/v2/analytics/conversations/details/query", body, permission=SEE_CONVERSATIONS
        )
        found = _conversations_in(page)
        for each in found:
            yield each
        if len(found) < PAGE:
            return


def _conversations_in(page: Object) -> list[Object]:
    found = page.get("conversations")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""What plays the vendors' sources: a FreeSWITCH, a queue_log, webhooks of Twilio, Connect, Genesys, Chatwoot.

Each speaks its vendor's wire, with its key or signature. `make test` and the long run use the same ones.
"""

import asyncio
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from services.runtime.clock import now_ms
from tests.doubles import connect_events, genesys_calls, twilio
from tests.doubles.callcenter import CallCenter
from tests.doubles.esl_server import EslServer
from tests.doubles.queue_log_file import QueueLogFile
from tests.doubles.served import free_port
from tests.many_sources.players import Contacts, Stage

KEY = "the key of many sources"
ABANDONED = 0.2
"""The share of callers who hang up while they wait."""


class FreeSwitch:
    """An event socket and mod_callcenter's queue."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.5) -> None:
        self.offered: Counter[str] = Counter()
        self._site = site
        self._queue = f"{site}-fs"
        self._rng = rng
        self._contacts = Contacts(rng, every_s=every_s)
        self._pbx = CallCenter(is_running=True)
        self._server = EslServer(self._pbx)
        self._server.port = free_port()
        self._idle = [f"{site}-fs-{n}" for n in range(12)]

    def settings(self) -> str:
        return f"""
[[sources]]
id = "{self._site}-fs"
kind = "freeswitch_esl"
site = "{self._site}"
port = {self._server.port}
secret_env = "ESL_SECRET"
"""

    def environment(self) -> Mapping[str, str]:
        return {"ESL_SECRET": "s3cret"}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        for agent in self._idle:
            self._pbx.agent(agent, self._queue)
        async with self._server:
            await self._server.until_listening(1)
            await self._contacts.run(self._one, stop)
            await asyncio.sleep(10)  # whoever left alone is decided within

    async def _one(self, number: int) -> None:
        member = self._pbx.enter(f"call-{number}", self._queue, number=f"+331{number:08}")
        await asyncio.sleep(self._rng.uniform(0.5, 5))
        if self._rng.random() < ABANDONED or not self._idle:
            self._pbx.abandon(member)
        else:
            agent = self._idle.pop()
            self._pbx.offer(member, agent)
            await asyncio.sleep(self._rng.uniform(0.2, 1))
            self._pbx.answer(member, agent)
            await asyncio.sleep(self._rng.uniform(1, 5))
            self._pbx.hang_up_agent(member, agent)
            self._pbx.hang_up(member.session)
            self._idle.append(agent)
        self.offered[self._queue] += 1


class QueueLog:
    """An Asterisk's log of its queues, rotated now and then."""

    def __init__(self, site: str, rng: random.Random, path: Path, *, every_s: float = 1.0) -> None:
        self.offered: Counter[str] = Counter()
        self._site = site
        self._queue = f"{site}-log"
        self._rng = rng
        self._contacts = Contacts(rng, every_s=every_s)
        self._file = QueueLogFile(path)

    def settings(self) -> str:
        return f"""
[[sources]]
id = "{self._site}-log"
kind = "asterisk_queue_log"
site = "{self._site}"
file = "{self._file.path}"
wrap_up_s = 2
"""

    def environment(self) -> Mapping[str, str]:
        return {}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        rotating = asyncio.create_task(self._rotate())
        await self._contacts.run(self._one, stop)
        rotating.cancel()
        await asyncio.sleep(5)  # until it has been read
        self._file.close()

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(20)
            self._file.rotate()

    async def _one(self, number: int) -> None:
        call, agent = f"{now_ms() // 1000}.{number}", f"{self._site}-log-{self._rng.randrange(8)}"
        self._line(call, "NONE", "ENTERQUEUE", "", f"+331{number:08}", "1")
        waited_s = self._rng.uniform(0.5, 5)
        await asyncio.sleep(waited_s)
        if self._rng.random() < ABANDONED:
            self._line(call, "NONE", "ABANDON", "1", "1", f"{waited_s:.0f}")
        else:
            self._line(call, agent, "CONNECT", f"{waited_s:.0f}", f"{call}9", "1")
            talked_s = self._rng.uniform(1, 5)
            await asyncio.sleep(talked_s)
            self._line(call, agent, "COMPLETECALLER", f"{waited_s:.0f}", f"{talked_s:.0f}", "1")
        self.offered[self._queue] += 1

    def _line(self, call: str, agent: str, *words: str) -> None:
        self._file.write("|".join([str(now_ms() // 1000), call, self._queue, agent, *words]).encode())


class _Webhooks:
    """What all who post have in common. `name` ends the names of source and queue, of one kind."""

    def __init__(self, site: str, rng: random.Random, *, name: str, kind: str, every_s: float) -> None:
        self.offered: Counter[str] = Counter()
        self.queue = f"{site}-{name}"
        self.rng = rng
        self.source = f"{site}-{name}"
        self._site = site
        self._kind = kind
        self._contacts = Contacts(rng, every_s=every_s)

    def written(self, **more: str) -> str:
        """The settings; `more` as TOML."""
        lines = [f"{name} = {value}" for name, value in more.items()]
        return "\n".join(
            [
                "[[sources]]",
                f'id = "{self.source}"',
                f'kind = "{self._kind}"',
                f'site = "{self._site}"',
                'secret_env = "HOOK_SECRET"',
                *lines,
                "",
            ]
        )

    def environment(self) -> Mapping[str, str]:
        return {"HOOK_SECRET": KEY}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        self._stage = stage
        await self._contacts.run(self._one, stop)

    async def _one(self, number: int) -> None:
        await self.tell(number)
        self.offered[self.queue] += 1

    async def tell(self, number: int) -> None:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://{self._stage.ingest}/v1/sources/{quote(self.source, safe='')}"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        async with self._stage.http.post(self.url, data=body, headers=headers) as answer:
            assert answer.status == 202, await answer.text()

    async def pause(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(self.rng.uniform(least_s, most_s))

    def is_abandoned(self) -> bool:
        return self.rng.random() < ABANDONED


class TwilioFlex(_Webhooks):
    """Forms of TaskRouter, signed."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.5) -> None:
        super().__init__(site, rng, name="flex", kind="twilio_taskrouter", every_s=every_s)

    def settings(self) -> str:
        return self.written(map=f'{{ Support = "{self.queue}" }}')

    async def tell(self, number: int) -> None:
        call = {"direction": "inbound", "from": f"+1555{number:07}", "call_sid": f"CA{number:032}"}
        task = twilio.Task(number, attributes=call)
        await self._say(task.told("created", _after(twilio.START_MS)))
        visit = task.enter("Support", _after(twilio.START_MS))
        await self._say(visit.entered)
        await self.pause(0.5, 5)
        if self.is_abandoned():
            await self._say(visit.told("task.canceled", _after(twilio.START_MS), Reason="hangup"))
            return
        worker = f"flex-{self.rng.randrange(8)}"
        for what in ("created", "accepted", "completed"):
            await self._say(visit.reservation(what, _after(twilio.START_MS), worker, number))
            await self.pause(0.2, 3)
        await self._say(visit.told("task.completed", _after(twilio.START_MS)))

    async def _say(self, told: twilio.Told) -> None:
        signed = twilio.signature(KEY, self.url, told.pairs)
        await self.post(told.form, {"content-type": twilio.FORM, "x-twilio-signature": signed})


class AmazonConnect(_Webhooks):
    """Contact events by an API destination, with its key."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.5) -> None:
        super().__init__(site, rng, name="connect", kind="amazon_connect", every_s=every_s)

    def settings(self) -> str:
        return self.written(abandon_after_s="2")

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        await super().play(stage, stop)
        await asyncio.sleep(5)  # whoever left alone is decided within

    async def tell(self, number: int) -> None:
        contact, begun_s = f"contact-{number}", _now_s()
        told: dict[str, object] = {"initiationTimestamp": connect_events.iso(begun_s)}
        await self._say("INITIATED", contact, told)
        told |= {"queue": self.queue, "entered": _now_s()}
        await self._say("QUEUED", contact, told)
        await self.pause(0.5, 5)
        if self.is_abandoned():
            told |= {"disconnectReason": "CUSTOMER_DISCONNECT"}
        else:
            told |= {"agent": f"connect-{self.rng.randrange(8)}", "accepted": _now_s()}
            await self._say("CONNECTED_TO_AGENT", contact, told)
            await self.pause(1, 5)
        await self._say("DISCONNECTED", contact, told | {"hung": _now_s()})

    async def _say(self, kind: str, contact: str, told: Mapping[str, object]) -> None:
        event = connect_events.contact_event(kind, contact, _now_s(), **told)
        await self.post(connect_events.body(event), {"x-api-key": KEY})


class GenesysCloud(_Webhooks):
    """Detail events by an API destination, with its key."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.5) -> None:
        super().__init__(site, rng, name="genesys", kind="genesys_cloud", every_s=every_s)

    def settings(self) -> str:
        return self.written(map=f'{{ "{genesys_calls.QUEUE}" = "{self.queue}" }}')

    async def tell(self, number: int) -> None:
        call, user = f"0c0ffee0-0000-4000-8000-{number:012}", f"6f1c2f36-0000-4000-8000-{number % 8:012}"
        await self._detail("customer.start", call)
        await self._detail("acd.start", call)
        await self.pause(0.5, 5)
        if self.is_abandoned():
            await self._detail("acd.end", call, acdOutcome="ABANDON", disconnectType="PEER")
            await self._detail("customer.end", call, disconnectType="ENDPOINT")
            return
        begun_s = (now_ms() - genesys_calls.START_MS) / 1000
        await self._detail("user.start", call, userId=user, participantId="p-agent")
        await self._state("ALERT", call, user, begun_s)
        await self.pause(0.2, 1)
        await self._state("INTERACT", call, user, begun_s)
        await self._detail("acd.end", call, acdOutcome="ANSWERED", answeredUserId=user)
        await self.pause(1, 5)
        ended = {"interactingDurationMs": 1000, "disconnectType": "PEER", "participantId": "p-agent"}
        await self._detail("user.end", call, userId=user, **ended)
        await self._state("TERMINATED", call, user, begun_s)
        await self._detail("customer.end", call, disconnectType="ENDPOINT")

    async def _detail(self, kind: str, call: str, **body: object) -> None:
        at_s = (now_ms() - genesys_calls.START_MS) / 1000
        await self._say(genesys_calls.detail(kind, at_s, number=call, **body))

    async def _state(self, state: str, call: str, user: str, begun_s: float) -> None:
        at_s = (now_ms() - genesys_calls.START_MS) / 1000
        await self._say(
            genesys_calls.agent_state(
                state, at_s, begun_s=begun_s, number=call, userId=user, sessionId=f"s-{call}"
            )
        )

    async def _say(self, told: Mapping[str, object]) -> None:
        await self.post(json.dumps(told).encode(), {"x-api-key": KEY})


class Chatwoot(_Webhooks):
    """Conversations of an inbox, signed."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.5) -> None:
        super().__init__(site, rng, name="woot", kind="chatwoot", every_s=every_s)

    def settings(self) -> str:
        queue = f'[[queues]]\nid = "{self.queue}"\nsite = "{self._site}"\nchannel = "chat"\n'
        return queue + self.written(map=f'{{ 3 = "{self.queue}" }}')

    async def tell(self, number: int) -> None:
        created_s = now_ms() // 1000
        told = {
            "id": number,
            "inbox_id": 3,
            "channel": "Channel::WebWidget",
            "account": {"id": 2},
            "created_at": created_s,
            "meta": {"sender": {"id": number, "name": "quiet-river"}, "assignee": None},
        }
        await self._say({**told, "event": "conversation_created", "status": "open"})
        await self.pause(1, 5)
        reply_s, agent = now_ms() // 1000, {"id": 1 + number % 4, "name": "Agent", "type": "user"}
        answered = {**told, "meta": {"sender": {"id": number}, "assignee": agent}}
        answered |= {"status": "open", "first_reply_created_at": reply_s}
        first = [{"first_reply_created_at": {"previous_value": None, "current_value": reply_s}}]
        await self._say({**answered, "event": "conversation_updated", "changed_attributes": first})
        await self.pause(0.5, 3)
        change = [{"status": {"previous_value": "open", "current_value": "resolved"}}]
        over = {"event": "conversation_status_changed", "status": "resolved", "changed_attributes": change}
        await self._say({**answered, **over})

    async def _say(self, told: Mapping[str, object]) -> None:
        at_ms = now_ms()
        body = json.dumps({"updated_at": at_ms / 1000, **told}).encode()
        digest = hmac.new(KEY.encode(), f"{at_ms // 1000}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"x-chatwoot-signature": f"sha256={digest}", "x-chatwoot-timestamp": str(at_ms // 1000)}
        await self.post(body, {"content-type": "application/json", **headers})


def _after(start_ms: int) -> int:
    return now_ms() - start_ms


def _now_s() -> float:
    return (now_ms() - connect_events.START_MS) / 1000

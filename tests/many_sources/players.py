"""What plays a source: a small server, a file, a topic, a mailbox, posts; and what it has told so far.

Each player invents contacts at random. When it is told to stop it finishes those it has begun.
"""

import asyncio
import base64
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import Struct
from standardwebhooks.webhooks import Webhook

from services.runtime.clock import now_ms
from tests.doubles.ami_frames import START_MS, frame, member_row
from tests.doubles.ami_server import AmiServer
from tests.doubles.mail_server import SECRET, USER, MailServer
from tests.doubles.served import free_port
from tests.end_to_end.running_system import iso

SIGNING = "whsec_" + base64.b64encode(b"many sources at once, and all").decode()


class Stage(Struct, frozen=True):
    """Where the system is."""

    ingest: str
    bootstrap: str
    http: aiohttp.ClientSession


class Player(Protocol):
    """`offered`: contacts by queue that entered it, as far as they are over."""

    offered: Counter[str]

    def settings(self) -> str:
        """Its `[[sources]]`."""
        ...

    def environment(self) -> Mapping[str, str]: ...

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        """Until `stop`, and until what was begun is over."""
        ...


class Contacts:
    """Begins a contact every now and then, until told to stop; waits for those that were begun."""

    def __init__(self, rng: random.Random, *, every_s: float) -> None:
        self._rng = rng
        self._every_s = every_s

    async def run(self, one: "OneContact", stop: asyncio.Event) -> None:
        number = 0
        async with asyncio.TaskGroup() as running:
            while not stop.is_set():
                number += 1
                running.create_task(one(number))
                await asyncio.sleep(self._rng.expovariate(1 / self._every_s))


class OneContact(Protocol):
    async def __call__(self, number: int) -> None: ...


class Asterisk:
    """A manager's interface and a queue of it."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.0) -> None:
        self.offered: Counter[str] = Counter()
        self._site = site
        self._queue = f"{site}-phone"
        self._rng = rng
        self._contacts = Contacts(rng, every_s=every_s)
        self._server = AmiServer(clock_us=now_ms() * 1000)
        self._server.port = free_port()

    def settings(self) -> str:
        return f"""
[[sources]]
id = "{self._site}-pbx"
kind = "asterisk_ami"
site = "{self._site}"
port = {self._server.port}
user = "wallboard"
secret_env = "PBX_SECRET"
wrap_up_s = 2
"""

    def environment(self) -> Mapping[str, str]:
        return {"PBX_SECRET": "s3cret"}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        agents = [f"{self._site}-{n}" for n in range(8)]
        for agent in agents:
            self._server.know_member(member_row(agent, self._queue))
        async with self._server:
            await self._server.until_connected(1)
            await self._contacts.run(self._one, stop)
            await asyncio.sleep(5)  # the last wrap-up, and what is held for a second

    async def _one(self, number: int) -> None:
        call = f"{now_ms() // 1000}.{number}"
        about = {"Uniqueid": call, "Linkedid": call, "Queue": self._queue, "CallerIDNum": f"+331{number:08}"}
        await self._say("QueueCallerJoin", about)
        await asyncio.sleep(self._rng.uniform(0.5, 6))
        if self._rng.random() < 0.2:
            await self._say("QueueCallerAbandon", {**about, "HoldTime": 3})
            await self._say("QueueCallerLeave", about)
        else:
            await self._talk(about, f"{self._site}-{self._rng.randrange(8)}", number)
        await self._say("Hangup", about)
        self.offered[self._queue] += 1

    async def _talk(self, about: Mapping[str, object], agent: str, number: int) -> None:
        leg = {"DestUniqueid": f"{about['Uniqueid']}9", "DestLinkedid": about["Linkedid"]}
        member = {"MemberName": agent, "Interface": f"PJSIP/{agent}"}
        both = {**about, **leg, **member}
        await self._say("AgentCalled", both)
        await asyncio.sleep(self._rng.uniform(0.2, 1))
        await self._say("QueueCallerLeave", about)
        await self._say("AgentConnect", {**both, "HoldTime": 1, "RingTime": 1})
        await asyncio.sleep(self._rng.uniform(1, 6))
        await self._say("AgentComplete", {**both, "HoldTime": 1, "TalkTime": 3, "Reason": "caller"})

    async def _say(self, event: str, headers: Mapping[str, object]) -> None:
        await self._server.event(frame(event, (now_ms() - START_MS) / 1000, **headers))


class SignedPosts:
    """A shop's chat that posts signed events."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.0) -> None:
        self.offered: Counter[str] = Counter()
        self._site = site
        self._queue = f"{site}-chat"
        self._rng = rng
        self._contacts = Contacts(rng, every_s=every_s)

    def settings(self) -> str:
        return f"""
[[queues]]
id = "{self._queue}"
site = "{self._site}"
channel = "chat"
[[sources]]
id = "{self._site}-shop"
kind = "http"
site = "{self._site}"
secret_env = "SHOP_SECRET"
"""

    def environment(self) -> Mapping[str, str]:
        return {"SHOP_SECRET": SIGNING}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        self._stage = stage
        await self._contacts.run(self._one, stop)

    async def _one(self, number: int) -> None:
        contact = f"chat-{number}"
        await self._say("queue.entered", contact, channel="chat", segment=contact)
        await asyncio.sleep(self._rng.uniform(0.5, 5))
        agent = f"{self._site}-chat-{self._rng.randrange(3)}"
        await self._say("agent.accepted", contact, agent=agent, segment=contact)
        await asyncio.sleep(self._rng.uniform(1, 6))
        await self._say("talk.ended", contact, agent=agent, segment=contact)
        await self._say("wrap.end", contact, agent=agent, segment=contact)
        await self._say("contact.ended", contact)
        self.offered[self._queue] += 1

    async def _say(self, name: str, contact: str, **data: str) -> None:
        at_ms = now_ms()
        event = {
            "specversion": "1.0",
            "id": f"{contact}-{name}",
            "source": f"{self._site}-shop",
            "site": self._site,
            "type": f"vigie.{name}.v1",
            "time": iso(at_ms),
            "data": {"contact": contact, "queue": self._queue, **data},
        }
        body = json.dumps(event)
        at = datetime.fromtimestamp(at_ms // 1000, UTC)
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": str(event["id"]),
            "webhook-timestamp": str(at_ms // 1000),
            "webhook-signature": Webhook(SIGNING).sign(str(event["id"]), at, body),
        }
        url = f"http://{self._stage.ingest}/v1/events"
        async with self._stage.http.post(url, data=body, headers=headers) as answer:
            assert answer.status == 202, await answer.text()


class Topic:
    """Letters in a topic of somebody else, in words of its own."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 1.0) -> None:
        self.offered: Counter[str] = Counter()
        self._site = site
        self._queue = f"{site}-letters"
        self._topic = f"{site}-letters"
        self._rng = rng
        self._contacts = Contacts(rng, every_s=every_s)

    def settings(self) -> str:
        return f"""
[[queues]]
id = "{self._queue}"
site = "{self._site}"
channel = "letter"
[[sources]]
id = "{self._site}-bus"
kind = "kafka"
site = "{self._site}"
topic = "{self._topic}"
backfill_s = 3600
queue = "{self._queue}"
channel = "letter"
events = {{ scanned = "queue.entered", answered = "queue.left", filed = "contact.ended" }}
columns = {{ contact = "letter.id", outcome = "result" }}
"""

    def environment(self) -> Mapping[str, str]:
        return {}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=stage.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(self._topic, num_partitions=2, replication_factor=1)])
        await admin.close()
        self._producer = AIOKafkaProducer(bootstrap_servers=stage.bootstrap)
        await self._producer.start()
        try:
            await self._contacts.run(self._one, stop)
        finally:
            await self._producer.stop()

    async def _one(self, number: int) -> None:
        await self._say("scanned", number)
        await asyncio.sleep(self._rng.uniform(1, 8))
        await self._say("answered", number, result="answered")
        await self._say("filed", number)
        self.offered[self._queue] += 1

    async def _say(self, word: str, number: int, **data: str) -> None:
        attributes = {
            "specversion": "1.0",
            "id": f"{number}-{word}",
            "source": "/letters",
            "type": word,
            "time": iso(now_ms()),
        }
        headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
        headers.append(("content-type", b"application/json"))
        body = json.dumps({"letter": {"id": number}, **data}).encode()
        await self._producer.send_and_wait(self._topic, body, headers=headers, partition=number % 2)


class SharedMailbox:
    """A mailbox of a team at a real server."""

    def __init__(self, site: str, rng: random.Random, *, every_s: float = 3.0) -> None:
        self.offered: Counter[str] = Counter()
        self._site = site
        self._queue = f"{site}-mail"
        self._rng = rng
        self._contacts = Contacts(rng, every_s=every_s)
        self._server = MailServer()

    def settings(self) -> str:
        return f"""
[[queues]]
id = "{self._queue}"
site = "{self._site}"
channel = "email"
[[sources]]
id = "{self._site}-mailbox"
kind = "imap"
site = "{self._site}"
port = {self._server.port}
tls = "none"
user = "{USER}"
secret_env = "MAIL_SECRET"
addresses = ["{USER}"]
queue = "{self._queue}"
poll_s = 1
"""

    def environment(self) -> Mapping[str, str]:
        return {"MAIL_SECRET": SECRET}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        async with self._server:
            await self._contacts.run(self._one, stop)
            await asyncio.sleep(5)  # until it has been looked into again

    async def _one(self, number: int) -> None:
        name = f"<{number}@customer.example>"
        await self._server.put(_mail(name, "ada@customer.example"), at_s=float(int(time.time())))
        await asyncio.sleep(self._rng.uniform(4, 10))
        answer = _mail(f"<{number}@us>", USER, f"In-Reply-To: {name}")
        await self._server.put(answer, at_s=float(int(time.time())), mailbox="Sent")
        await asyncio.sleep(self._rng.uniform(3, 6))
        await self._server.move(name, "Done")
        self.offered[self._queue] += 1


class GrowingFile:
    """A history that is written anew with more in it, and read again each time."""

    def __init__(self, site: str, rng: random.Random, file: Path, *, every_s: float = 2.0) -> None:
        self.offered: Counter[str] = Counter()
        self._site = site
        self._queue = f"{site}-social"
        self._file = file
        self._rng = rng
        self._contacts = Contacts(rng, every_s=every_s)

    def settings(self) -> str:
        return f"""
[[queues]]
id = "{self._queue}"
site = "{self._site}"
channel = "social"
[[sources]]
id = "{self._site}-history"
kind = "file"
site = "{self._site}"
file = "{self._file}"
format = "jsonl"
channel = "social"
queue = "{self._queue}"
columns = {{ contact = "post", entered = "seen", answered = "answered", ended = "done" }}
"""

    def environment(self) -> Mapping[str, str]:
        return {}

    async def play(self, stage: Stage, stop: asyncio.Event) -> None:
        await self._contacts.run(self._one, stop)
        await asyncio.sleep(5)  # until it has been looked at again

    async def _one(self, number: int) -> None:
        seen_ms = now_ms()
        await asyncio.sleep(self._rng.uniform(1, 5))
        row = {"post": number, "seen": seen_ms, "answered": now_ms() - 500, "done": now_ms()}
        await asyncio.to_thread(self._append, json.dumps(row))
        self.offered[self._queue] += 1

    def _append(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _mail(message_id: str, sender: str, *lines: str) -> bytes:
    head = [f"Message-ID: {message_id}", f"From: {sender}", f"To: {USER}", "Subject: x", *lines]
    return "\r\n".join([*head, "", "text", ""]).encode()

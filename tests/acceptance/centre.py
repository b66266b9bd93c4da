"""The whole system, its team leads, and what each was told and when.

Every queue has a lead of its own with a receiver of its own, named like it: what one test does, no
other is told of. A test claims what it expects; what nobody claimed fails it.
"""

import asyncio
import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp

from services.runtime.clock import now_ms
from tests.doubles.beside import Beside
from tests.doubles.receiver import Arrival, Receiver
from tests.doubles.relay import Relay
from tests.doubles.started import PATIENCE_S
from tests.end_to_end.running_system import SITE, RunningSystem, iso, running_system

LIMIT_S = 2
SETTLED_S = 0.4
"""Within this time what must not come would have come: ten times what a notice takes."""

SECRET = "whsec_" + base64.b64encode(b"acceptance-of-vigie-32-bytes-ok!").decode()
QUEUES = (
    *("plain", "left", "right", "taken", "retried", "busy", "away", "gone", "mailed", "under-way", "refused"),
    *("quiet", "ruled", "kill-ingest", "kill-aggregator", "kill-api", "kill-notifier", "kill-kafka"),
)
QUIET_SOURCE = "quiet/pbx"
QUIET_S = 2.0
"""Silent for so long, this source is stale."""


class Lead:
    """Who leads the team of a queue. `told` waits for the next notice; those claimed are over and done."""

    def __init__(self, name: str, beside: Beside) -> None:
        self.name = name
        self.receiver = Receiver(SECRET)
        self._beside = beside
        self._claimed = 0

    async def told(self, kind: str, *, past: tuple[str, ...] = ()) -> Arrival:
        """The next notice that was taken, which must be of this kind; those of `past` may come before."""
        arrival = await self.asked()
        while not arrival.is_taken or arrival.type.removeprefix("alert.") in past:
            arrival = await self.asked()
        assert arrival.type == f"alert.{kind}", f"{self.name} was told {arrival.type}"
        return arrival

    async def asked(self) -> Arrival:
        """The next request about the queue, whatever it was answered."""
        end_s = time.monotonic() + PATIENCE_S
        while len(self._of_queue()) <= self._claimed:
            assert time.monotonic() < end_s, f"{self.name} was told nothing more"
            await asyncio.sleep(0.01)
        self._claimed += 1
        arrival = self._of_queue()[self._claimed - 1]
        assert arrival.is_signed, f"{self.name} got a wrong signature"
        return arrival

    def unclaimed(self) -> list[str]:
        """What came and nobody expected."""
        return [f"{self.name}: {each.type}" for each in self._of_queue()[self._claimed :]]

    def forget(self) -> None:
        """What came so far concerns no later test."""
        self._claimed = len(self._of_queue())

    async def told_of_source(self, source: str, kinds: list[str]) -> None:
        """Waits until these notices on a source, of which every lead of the site is told, were taken."""
        end_s = time.monotonic() + PATIENCE_S
        while (found := self._of_source(source)) != kinds:
            assert time.monotonic() < end_s, f"{self.name} was told of {source}: {found}"
            await asyncio.sleep(0.05)

    def _of_queue(self) -> list[Arrival]:
        return [each for each in self.receiver.arrived if each.data["queue"]]

    def _of_source(self, source: str) -> list[str]:
        taken = (each for each in self.receiver.arrived if each.is_taken)
        return [each.type.removeprefix("alert.") for each in taken if each.data.get("source") == source]

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens while the block runs."""
        self._beside.run(self.receiver.close())
        try:
            yield
        finally:
            self._beside.run(self.receiver.open())


class Centre:
    """The system and its leads, by queue."""

    def __init__(self, system: RunningSystem, leads: dict[str, Lead], relay: Relay, settings: Path) -> None:
        self.system = system
        self.leads = leads
        self.relay = relay
        self._settings = settings
        self._told = 0

    async def enters(self, queue: str, contact: str) -> int:
        """A contact enters the queue now; gives the instant at which its wait reaches the limit."""
        at_ms = now_ms()
        await self.tell("queue.entered", at_ms=at_ms, contact=contact, queue=queue)
        return at_ms + LIMIT_S * 1000

    async def answered(self, queue: str, contact: str) -> None:
        await self.tell("agent.accepted", contact=contact, queue=queue, agent=f"agent-{queue}")

    async def tell(
        self, name: str, *, at_ms: int | None = None, source: str = "acceptance", **data: Any
    ) -> None:
        """Posts one event; ingest and Kafka may be away for a while, as a source knows."""
        self._told += 1
        event = {"specversion": "1.0", "id": f"told-{self._told}", "source": source, "site": SITE}
        event |= {"type": f"vigie.{name}.v1", "data": data}  # type: ignore[dict-item]
        event["time"] = iso(at_ms if at_ms is not None else now_ms())
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                status, answer = await self.system.post(json.dumps(event).encode())
            except (aiohttp.ClientError, OSError):
                status, answer = 503, {}
            if status == 202:
                assert answer["accepted"] == 1, answer
                return
            assert status in (429, 503), (status, answer)
            assert time.monotonic() < end_s
            await asyncio.sleep(0.1)

    async def alert(self, alert_id: str) -> dict[str, Any]:
        """An alert and what became of its notices, as the api shows it."""
        status, text = await self.system.get("api", f"/api/v1/alerts/{alert_id}")
        assert status == 200, text
        found: dict[str, Any] = json.loads(text)
        return found

    async def delivered(self, alert_id: str, states: list[tuple[str, str]]) -> None:
        """Waits until the deliveries of an alert are these: (notice, state), in the order of versions."""
        await self.until(lambda: self._deliveries(alert_id), states, f"the deliveries of {alert_id}")

    async def acknowledge(self, alert_id: str) -> None:
        url = f"http://{self.system.addresses['api']}/api/v1/alerts/{alert_id}/acknowledge"
        async with aiohttp.ClientSession() as http, http.post(url, json={"by": "Léa"}) as said:
            assert said.status in (200, 202), await said.text()

    async def until(self, ask: Callable[[], Any], wanted: object, what: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while (found := await ask()) != wanted:
            assert time.monotonic() < end_s, f"{what}: {found}"
            await asyncio.sleep(0.05)

    async def well(self) -> None:
        """Every process runs and lacks nothing."""
        await self.until(self._lacking, {}, "not ready")

    async def verified(self) -> dict[str, Any]:
        """What `vigie verify` finds, by now."""
        command = ["-m", "services.cli", "verify", "--json", f"--config={self._settings}"]
        command.append(f"--kafka={self.system.bootstrap}")
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=subprocess.PIPE)
        out, _ = await process.communicate()
        found: dict[str, Any] = json.loads(out)
        assert process.returncode == (1 if found["differences"] else 0)
        return found

    def drop_rule(self, rule: str) -> None:
        """The settings lose a rule; who starts from now on does not know it."""
        text = self._settings.read_text()
        found = re.sub(rf'\[\[rules\]\]\nid = "{rule}"\n(?:[^\[\n].*\n)*', "", text)
        assert found != text
        self._settings.write_text(found)

    def unclaimed(self) -> list[str]:
        return [each for lead in self.leads.values() for each in lead.unclaimed()]

    def mails_on(self, queue: str) -> list[EmailMessage]:
        """Those about a queue, which stands in their subject."""
        return [mail for mail in self.relay.mails if f"{queue}: " in mail["Subject"]]

    async def _deliveries(self, alert_id: str) -> list[tuple[str, str]]:
        found = (await self.alert(alert_id))["deliveries"]
        return [(each["notice"], each["state"]) for each in found]

    async def _lacking(self) -> dict[str, str]:
        try:
            return await self.system.unready()
        except (aiohttp.ClientError, OSError) as error:
            return {"a service": repr(error)}


@contextmanager
def running_centre(folder: Path) -> Iterator[Centre]:
    """Receivers and a relay first, then the system that is told where they are."""
    with ExitStack() as stack:
        beside = stack.enter_context(Beside())
        leads = {queue: Lead(queue, beside) for queue in QUEUES}
        for lead in leads.values():
            beside.run(lead.receiver.open())
            stack.callback(_shut, beside, lead.receiver)
        relay = Relay()
        beside.run(relay.open())
        stack.callback(_shut, beside, relay)
        system = stack.enter_context(
            running_system(folder, settings(leads, relay), env={"LEAD_SECRET": SECRET})
        )
        yield Centre(system, leads, relay, folder / "vigie.toml")


def _shut(beside: Beside, double: Receiver | Relay) -> None:
    beside.run(double.close())


def settings(leads: dict[str, Lead], relay: Relay) -> str:
    """What follows the addresses in `vigie.toml`."""
    text = f"""
[notices]
lang = "en"
[egress]
allow = ["127.0.0.1/32"]
[smtp]
port = {relay.port}
sender = "Vigie <vigie@x.test>"
tls = "none"
[[sites]]
id = "{SITE}"
label = "Paris"
time_zone = "Europe/Paris"
[[sources]]
id = "{QUIET_SOURCE}"
kind = "http"
site = "{SITE}"
queues = ["quiet"]
stale_after_s = {QUIET_S}
[[rules]]
id = "wait"
metric = "longest_wait_s"
fire = "> wait_limit_s"
queues = {json.dumps([queue for queue in QUEUES if queue != "ruled"])}
[[rules]]
id = "short_lived"
metric = "longest_wait_s"
fire = "> wait_limit_s"
queues = ["ruled"]
"""
    for queue, lead in leads.items():
        channels = [f'{{ kind = "webhook", url = "{lead.receiver.url}", secret_env = "LEAD_SECRET" }}']
        if queue == "mailed":
            channels.append('{ kind = "email", address = "mailed@x.test" }')
        text += f"""
[[queues]]
id = "{queue}"
site = "{SITE}"
team = "{queue}"
wait_limit_s = {LIMIT_S}
[[teams]]
id = "{queue}"
leads = ["{queue}"]
[[people]]
id = "{queue}"
channels = [{", ".join(channels)}]
"""
    return text

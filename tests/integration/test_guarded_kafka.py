"""Vigie on a Kafka that asks who one is: by login, by certificate with the rights of Kubernetes, refused."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from schemas.config import KafkaConfig
from schemas.errors import Unavailable
from services.cli.broker import free_ports
from services.cli.topics import declare
from services.runtime.kafka import Cluster, Kafka
from tests.doubles.guarded_kafka import CA, FILES, KEY, OPERATOR, PASSWORD, GuardedKafka, certificate
from tests.doubles.receiver import Receiver, receiving
from tests.doubles.started import PATIENCE_S, Started
from tests.integration.crash_worker import WorkerProcess

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SERVICES = ("ingest", "aggregator", "api", "notifier")
QUEUES = ("login", "certificate")
WRONG = "wrong-horse-battery"
SECRET = "whsec_" + "A" * 32
USERS = Path(__file__).parents[2] / "deploy/kubernetes/kafka/users.yaml"
_WORD = {"WORD": PASSWORD}
OTHERS = FILES.parent / "tls"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    with GuardedKafka(tmp_path_factory.mktemp("kafka")) as guarded:
        yield guarded


class Told:
    """Settings of one system, its addresses, and the files that say them."""

    def __init__(self, folder: Path, receiver: str) -> None:
        self.folder = folder
        ports = free_ports(len(SERVICES))
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in zip(SERVICES, ports, strict=True)}
        self._receiver = receiver

    def file(self, name: str, bootstrap: str, **kafka: str) -> Path:
        """A file of settings; `kafka` is what stands in [kafka] beside the address."""
        lines = ["[kafka]", f'bootstrap = "{bootstrap}"', *(f'{each} = "{kafka[each]}"' for each in kafka)]
        lines += ["[http]", *(f'{each} = "{address}"' for each, address in self.addresses.items())]
        hook = f'{{ kind = "webhook", url = "{self._receiver}", secret_env = "LEA" }}'
        lines += ['[egress]\nallow = ["127.0.0.0/8"]', f'[[people]]\nid = "lea"\nchannels = [{hook}]']
        lines += ['[[teams]]\nid = "n1"\nleads = ["lea"]']
        lines += [f'[[queues]]\nid = "{each}"\nteam = "n1"\nwait_limit_s = 0.5' for each in QUEUES]
        path = self.folder / f"{name}.toml"
        path.write_text("\n".join(lines))
        return path


async def test_all_of_vigie_works_by_login(kafka: GuardedKafka, tmp_path: Path) -> None:
    async with receiving(SECRET) as receiver:
        told = Told(tmp_path, receiver.url)
        file = told.file("vigie", kafka.login, ca_file=CA, user=OPERATOR, password_env="WORD")
        with _vigie("up", file, WORD=PASSWORD) as system:
            await asyncio.to_thread(system.wait_for, "Wallboard: ")
            await _is_of_use(told.addresses, receiver, queue="login")
            with _vigie("verify", file, WORD=PASSWORD) as verifying:
                assert await asyncio.to_thread(verifying.wait_for_end) == 0, verifying.lines
            system.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(system.wait_for_end) == 0
        assert PASSWORD not in "\n".join(system.lines)


async def test_each_service_works_with_its_own_certificate_and_its_rights_alone(
    kafka: GuardedKafka, tmp_path: Path
) -> None:
    await declare(Cluster(kafka.mutual, certificate(OPERATOR)), 4)
    users = list(yaml.safe_load_all(USERS.read_text("utf-8")))
    for user in users:
        await kafka.allow(user["metadata"]["name"], user["spec"]["authorization"]["acls"])

    async with receiving(SECRET) as receiver:
        told = Told(tmp_path, receiver.url)
        with ExitStack() as stack:
            processes = [
                stack.enter_context(
                    _vigie(
                        name,
                        told.file(
                            name,
                            kafka.mutual,
                            ca_file=CA,
                            cert_file=str(FILES / f"vigie-user-{name}.pem"),
                            key_file=KEY,
                        ),
                    )
                )
                for name in SERVICES
            ]
            await _until_ready(told.addresses)
            await _is_of_use(told.addresses, receiver, queue="certificate")
            for process in processes:
                process.process.send_signal(signal.SIGTERM)
            assert [await asyncio.to_thread(each.wait_for_end) for each in processes] == [0] * len(SERVICES)
        assert len(users) == len(SERVICES)
        said = "\n".join(line for each in processes for line in each.lines)
        assert "uthorization" not in said


def test_a_wrong_password_is_told_once_by_everybody_and_nobody_tells_the_password(
    kafka: GuardedKafka, tmp_path: Path
) -> None:
    told = Told(tmp_path, "http://127.0.0.1:9/")
    file = told.file("vigie", kafka.login, ca_file=CA, user=OPERATOR, password_env="WORD")
    refused = f"refuses the login of {OPERATOR} (wrong user or password, SCRAM-SHA-512)"

    with ExitStack() as stack:
        up = stack.enter_context(_vigie("up", file, WORD=WRONG, VIGIE_LOG="debug"))
        assert up.wait_for_end() == 1
        up.wait_for(f"Kafka at {kafka.login} {refused}")
        processes = {
            name: stack.enter_context(_vigie(name, file, WORD=WRONG, VIGIE_LOG="debug")) for name in SERVICES
        }
        for name, process in processes.items():
            assert refused in process.wait_for(f"{name} log_unavailable")
        with httpx.Client() as http:
            ready = http.get(f"http://{told.addresses['api']}/health/ready")
        assert ready.status_code == 503
        assert refused in ready.text
        for process in processes.values():
            process.process.send_signal(signal.SIGTERM)
            assert process.wait_for_end() == 0
    said = [line for each in (up, *processes.values()) for line in each.lines]
    assert sum("log_unavailable" in line for line in said) == len(SERVICES)
    assert not any(WRONG in line for line in said)


def test_a_worker_that_is_refused_ends_when_its_patience_does_and_says_why(
    kafka: GuardedKafka, tmp_path: Path
) -> None:
    worker = WorkerProcess(kafka.login, tmp_path, patience_s=0.5)
    worker.start()
    try:
        assert worker.running.wait(PATIENCE_S) == 1
    finally:
        worker.end(signal.SIGKILL)
    [failed] = [line for line in worker.log.read_text().splitlines() if " worker_failed " in line]
    assert f"Kafka at {kafka.login} hangs up: does it ask for TLS ([kafka] tls)?" in failed


def _login(**other: Any) -> KafkaConfig:
    return KafkaConfig(**({"ca_file": CA, "user": OPERATOR, "password_env": "WORD"} | other))


_REFUSED: dict[str, tuple[Callable[[GuardedKafka], Kafka], str]] = {
    "unknown user": (
        lambda kafka: Cluster(kafka.login, _login(user="eve"), _WORD),
        "refuses the login of eve (wrong user or password, SCRAM-SHA-512)",
    ),
    "another mechanism": (
        lambda kafka: Cluster(kafka.login, _login(mechanism="PLAIN"), _WORD),
        "does not take logins by PLAIN",
    ),
    "another authority": (
        lambda kafka: Cluster(kafka.login, _login(ca_file=str(OTHERS / "certificate.pem")), _WORD),
        "shows a certificate that we do not trust (unable to get local issuer certificate)",
    ),
    "no TLS": (lambda kafka: kafka.login, "hangs up: does it ask for TLS ([kafka] tls)?"),
    "TLS where there is none": (
        lambda kafka: Cluster(kafka.controller, KafkaConfig(ca_file=CA)),
        "hangs up: does it speak TLS on this port?",
    ),
    "no login": (
        lambda kafka: Cluster(kafka.login, KafkaConfig(ca_file=CA)),
        "hangs up: does it ask for a lo",
    ),
    "no certificate": (
        lambda kafka: Cluster(kafka.mutual, KafkaConfig(ca_file=CA)),
        "refuses us without a certificate (",
    ),
    "a stranger's certificate": (
        lambda kafka: Cluster(kafka.mutual, _stranger()),
        f"refuses the certificate of {OTHERS}/certificate.pem (",
    ),
}


@pytest.mark.parametrize("who", _REFUSED)
async def test_who_is_refused_is_told_why(kafka: GuardedKafka, who: str) -> None:
    refused, why = _REFUSED[who]

    with pytest.raises(Unavailable) as told:
        await declare(refused(kafka), 4)
    assert told.value.detail.startswith(f"Kafka at {refused(kafka)} {why}")


async def test_who_may_not_make_topics_is_told_which(kafka: GuardedKafka) -> None:
    with pytest.raises(Unavailable) as told:
        await declare(Cluster(kafka.mutual, certificate("vigie-user-api")), 4)
    assert "does not allow us that ([Error 29] TopicAuthorizationFailedError: vigie." in told.value.detail


def _stranger() -> KafkaConfig:
    cert, key = OTHERS / "certificate.pem", OTHERS / "key.pem"
    return KafkaConfig(ca_file=CA, cert_file=str(cert), key_file=str(key))


def _vigie(command: str, file: Path, **environment: str) -> Started:
    words = [sys.executable, "-m", "services.cli", command, f"--config={file}"]
    return Started([*words, f"--data={file.parent / 'data'}"], env={"LEA": SECRET, **environment})


async def _is_of_use(addresses: dict[str, str], receiver: Receiver, *, queue: str) -> None:
    """An event becomes a row, an alert, a notice and what is known of it; and people can act on the alert."""
    data = {"contact": queue, "queue": queue, "channel": "phone"}
    event = {
        "specversion": "1.0",
        "id": queue,
        "source": "tests",
        "type": "vigie.queue.entered.v1",
        "data": data,
    }
    media = {"content-type": "application/cloudevents+json"}
    async with httpx.AsyncClient() as http:
        posted = await http.post(
            f"http://{addresses['ingest']}/v1/events", content=json.dumps(event), headers=media
        )
        assert (posted.status_code, posted.json()["accepted"]) == (202, 1)
        board = f"http://{addresses['api']}/api/v1"

        async def waits() -> bool:
            row = await http.get(f"{board}/queues/{queue}", params={"site": "main"})
            return bool(row.status_code == 200 and row.json()["waiting"] == 1)

        await _until(waits, "a row")

        async def is_noticed() -> bool:
            return any(each.data["queue"] == queue for each in receiver.arrived)

        await _until(is_noticed, "a notice")
        alert_id = next(each.data["alert_id"] for each in receiver.arrived if each.data["queue"] == queue)

        async def is_delivered() -> bool:
            alert = await http.get(f"{board}/alerts/{alert_id}")
            return '"delivered"' in alert.text

        await _until(is_delivered, "what became of the notice")
        acted = await http.post(f"{board}/alerts/{alert_id}/acknowledge", json={"by": "lea"})
        assert acted.status_code == 200, acted.text
        assert acted.json()["acknowledged_by"] == "lea"


async def _until_ready(addresses: dict[str, str]) -> None:
    async with httpx.AsyncClient() as http:

        async def are_ready() -> bool:
            try:
                answers = [await http.get(f"http://{each}/health/ready") for each in addresses.values()]
            except httpx.TransportError:
                return False
            return all(each.status_code == 200 for each in answers)

        await _until(are_ready, "every service is ready")


async def _until(is_so: Callable[[], Any], what: str) -> None:
    begun_s = time.monotonic()
    while not await is_so():
        assert time.monotonic() - begun_s < PATIENCE_S, what
        await asyncio.sleep(0.05)

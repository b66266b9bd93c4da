"""The list of adapters, and what the end of one means."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from schemas.config import SourceConfig
from services.ingest import sources
from services.ingest.metrics import Metrics
from services.ingest.report import Report
from services.ingest.tools import Tools
from services.runtime.clock import now_ms
from tests.doubles.event_log import MemoryLog
from tests.unit.ingest.posts import PSEUDONYMS, entered, taken

SOURCE = SourceConfig(id="brief", kind="http")


async def says_one_thing_and_ends(source: SourceConfig, tools: Tools) -> None:
    await tools.put([taken(entered(source=source.id)).event])


def tools_of(log: MemoryLog, stop: asyncio.Event) -> Tools:
    metrics = Metrics(CollectorRegistry(), sources=["brief"])
    report = Report(SOURCE, metrics=metrics, clock=now_ms)
    return Tools(put=log.send, send=log.send, pseudonyms=PSEUDONYMS, report=report, stop=stop)


async def run(log: MemoryLog, stop: asyncio.Event) -> None:
    await sources.run(SOURCE, tools_of(log, stop))


async def test_source_that_ends_by_itself_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.ADAPTERS, "http", sources.Adapter(run=says_one_thing_and_ends))
    log = MemoryLog()
    with pytest.raises(ExceptionGroup, match="unhandled") as raised:
        await run(log, asyncio.Event())
    assert "brief ended by itself" in str(raised.value.exceptions[0])
    assert [event.source for event in log.events] == ["brief"]


async def test_source_that_was_told_to_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.ADAPTERS, "http", sources.Adapter(run=says_one_thing_and_ends))
    stop = asyncio.Event()
    stop.set()
    await run(MemoryLog(), stop)


def test_sources_that_post_have_no_adapter() -> None:
    pbx = SourceConfig(id="pbx1", kind="asterisk_ami")
    assert sources.adapted([SOURCE, pbx]) == [pbx]


def pbx(id_: str, host: str = "10.0.0.1", **more: str) -> SourceConfig:
    return SourceConfig(id=id_, kind="asterisk_ami", host=host, **more)  # type: ignore[arg-type] # real fields


@pytest.mark.parametrize(
    ("configured", "systems"),
    [
        pytest.param([pbx("a"), pbx("b")], [None, None], id="two managers of one"),
        pytest.param([pbx("a"), pbx("b", "10.0.0.2")], [None, "10.0.0.2:5038"], id="two"),
        pytest.param(
            [pbx("a", site="lyon"), pbx("b", "10.0.0.2", site="paris")], [None, None], id="a site each"
        ),
        pytest.param(
            [pbx("a"), pbx("b", "10.0.0.2", system="new"), pbx("c", "10.0.0.2")],
            [None, "new", "new"],
            id="named for its address",
        ),
        pytest.param(
            [pbx("a", system="old"), pbx("b", "10.0.0.2", system="old"), pbx("c", "10.0.0.3")],
            ["old", "old", None],
            id="one at two addresses",
        ),
        pytest.param([pbx("a", system="x"), pbx("b", system="y")], ["x", "y"], id="two behind one address"),
    ],
)
def test_sources_of_one_system_agree_and_two_systems_differ(
    configured: list[SourceConfig], systems: list[str | None]
) -> None:
    assert [source.system for source in sources.adapted(configured)] == systems


@pytest.mark.parametrize(
    ("configured", "kinds"),
    [
        pytest.param([pbx("a"), pbx("b")], {"asterisk_ami"}, id="of the one Asterisk"),
        pytest.param([pbx("a", "10.0.0.2"), pbx("b")], {"asterisk_ami"}, id="of the first of two"),
        pytest.param([], set(), id="alone"),
        pytest.param([pbx("a", site="lyon")], set(), id="of another site"),
        pytest.param([pbx("a", system="x"), pbx("b", "10.0.0.2")], {"asterisk_ami"}, id="of the unnamed"),
    ],
)
def test_a_queue_log_knows_whether_ami_speaks_for_its_asterisk_too(
    configured: list[SourceConfig], kinds: set[str]
) -> None:
    log = SourceConfig(id="log", kind="asterisk_queue_log", file="queue_log")
    adapted = sources.adapted([*configured, log])

    assert sources.peer_kinds(adapted[-1], adapted) == kinds


def test_a_queue_log_of_another_asterisk_than_that_of_the_manager_is_alone() -> None:
    log = SourceConfig(id="log", kind="asterisk_queue_log", file="queue_log", system="old")
    adapted = sources.adapted([pbx("a"), log])

    assert sources.peer_kinds(adapted[1], adapted) == frozenset()
    assert [peer.id for peer in sources.peers(adapted[1], adapted)] == ["log"]

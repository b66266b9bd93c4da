"""The one list of adapters: which kind of source is run by what, for which system it speaks.

A new source touches its folder under `adapters/`, its tests, its page in `docs/sources/` and this list.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from schemas.config import SourceConfig, SourceKind
from services.ingest.adapters.amazon_connect import connect as amazon_connect
from services.ingest.adapters.amazon_connect import receiver as amazon_connect_receiver
from services.ingest.adapters.amazon_connect import recording as amazon_connect_recording
from services.ingest.adapters.asterisk_ami import connect as asterisk_ami
from services.ingest.adapters.asterisk_ami import recording as asterisk_ami_recording
from services.ingest.adapters.asterisk_queue_log import connect as asterisk_queue_log
from services.ingest.adapters.asterisk_queue_log import recording as asterisk_queue_log_recording
from services.ingest.adapters.chatwoot import connect as chatwoot
from services.ingest.adapters.file import connect as file
from services.ingest.adapters.file import translate as file_rows
from services.ingest.adapters.freeswitch_esl import connect as freeswitch_esl
from services.ingest.adapters.freeswitch_esl import recording as freeswitch_esl_recording
from services.ingest.adapters.genesys_cloud import connect as genesys_cloud
from services.ingest.adapters.genesys_cloud import receiver as genesys_cloud_receiver
from services.ingest.adapters.genesys_cloud import recording as genesys_cloud_recording
from services.ingest.adapters.imap import connect as imap
from services.ingest.adapters.imap import recording as imap_recording
from services.ingest.adapters.kafka import connect as kafka
from services.ingest.adapters.kafka import translate as kafka_records
from services.ingest.adapters.rocketchat import connect as rocketchat
from services.ingest.adapters.twilio_taskrouter import connect as twilio_taskrouter
from services.ingest.adapters.twilio_taskrouter import recording as twilio_taskrouter_recording
from services.ingest.receiving import Receiver
from services.ingest.tools import Tools
from services.ingest.translated import Read
from services.ingest.webhooks import Hook


class Run(Protocol):
    """Talks to one source until told to stop; reconnects by itself; what it learns it hands on."""

    async def __call__(self, source: SourceConfig, tools: Tools) -> None: ...


class Adapter(Struct, frozen=True, kw_only=True):
    """How one kind of source is heard: we go to it (`run`), or it comes to us (`receiver`), or both.

    `pulls`: whether we go to a source with these settings; left out: to each that has a `run`. `is_either`:
    one that we go to does not come to us too, for its secret is that of the way there. `read` translates a
    recorded capture of it.
    """

    run: Run | None = None
    pulls: Callable[[SourceConfig], bool] | None = None
    is_either: bool = False
    receiver: Callable[[SourceConfig, Tools], Receiver] | None = None
    read: Read | None = None


ADAPTERS: dict[SourceKind, Adapter] = {
    "amazon_connect": Adapter(
        run=amazon_connect.run,
        pulls=amazon_connect.pulls,
        receiver=amazon_connect_receiver.Receiver,
        read=amazon_connect_recording.read,
    ),
    "asterisk_ami": Adapter(run=asterisk_ami.run, read=asterisk_ami_recording.read),
    "asterisk_queue_log": Adapter(run=asterisk_queue_log.run, read=asterisk_queue_log_recording.read),
    "chatwoot": Adapter(receiver=chatwoot.Receiver, read=chatwoot.read),
    "file": Adapter(run=file.run, read=file_rows.read),
    "freeswitch_esl": Adapter(run=freeswitch_esl.run, read=freeswitch_esl_recording.read),
    "genesys_cloud": Adapter(
        run=genesys_cloud.run,
        pulls=genesys_cloud.pulls,
        receiver=genesys_cloud_receiver.Receiver,
        read=genesys_cloud_recording.read,
        is_either=True,
    ),
    "imap": Adapter(run=imap.run, read=imap_recording.read),
    "kafka": Adapter(run=kafka.run, read=kafka_records.read),
    "rocketchat": Adapter(receiver=rocketchat.Receiver, read=rocketchat.read),
    "twilio_taskrouter": Adapter(receiver=twilio_taskrouter.Receiver, read=twilio_taskrouter_recording.read),
}
"""By `kind` of `[[sources]]`. Kind `http` has none: it posts events of ours."""

ASTERISK = frozenset({"asterisk_ami", "asterisk_queue_log"})
"""Kinds that speak of one system's contacts by the same names."""


def adapted(sources: Sequence[SourceConfig]) -> list[SourceConfig]:
    """The sources that an adapter must run, each with its `system`."""
    found = [source for source in sources if source.kind in ADAPTERS]
    return [msgspec.structs.replace(source, system=_system(source, found)) for source in found]


def peers(source: SourceConfig, all_: Sequence[SourceConfig]) -> list[SourceConfig]:
    """The adapted sources that speak for the same system, itself among them."""
    same = (source.site, _family(source), source.system)
    return [each for each in all_ if (each.site, _family(each), each.system) == same]


def peer_kinds(source: SourceConfig, all_: Sequence[SourceConfig]) -> frozenset[SourceKind]:
    """The kinds of the others of them."""
    return frozenset(each.kind for each in peers(source, all_) if each.id != source.id)


def runner(source: SourceConfig) -> Run | None:
    """What goes to the source; None for one that only comes to us."""
    adapter = ADAPTERS[source.kind]
    return adapter.run if adapter.pulls is None or adapter.pulls(source) else None


def hook(source: SourceConfig, tools: Tools) -> Hook | None:
    """Where the source's webhooks are taken; None for one that sends none: also where we go to it, and
    nobody could be let in.
    """
    adapter, is_closed = ADAPTERS[source.kind], not (tools.secret or source.allow_unsigned)
    if adapter.pulls is not None and adapter.pulls(source) and (is_closed or adapter.is_either):
        return None
    receiver = adapter.receiver
    return Hook(source, receiver(source, tools), tools) if receiver is not None else None


async def run(source: SourceConfig, tools: Tools, *, hook: Hook | None = None) -> None:
    """Runs the source until told to stop; raises when it ends before, which ends the process."""
    work = runner(source)
    async with asyncio.TaskGroup() as tasks:
        attending = [tasks.create_task(hook.attend())] if hook is not None else []
        if work is not None:
            await work(source, tools)
        else:
            await tools.stop.wait()
        if not tools.stop.is_set():
            raise RuntimeError(f"source {source.id} ended by itself")
        for task in attending:
            task.cancel()
    tools.report.stopped()


def _family(source: SourceConfig) -> str:
    return "asterisk" if source.kind in ASTERISK else source.kind


def _system(source: SourceConfig, all_: Sequence[SourceConfig]) -> str | None:
    """As set; left out, a source is a system of its own, called by its id.

    Asterisks have theirs by address: as set for another source at the same one; else the first address of
    the site has none and any other is called by itself (docs/decisions/0008). A queue_log, which has no
    address, is that of the first.
    """
    if source.kind not in ASTERISK:
        return source.system or source.id
    here = [each for each in all_ if each.site == source.site and each.kind in ASTERISK]
    at = [each for each in here if each.kind == "asterisk_ami"]
    named = {_address(each): each.system for each in reversed(at) if each.system is not None}
    first = next((_address(each) for each in at if _address(each) not in named), None)
    if source.kind == "asterisk_queue_log":
        only = next(iter(named.values())) if named and first is None else None
        return source.system or only
    address = _address(source)
    return source.system or named.get(address) or (None if address == first else address)


def _address(source: SourceConfig) -> str:
    return f"{source.host}:{source.port_in_force}"

"""Keeps one Asterisk connected: opens the line, and what was told before is read back from the log.

Until that is known no frame is translated, for nobody could say whose visit it is about, or who has left
unseen. The translator outlives the losses of the line: snapshots are compared with it.
"""

import asyncio

from schemas.config import SourceConfig
from schemas.errors import Misconfigured
from services.ingest.adapters.asterisk_ami.frames import action
from services.ingest.adapters.asterisk_ami.session import Pace, Session
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.line import Patience, connected, keep, until_stopped
from services.ingest.tools import Tools

TRIAL = Pace(quiet_s=3.0)
"""For `vigie source test`: who asks whether it works does not wait a minute."""


async def run(
    source: SourceConfig, tools: Tools, *, pace: Pace | None = None, patience: Patience | None = None
) -> None:
    """Talks to the source until told to stop. Raises `Misconfigured` when user or secret cannot be sent."""
    _check(source, tools.secret)
    pace = pace or (TRIAL if tools.is_trial else Pace())
    translator = Translator(source, tools.pseudonyms)
    recalled = asyncio.Event()

    async def talk() -> None:
        session = Session(
            source,
            streams=await connected(source.host, source.port_in_force, within_s=pace.connect_s),
            translator=translator,
            put=tools.put,
            report=tools.report,
            pace=pace,
            recalled=recalled,
        )
        try:
            await session.run(tools.secret)
        finally:
            await session.close()

    async def recall() -> None:
        await tools.recall(translator.recall)
        translator.go_on()
        recalled.set()

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(recall())
            tasks.create_task(keep(talk, report=tools.report, patience=patience or Patience()))

    await until_stopped(work(), report=tools.report, stop=tools.stop)


def _check(source: SourceConfig, secret: str) -> None:
    try:
        action("Login", {"Username": source.user or "", "Secret": secret})
    except ValueError as error:
        raise Misconfigured(f"[[sources]] {source.id}: user or secret holds a line end") from error

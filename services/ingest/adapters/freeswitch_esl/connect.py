"""Keeps one FreeSWITCH connected: opens the line, and what was told before is read back from the log.

Until that is known no event is translated, for nobody could say who has left unseen. The translator outlives
the losses of the line: snapshots are compared with it.
"""

import asyncio

from schemas.config import SourceConfig
from schemas.errors import Misconfigured
from services.ingest.adapters.freeswitch_esl.dialogue import Dialogue
from services.ingest.adapters.freeswitch_esl.frames import command
from services.ingest.adapters.freeswitch_esl.session import Pace, Session
from services.ingest.adapters.freeswitch_esl.translate import Translator
from services.ingest.line import Patience, connected, keep, until_stopped
from services.ingest.tools import Tools

DEFAULT_PASSWORD = "ClueCon"


async def run(
    source: SourceConfig, tools: Tools, *, pace: Pace | None = None, patience: Patience | None = None
) -> None:
    """Talks to the source until told to stop. Raises `Misconfigured` for a secret that may not be sent."""
    _check(source, tools.secret)
    pace = pace or Pace()
    translator = Translator(source, tools.pseudonyms)
    recalled = asyncio.Event()

    async def talk() -> None:
        dialogue = Dialogue(
            source,
            await connected(source.host, source.port_in_force, within_s=pace.connect_s),
            answer_s=pace.answer_s,
        )
        session = Session(
            dialogue,
            translator=translator,
            put=tools.put,
            report=tools.report,
            pace=pace,
            recalled=recalled,
        )
        try:
            await session.run(tools.secret)
        finally:
            await dialogue.close()

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
    """With the password that every FreeSWITCH comes with, anybody who reaches it may place calls."""
    if secret == DEFAULT_PASSWORD:
        raise Misconfigured(
            f"[[sources]] {source.id}: the secret is {DEFAULT_PASSWORD}, which FreeSWITCH comes with and "
            "everybody knows: change `password` in event_socket.conf.xml, `reload mod_event_socket`, and "
            "set the secret to the new one"
        )
    try:
        command(f"auth {secret}")
    except ValueError as error:
        raise Misconfigured(f"[[sources]] {source.id}: the secret holds a line end") from error

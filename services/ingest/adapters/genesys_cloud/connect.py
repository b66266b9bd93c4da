"""Keeps one Genesys Cloud connected: what was told before is read back, then it is talked to, for ever.

The translator outlives the losses of the connection: what is open is compared with what it knows.
"""

import aiohttp

from schemas.config import SourceConfig
from services.ingest.adapters.genesys_cloud.pace import Pace
from services.ingest.adapters.genesys_cloud.session import Session
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.line import Patience, keep, until_stopped
from services.ingest.tools import Tools


def pulls(source: SourceConfig) -> bool:
    """Whether we go to Genesys Cloud: an OAuth client is named. Else EventBridge comes to us."""
    return source.user is not None


async def run(
    source: SourceConfig, tools: Tools, *, pace: Pace | None = None, patience: Patience | None = None
) -> None:
    """Talks to the source until told to stop."""
    translator = Translator(source, tools.pseudonyms, is_pulled=True)
    patience = patience or Patience()

    async def talk() -> None:
        async with aiohttp.ClientSession(trust_env=True) as http:
            session = Session(source, tools, http=http, translator=translator, pace=pace or Pace())
            try:
                await session.run()
            finally:
                await session.close()

    async def work() -> None:
        await tools.recall(translator.recall)
        await keep(talk, report=tools.report, patience=patience)

    await until_stopped(work(), report=tools.report, stop=tools.stop)

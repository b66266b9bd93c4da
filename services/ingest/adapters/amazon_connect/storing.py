"""From what was read to the log, and only then on: for whoever must not take away what is not stored yet."""

import asyncio
import random

from schemas.board import DeadLetter
from schemas.errors import Unavailable
from schemas.vocabulary import Reason
from services.ingest.handover import messages_of
from services.ingest.line import Patience, delay_s
from services.ingest.tools import Tools
from services.ingest.translated import Translated


async def store(found: Translated, tools: Tools, *, patience: Patience) -> None:
    """All of it is in the log when this returns, however long that is away."""
    messages = messages_of(found, report=tools.report, now_ms=tools.clock())
    attempt = 1
    while True:
        try:
            await tools.send(messages)
        except Unavailable:
            await asyncio.sleep(delay_s(attempt, patience=patience, draw=random.random()))
            attempt += 1
        else:
            break
    tools.report.handed_on(messages)
    letters = sum(isinstance(message, DeadLetter) for message in messages)
    tools.report.count(Reason.ACCEPTED, len(messages) - letters)

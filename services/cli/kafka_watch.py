"""Watches the embedded Kafka while it runs: one that lives without answering is ended, and so started again.

One that dies is the supervisor's matter (`supervise.py`); a cluster of the user's is the user's.
"""

import asyncio

import structlog

from services.cli import broker
from services.cli.supervise import Supervisor

EVERY_S = 5.0
PATIENCE_S = 60.0
"""Silent for so long, it is ended. A busy disk may hold Kafka up for some seconds."""

_ANSWER_S = 5.0
log = structlog.get_logger()


async def watch(
    bootstrap: str, supervisor: Supervisor, *, every_s: float = EVERY_S, patience_s: float = PATIENCE_S
) -> None:
    """Asks Kafka for its brokers again and again, until it is cancelled."""
    clock = asyncio.get_running_loop().time
    life, heard_s, is_told = supervisor.starts("kafka"), clock(), False
    while True:
        await asyncio.sleep(every_s)
        if await _answers(bootstrap):
            if is_told:
                log.info("kafka_answers_again", after_s=round(clock() - heard_s))
            life, heard_s, is_told = supervisor.starts("kafka"), clock(), False
        elif supervisor.starts("kafka") != life:  # a new one: it has its own time
            life, heard_s = supervisor.starts("kafka"), clock()
        elif clock() - heard_s > patience_s:
            log.error("kafka_silent", for_s=round(clock() - heard_s), action="ended, to be started again")
            supervisor.end("kafka")
            is_told, heard_s = True, clock()
        elif not is_told and clock() - heard_s > 2 * every_s:
            is_told = True
            log.warning("kafka_silent", for_s=round(clock() - heard_s), patience_s=patience_s)


async def _answers(bootstrap: str) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await broker.answers(bootstrap)
    except TimeoutError:
        return False

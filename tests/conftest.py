"""What tests share: a real Kafka on free ports, in a folder that is gone afterwards."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from schemas.config import KafkaConfig
from services.cli.broker import EmbeddedBroker
from services.cli.topics import declare

# The same examples at every run, so that what was green stays green; `VIGIE_EXPLORE=1 make test` (or a
# night of it) looks for new ones.
# A machine that does much else makes examples slowly; that says nothing of the code.
_SLOW = [HealthCheck.too_slow]
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=_SLOW)
settings.register_profile("explore", deadline=None, suppress_health_check=_SLOW)
settings.load_profile("explore" if os.environ.get("VIGIE_EXPLORE") else "steady")


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """host:port of one Kafka for the whole run, with Vigie's topics. Nobody stops or restarts it."""
    with _running() as kafka:
        yield kafka.bootstrap


@pytest.fixture
def own_broker() -> Iterator[EmbeddedBroker]:
    """A Kafka of this test alone, with Vigie's topics, empty; it may be stopped, killed and started."""
    with _running() as kafka:
        yield kafka


class _running:
    """A broker with its topics, in a temporary folder."""

    def __enter__(self) -> EmbeddedBroker:
        self._folder = tempfile.TemporaryDirectory(prefix="vigie-kafka-", ignore_cleanup_errors=True)
        self._broker = EmbeddedBroker(Path(self._folder.name))
        self._broker.start()
        asyncio.run(declare(self._broker.bootstrap, KafkaConfig().partitions))
        return self._broker

    def __exit__(self, *_: object) -> None:
        self._broker.close()
        self._folder.cleanup()

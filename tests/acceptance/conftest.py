"""One centre for the whole folder; after each test nobody may have been told what it did not expect."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.acceptance.centre import SETTLED_S, Centre, running_centre


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """The whole system, started once. Who hurts it leaves it well."""
    with running_centre(tmp_path_factory.mktemp("acceptance")) as started:
        yield started


@pytest_asyncio.fixture
async def centre(whole: Centre) -> AsyncIterator[Centre]:
    """The centre, well at the beginning, and strict at the end."""
    await whole.well()
    yield whole
    await asyncio.sleep(SETTLED_S)
    unclaimed = whole.unclaimed()
    for lead in whole.leads.values():
        lead.forget()
    assert unclaimed == []

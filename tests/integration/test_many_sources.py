"""Several sources at once on three sites, in short: the board shows what they told, and verify agrees."""

from pathlib import Path

import pytest

from tests.many_sources.running import run

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]


def test_what_several_sources_tell_at_once_is_on_the_board_and_nothing_else(tmp_path: Path) -> None:
    assert run(25, 3, tmp_path, print) == []

"""What is declared, and what is refused, by tables."""

import pytest

from schemas.topics import EVENTS, STATE, TOPICS
from services.cli.topics import differences, settings_to_align


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        ({}, []),
        ({topic.name: 4 for topic in TOPICS}, []),
        ({"vigie.events": 4, "somebody.elses": 1}, []),
        ({"vigie.events": 3}, ["topic vigie.events: has 3 partitions, [kafka] partitions is 4"]),
        (
            {"vigie.state": 8, "vigie.events": 8, "vigie.alerts": 4},
            [
                "topic vigie.events: has 8 partitions, [kafka] partitions is 4",
                "topic vigie.state: has 8 partitions, [kafka] partitions is 4",
            ],
        ),
    ],
)
def test_topics_of_other_partition_counts_are_all_named(found: dict[str, int], faults: list[str]) -> None:
    assert differences(4, found) == faults


def test_only_settings_that_differ_are_changed() -> None:
    assert settings_to_align(EVENTS, {**EVENTS.settings, "other.setting": "1"}) == {}
    assert settings_to_align(EVENTS, {**EVENTS.settings, "retention.ms": "-1"}) == {
        "retention.ms": EVENTS.settings["retention.ms"]
    }
    assert settings_to_align(STATE, {}) == STATE.settings

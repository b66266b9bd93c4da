"""The independent fold of queue_log, by hand on lines of every kind of exit."""

import pytest

from tests.oracle.queue_log import Contact, fold

ENTER = "1700000100|1.1|support|NONE|ENTERQUEUE||+15550100001|1"


@pytest.mark.parametrize(
    ("exit_line", "outcome", "agent", "wait_s"),
    [
        ("1700000118|1.1|support|Agent 3|CONNECT|18|1.13|2", "answered", "Agent 3", 18),
        ("1700000120|1.1|support|NONE|ABANDON|1|2|20", "abandoned", None, 20),
        ("1700000160|1.1|support|NONE|EXITWITHTIMEOUT|2|3|60", "timeout", None, 60),
        ("1700000112|1.1|support|NONE|EXITWITHKEY|5|1|1|12", "key", None, 12),
        ("1700000101|1.1|support|NONE|EXITEMPTY|1|1|1", "empty", None, 1),
        ("1700000110|1.1|support|NONE|WITHDRAW|1|1|10|callback", "withdrawn", None, 10),
    ],
)
def test_each_exit_ends_the_visit(exit_line: str, outcome: str, agent: str | None, wait_s: int) -> None:
    assert fold([ENTER, exit_line]) == [
        Contact("1.1", "support", 1_700_000_100, outcome, agent, wait_s, talk_s=None)
    ]


def test_rings_pauses_and_other_callers_change_nothing() -> None:
    lines = [
        "1700000000|NONE|NONE|NONE|QUEUESTART|",
        ENTER,
        "1700000115|1.1|support|PJSIP/1001|RINGNOANSWER|15000",
        "1700000116|NONE|support|Alice|PAUSE|Lunch",
        "1700000117|9.9|support|NONE|ABANDON|1|2|20",
        "broken",
    ]

    assert fold(lines) == [Contact("1.1", "support", 1_700_000_100)]


def test_a_restart_ends_nothing_that_can_be_known() -> None:
    lines = [ENTER, "1700000110|NONE|NONE|NONE|QUEUESTART|", "1700000120|1.1|support|NONE|ABANDON|1|2|20"]

    assert fold(lines) == [Contact("1.1", "support", 1_700_000_100)]


def test_the_same_queue_entered_again_is_another_visit() -> None:
    lines = [
        ENTER,
        "1700000112|1.1|support|NONE|EXITWITHKEY|5|1|1|12",
        "1700000130|1.1|support|NONE|ENTERQUEUE|||1",
        "1700000140|1.1|support|Alice|CONNECT|10|1.2|2",
        "1700000199|1.1|support|Alice|COMPLETEAGENT|10|59|1",
    ]

    assert [(c.entered_s, c.outcome, c.talk_s) for c in fold(lines)] == [
        (1_700_000_100, "key", None),
        (1_700_000_130, "answered", 59),
    ]

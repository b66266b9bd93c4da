"""Episodes of too long a wait: by hand, and against a clock that looks at every instant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Config, FlapConfig
from schemas.events import QueueEntered, QueueLeft
from schemas.vocabulary import Channel, Outcome
from tests.oracle.episodes import alert_id, episodes, flapping_joined, longest_wait_ms, wait_alerts
from tests.oracle.telling import Log

LIMIT, CLEAR = 12, 9
Visits = list[tuple[int, int | None]]
Episodes = list[tuple[int, int | None]]

# (what, visits, episodes until 100)
WORKED: list[tuple[str, Visits, Episodes]] = [
    ("nobody", [], []),
    ("left before the limit", [(0, 11)], []),
    ("left exactly at the limit", [(0, 12)], []),
    ("left just after", [(0, 13)], [(12, 13)]),
    ("still waiting", [(0, None)], [(12, None)]),
    ("crosses after the end", [(95, None)], []),
    ("crosses at the end", [(88, None)], [(88 + 12, None)]),
    ("one episode while another passes the limit", [(0, 20), (5, 22)], [(12, 22)]),
    ("the next one waits below the clear value", [(0, 20), (12, 40)], [(12, 20), (24, 40)]),
    ("the next one waits exactly the clear value", [(0, 20), (11, 40)], [(12, 40)]),
    ("two apart", [(0, 15), (50, 70)], [(12, 15), (62, 70)]),
    ("another crosses as the first leaves", [(0, 15), (3, 30)], [(12, 30)]),
]


@pytest.mark.parametrize(("visits", "expected"), [w[1:] for w in WORKED], ids=[w[0] for w in WORKED])
def test_worked_examples(visits: Visits, expected: Episodes) -> None:
    assert episodes(visits, LIMIT, CLEAR, until_ms=100) == expected


def looked_at_every_instant(visits: Visits, until_ms: int) -> Episodes:
    found: Episodes = []
    crossed: int | None = None
    for at in range(until_ms + 1):
        longest = longest_wait_ms(visits, at)
        if crossed is not None and longest < CLEAR:
            found.append((crossed, at))
            crossed = None
        if crossed is None and longest >= LIMIT:
            crossed = at
    return found if crossed is None else [*found, (crossed, None)]


stays = st.tuples(st.integers(0, 60), st.none() | st.integers(0, 40)).map(
    lambda v: (v[0], None if v[1] is None else v[0] + v[1])
)


@given(st.lists(stays, max_size=6))
def test_episodes_are_those_that_a_watch_of_every_instant_sees(visits: Visits) -> None:
    assert episodes(visits, LIMIT, CLEAR, until_ms=100) == looked_at_every_instant(visits, 100)


# (what, episodes, alerts at two others within 20 ms, until 100)
JOINED: list[tuple[str, Episodes, Episodes]] = [
    ("two are two", [(10, 11), (12, 13)], [(10, 11), (12, 13)]),
    ("the third lasts until it is calm", [(10, 11), (12, 13), (14, 15)], [(10, 11), (12, 13), (14, 34)]),
    (
        "what begins meanwhile is part of it and begins the calm anew",
        [(10, 11), (12, 13), (14, 15), (33, 34)],
        [(10, 11), (12, 13), (14, 53)],
    ),
    (
        "what begins once it is calm is another",
        [(10, 11), (12, 13), (14, 15), (34, 36)],
        [(10, 11), (12, 13), (14, 34), (34, 36)],
    ),
    ("a long one ends by itself", [(10, 11), (12, 13), (14, 40)], [(10, 11), (12, 13), (14, 40)]),
    ("a long one that lasts", [(10, 11), (12, 13), (14, None)], [(10, 11), (12, 13), (14, None)]),
    ("not calm yet", [(80, 81), (82, 83), (84, 85)], [(80, 81), (82, 83), (84, None)]),
    ("too far apart", [(10, 11), (22, 23), (31, 32)], [(10, 11), (22, 23), (31, 32)]),
]


@pytest.mark.parametrize(("told", "expected"), [j[1:] for j in JOINED], ids=[j[0] for j in JOINED])
def test_episodes_that_flap_are_one_alert(told: Episodes, expected: Episodes) -> None:
    assert flapping_joined(told, FlapConfig(episodes=2, within_s=0.02), until_ms=100) == expected


def test_alert_id_is_the_hash_of_site_queue_rule_and_crossing() -> None:
    # printf 'paris|support|wait_over_two_minutes|1795321254000' | sha256sum
    assert alert_id("paris", "support", "wait_over_two_minutes", 1_795_321_254_000) == "aa6f95638df97047"


def test_alerts_of_a_history_follow_the_limit_of_each_queue() -> None:
    log = Log("paris")
    log.add(QueueEntered, 1000, contact="a", queue="phone")
    log.add(QueueLeft, 151_000, contact="a", queue="phone", outcome=Outcome.ABANDONED)
    log.add(QueueEntered, 2000, contact="b", queue="chat", channel=Channel.CHAT)
    found = wait_alerts(log.events, Config(), now_ms=400_000)
    assert [(e.queue, e.crossed_ms, e.resolved_ms) for e in found] == [
        ("chat", 302_000, None),
        ("phone", 121_000, 151_000),
    ]
    assert found[1].alert_id == alert_id("paris", "phone", "wait_over_two_minutes", 121_000)

"""When a supervised process starts again: every state with everything that may happen to it."""

import pytest

from services.cli import lives
from services.cli.lives import Life, State

NOW_S = 1000.0


@pytest.mark.parametrize(
    ("before", "happening", "after"),
    [
        (State.WAITING, "started", State.RUNNING),
        (State.WAITING, "died", State.WAITING),
        (State.WAITING, "told_to_end", State.ENDED),
        (State.RUNNING, "started", State.RUNNING),
        (State.RUNNING, "died", State.WAITING),
        (State.RUNNING, "told_to_end", State.STOPPING),
        (State.STOPPING, "started", State.STOPPING),
        (State.STOPPING, "died", State.ENDED),
        (State.STOPPING, "told_to_end", State.STOPPING),
        (State.ENDED, "started", State.ENDED),
        (State.ENDED, "died", State.ENDED),
        (State.ENDED, "told_to_end", State.ENDED),
    ],
)
def test_every_state_and_happening(before: State, happening: str, after: State) -> None:
    life = Life(state=before, started_s=NOW_S - 1)
    step = {
        "started": lambda: lives.started(life, NOW_S),
        "died": lambda: lives.died(life, NOW_S),
        "told_to_end": lambda: lives.told_to_end(life),
    }

    assert step[happening]().state is after


@pytest.mark.parametrize(
    ("deaths", "back_off_s"),
    [(1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1.6), (6, 2.0), (60, 2.0), (5000, 2.0)],
)
def test_back_off_doubles_up_to_two_seconds(deaths: int, back_off_s: float) -> None:
    assert lives.back_off_s(deaths) == pytest.approx(back_off_s)


def test_deaths_in_a_row_wait_longer_each_time() -> None:
    life, now_s, waits = Life(), NOW_S, []
    for _ in range(6):
        life = lives.died(lives.started(life, now_s), now_s + 0.5)
        waits.append(round(life.due_s - now_s - 0.5, 3))
        now_s = life.due_s

    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert (life.starts, life.deaths) == (6, 6)


def test_a_steady_life_forgets_earlier_deaths() -> None:
    life = Life(state=State.RUNNING, started_s=NOW_S, deaths=6, starts=7)

    assert lives.died(life, NOW_S + 10).deaths == 1
    assert lives.died(life, NOW_S + 9.9).deaths == 7


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (0, "exit code 0"),
        (1, "exit code 1"),
        (-9, "signal SIGKILL"),
        (-15, "signal SIGTERM"),
        (-99, "signal 99"),
    ],
)
def test_cause_names_the_code_or_the_signal(code: int, cause: str) -> None:
    assert lives.cause_of(code) == cause

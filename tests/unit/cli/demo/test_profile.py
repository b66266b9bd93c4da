"""The centre on paper, and the settings file that goes with it."""

from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from services.cli.demo import profile
from services.runtime import config

FILE = Path(profile.__file__).with_name("vigie.toml")
HOUR_MS = 3_600_000


def test_settings_file_names_the_queues_of_the_simulation() -> None:
    settings = config.load(FILE)
    assert settings.from_file
    assert settings.sources == []
    assert {(q.id, q.channel) for q in settings.queues} == {(q.id, q.channel) for q in profile.QUEUES}
    assert {q.site for q in settings.queues} == {profile.SITE}
    assert settings.site(profile.SITE).time_zone == profile.TIME_ZONE.key
    assert {q.team for q in settings.queues} <= {team.id for team in settings.teams}


def test_limits_of_the_settings_file() -> None:
    settings = config.load(FILE)
    limits = {q.id: q.wait_limit_in_force_s for q in settings.queues}
    assert limits == {
        "service-client": 120,
        "facturation": 120,
        "support-technique": 120,
        "ventes": 120,
        "chat": 300,
        "email": 172_800,
    }
    assert [rule.id for rule in settings.rules] == ["wait_over_two_minutes"]


def test_shares_are_those_of_a_whole() -> None:
    assert sum(queue.share for queue in profile.QUEUES) == pytest.approx(1)


def test_every_skill_is_a_queue_of_the_site() -> None:
    for person in profile.roster(12):
        assert set(person.queues) <= set(profile.BY_ID)
        assert len(set(person.queues)) == len(person.queues) >= 2


def test_hours_run_smoothly_around_midnight() -> None:
    steps = [profile.hour_factor(minute * 60_000) for minute in range(25 * 60)]
    assert max(abs(a - b) for a, b in pairwise(steps)) < 0.01
    assert 0.7 <= min(steps) <= max(steps) <= profile.BUSIEST


def test_people_follow_the_rate() -> None:
    few, many = (sum(profile.people_wanted(q, rate, factor=1) for q in profile.QUEUES) for rate in (12, 120))
    assert 50 <= few <= 70
    assert 9 * few <= many <= 11 * few


def test_durations_have_the_mean_asked_for() -> None:
    random = Random("durations")
    drawn = [profile.around_ms(random, 150) for _ in range(20_000)]
    assert mean(drawn) == pytest.approx(150_000, rel=0.03)

"""The words of notices."""

import pytest
from msgspec.structs import replace

from schemas.board import Lever
from schemas.config import HttpConfig, NoticesConfig, SiteConfig
from schemas.vocabulary import Notice
from services.notifier.core.text import duration, words
from tests.unit.api.rows import NOW, alert
from tests.unit.notifier.told import CENTRE

ENGLISH = replace(CENTRE, notices=NoticesConfig(lang="en"))
CROSSED_MS = NOW - 3_000  # 04:20:51 UTC, 05:20 in Paris
WAITING = alert(
    value=125.3,
    waiting=9,
    crossed_ms=CROSSED_MS,
    lever=Lever(kind="help_from", team="n2", queue="support", available=4),
    acknowledged_by="Léa",
    resolved_ms=CROSSED_MS + 200_000,
    snoozed_until_ms=NOW + 600_000,
)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (
            Notice.FIRED,
            "plus de 2 min d’attente depuis 05:20 ; 9 en attente, la plus longue 2 min 05 s ; "
            "4 disponibles sur Support N1",
        ),
        (
            Notice.ACKNOWLEDGED,
            "pris en charge par Léa ; plus de 2 min d’attente depuis 05:20 ; 9 en attente, la plus longue "
            "2 min 05 s ; 4 disponibles sur Support N1",
        ),
        (
            Notice.SNOOZED,
            "en veille jusqu’à 05:30 ; plus de 2 min d’attente depuis 05:20 ; 9 en attente, la plus longue "
            "2 min 05 s ; 4 disponibles sur Support N1",
        ),
        (
            Notice.SUPPRESSED,
            "données figées, alerte suspendue ; plus de 2 min d’attente depuis 05:20",
        ),
        (
            Notice.RESOLVED,
            "retour à la normale après 3 min 20 s ; plus de 2 min d’attente depuis 05:20",
        ),
        (Notice.WITHDRAWN, "alerte retirée (règle ou file supprimée, ou file fermée)"),
    ],
)
def test_a_line_says_what_since_when_how_many_and_where_hands_are_free(notice: Notice, line: str) -> None:
    assert plain(words(WAITING, notice, CENTRE).line) == f"Support N1 : {line}"


def test_in_english() -> None:
    assert plain(words(WAITING, Notice.FIRED, ENGLISH).line) == (
        "Support N1: a wait above 2 min since 05:20; 9 waiting, the longest 2 min 05 s; "
        "4 available on Support N1"
    )
    assert plain(words(replace(WAITING, reason="corrected"), Notice.RESOLVED, ENGLISH).line) == (
        "Support N1: alert taken back, a fact known since shows that it was not due"
    )


def test_other_metrics_are_told_with_value_and_limit() -> None:
    level = replace(WAITING, metric="service_level", value=0.623, threshold=0.7, lever=None)
    free = replace(level, metric="agents.available", value=0, threshold=1)

    assert plain(words(level, Notice.FIRED, CENTRE).line) == (
        "Support N1 : taux de service 62 % (limite 70 %) depuis 05:20 ; 9 en attente"
    )
    assert plain(words(free, Notice.FIRED, ENGLISH).line) == (
        "Support N1: agents available 0 (limit 1) since 05:20; 9 waiting"
    )
    unheard_of = replace(level, metric="handle_s", value=None, threshold=15)
    assert plain(words(unheard_of, Notice.FIRED, ENGLISH).line) == (
        "Support N1: handle_s – (limit 15 s) since 05:20; 9 waiting"
    )


def test_an_alert_on_the_system_itself_names_its_source() -> None:
    silent = replace(
        WAITING, queue="", source="pbx1", metric="source_age_s", value=16.0, waiting=None, lever=None
    )
    lost = replace(silent, source="vigie.events", metric="events_missed", value=None)

    assert plain(words(silent, Notice.FIRED, CENTRE).line) == "Paris : la source pbx1 se tait depuis 05:20"
    assert words(lost, Notice.FIRED, ENGLISH).subject == "Paris: events are missing from vigie.events"
    refused = replace(silent, source="lea/webhook", metric="notice_tries", value=64)
    assert words(refused, Notice.FIRED, ENGLISH).subject == "Paris: nobody could be told by lea/webhook"


def test_the_site_is_named_where_there_are_several() -> None:
    two = replace(CENTRE, sites=[*CENTRE.sites, SiteConfig(id="lyon")])

    assert plain(words(WAITING, Notice.WITHDRAWN, two).line).startswith("Support N1 (Paris) : ")


def test_an_instant_of_another_day_says_which() -> None:
    old = replace(WAITING, crossed_ms=CROSSED_MS - 2 * 86_400_000)

    assert " depuis 20/11 05:20" in plain(words(old, Notice.FIRED, CENTRE).line)


def test_the_subject_is_the_same_for_the_whole_episode() -> None:
    later = replace(WAITING, value=300.0, waiting=12, lever=None)

    subjects = {words(each, notice, CENTRE).subject for each in (WAITING, later) for notice in Notice}
    assert [plain(subject) for subject in subjects] == ["Support N1 : plus de 2 min d’attente"]


def test_names_from_outside_stay_on_their_line() -> None:
    forged = words(replace(WAITING, queue="q\r\nBcc: all@x.test"), Notice.FIRED, CENTRE)

    assert "\n" not in forged.line + forged.subject
    assert "\r" not in forged.line + forged.subject


def test_the_link_leads_to_the_queue_on_the_board() -> None:
    assert words(WAITING, Notice.FIRED, CENTRE).board_url == (
        "http://127.0.0.1:8080/?site=paris&queues=support"
    )
    proxied = replace(CENTRE, http=HttpConfig(board_url="https://wall.test/?lang=en"))
    odd = replace(WAITING, queue="a&b c")
    assert words(odd, Notice.FIRED, proxied).board_url == (
        "https://wall.test/?lang=en&site=paris&queues=a%26b+c"
    )


def test_a_mail_says_severity_note_and_link_too() -> None:
    noted = replace(WAITING, note="je prends")

    lines = plain(words(noted, Notice.ACKNOWLEDGED, CENTRE).body).splitlines()
    assert lines[2:] == [
        "Gravité : critique",
        "Note : je prends",
        "Tableau : http://127.0.0.1:8080/?site=paris&queues=support",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (120, "2 min"),
        (125.3, "2 min 05 s"),
        (3600, "1 h"),
        (3900, "1 h 05 min"),
        (172_800, "2 × 24 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert plain(duration(seconds)) == text

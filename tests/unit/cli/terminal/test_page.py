"""The board as text, by tables: states, columns, widths, alerts."""

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.board import Backlog, QueueRow, Ratio
from schemas.vocabulary import AlertState, Freshness, Severity, WindowName
from services.cli.terminal.frames import Picture
from services.cli.terminal.page import render
from services.cli.terminal.states import State, state_of
from services.cli.terminal.words import columns_of
from tests.unit.cli.terminal.rows import NOW_MS, alert, picture, queue, silent, site, window

CALM = queue("service-client", label="Service client")
BUSY = queue("facturation", label="Facturation", waiting=9, waits_s=132)


def text(shown: Picture, *, width: int = 120, now_ms: int = NOW_MS, colour: bool = False) -> str:
    return render(shown, width=width, now_ms=now_ms, colour=colour)


def test_whole_board() -> None:
    mails = queue(
        "email", label="E-mail", waiting=38, waits_s=61_920, seen=replace(window(), abandonment=None)
    )
    shown = picture(CALM, BUSY, mails, alerts=(alert("facturation"),))
    assert text(shown) == (
        "lyon  Live, 1 s  window 15m  12:00:00\n"
        "\n"
        "state       queue           waiting  longest             service  abandoned   ASA  free  age\n"
        "○ Normal    Service client        2     0:48  83%  60/72 in 20 s   4%  3/72  0:14     4  1 s\n"
        "■ Critical  Facturation           9     2:12  83%  60/72 in 20 s   4%  3/72  0:14     4  1 s\n"
        "○ Normal    E-mail               38  17 h 12  83%  60/72 in 20 s        n/a  0:14     4  1 s\n"
        "\n"
        "■ Critical  Facturation: longest wait 2:12, limit 2:00, since 0:12, nobody on it\n"
    )


def mails(open_: int, *, age_s: float = 97_920, **changed: Any) -> QueueRow:
    ratio = Ratio(value=21 / 24, numerator=21, denominator=24)
    items = Backlog(open=open_, oldest_ms=NOW_MS - round(age_s * 1000) if open_ else None, promise_s=172_800)
    seen = replace(window(), abandonment=None, cleared=ratio, cleared_business=ratio)
    return queue("email", label="E-mail", waiting=0, waits_s=None, backlog=items, seen=seen, **changed)


def test_mails_have_a_backlog_and_phones_have_none() -> None:
    head, phone, mail = text(picture(CALM, mails(54)), width=140).splitlines()[2:5]
    assert [word for word in ("abandoned", "backlog", "ASA") if word in head] == [
        "abandoned",
        "backlog",
        "ASA",
    ]
    assert phone.endswith("    4%  3/72                       0:14     4  1 s")
    assert "cleared 88%  54, oldest 1 d 03 h  0:14" in mail
    assert "backlog" not in text(picture(CALM), width=140)


def test_a_backlog_that_cannot_be_trusted_stands_in_brackets_and_does_not_tick() -> None:
    stale = mails(54, age_s=60, freshness=Freshness.STALE)
    assert "(54, oldest 0:59)" in text(picture(stale), width=140, now_ms=NOW_MS + 9000)
    assert "cleared 88%        0  0:14" in text(picture(mails(0)), width=140)


STATES: list[tuple[QueueRow, State]] = [
    (CALM, State.NORMAL),
    (queue("a", label="A", freshness=Freshness.STALE), State.STALE),
    (queue("a", label="A", freshness=Freshness.UNKNOWN, heard_ms=None), State.UNKNOWN),
    (queue("a", label="A", freshness=Freshness.CATCHING_UP), State.CATCHING_UP),
    (queue("a", label="A", soon=3), State.SOON),
    (queue("a", label="A", is_open=False), State.CLOSED),
    (queue("a", label="A", is_open=False, soon=1), State.SOON),
    (
        queue("a", label="A", is_open=False, waiting=0, seen=window(met=0, counted=0, abandoned=0)),
        State.CLOSED,
    ),
    (
        queue("a", label="A", waiting=0, waits_s=None, seen=window(met=0, counted=0, abandoned=0)),
        State.NO_DATA,
    ),
    (queue("a", label="A", waiting=1, seen=window(met=0, counted=0, abandoned=0)), State.NORMAL),
    (replace(mails(1), windows={WindowName.M15: window(met=0, counted=0, abandoned=0)}), State.NORMAL),
]


@pytest.mark.parametrize(("row", "state"), STATES)
def test_states_without_alert(row: QueueRow, state: State) -> None:
    assert state_of(row, (), WindowName.M15) is state


@pytest.mark.parametrize(
    ("alert_state", "severity", "state"),
    [
        (AlertState.FIRING, Severity.CRITICAL, State.CRITICAL),
        (AlertState.ACKNOWLEDGED, Severity.CRITICAL, State.CRITICAL),
        (AlertState.SNOOZED, Severity.CRITICAL, State.CRITICAL),
        (AlertState.SUPPRESSED, Severity.CRITICAL, State.NORMAL),
        (AlertState.RESOLVED, Severity.CRITICAL, State.NORMAL),
        (AlertState.WITHDRAWN, Severity.CRITICAL, State.NORMAL),
        (AlertState.FIRING, Severity.WARNING, State.WARNING),
    ],
)
def test_states_with_alert(alert_state: AlertState, severity: Severity, state: State) -> None:
    one = alert("facturation", state=alert_state, severity=severity)
    assert state_of(BUSY, (one,), WindowName.M15) is state
    assert state_of(CALM, (one,), WindowName.M15) is State.NORMAL


def test_stale_queue_is_never_critical_and_its_figures_stand_still_in_brackets() -> None:
    row = queue(
        "facturation",
        label="Facturation",
        waits_s=252 + 61,
        heard_ms=NOW_MS - 252_000,
        freshness=Freshness.STALE,
    )
    for said in (AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.SUPPRESSED):
        shown = picture(row, alerts=(alert("facturation", state=said),))
        lines = text(shown, colour=True).splitlines()
        assert lines[3].startswith("\x1b[2m▒ Stale 4:12  Facturation      (2)   (1:01)  (83%  60/72 in 20 s)")
        assert lines[5] == ("▒ Stale  Facturation: longest wait 1:01, limit 2:00, suspended, source silent")
        later = text(shown, now_ms=NOW_MS + 60_000).splitlines()
        assert later[3].startswith("▒ Stale 5:12  Facturation      (2)   (1:01)")
        assert later[5] == lines[5]


def test_of_a_queue_never_heard_there_is_no_figure_even_on_a_cut_board() -> None:
    never = queue(
        "a", label="A", waiting=0, waits_s=None, freshness=Freshness.UNKNOWN, heard_ms=None, seen=window()
    )
    letters = replace(
        never, queue="b", label="B", windows={WindowName.M15: replace(window(), abandonment=None)}
    )
    for cut_ms, word in ((None, ["?", "Never", "heard"]), (NOW_MS - 10_000, ["▒", "Stale"])):
        lines = text(picture(never, letters, cut_ms=cut_ms)).splitlines()
        assert lines[3].split() == [*word, "A", *["—"] * 7]
        assert lines[4].split() == [*word, "B", *["—"] * 7]


def test_suspended_alerts_come_last() -> None:
    silent_row = queue("social", label="Social", freshness=Freshness.STALE, heard_ms=NOW_MS - 252_000)
    warning = alert("facturation", severity=Severity.WARNING)
    lines = text(picture(silent_row, BUSY, alerts=(alert("social"), warning))).splitlines()[-2:]
    assert [line.split(":")[0] for line in lines] == ["▲ Warning  Facturation", "▒ Stale  Social"]


def test_an_operations_alert_names_its_source() -> None:
    silent = replace(alert("", severity=Severity.WARNING), source="pbx1", metric="source_age_s", value=15.0)
    hole = replace(silent, alert_id="h", source="vigie.events/2", metric="events_missed", value=12)
    shown = text(picture(BUSY, alerts=(silent, hole)))
    assert "▲ Warning  pbx1: source age 0:15, since 0:12, nobody on it" in shown
    assert "▲ Warning  vigie.events/2: events missed 12, since 0:12, nobody on it" in shown


def test_live_waits_tick_with_the_clock() -> None:
    assert "   0:48  " in text(picture(CALM))
    assert "   1:18  " in text(picture(CALM), now_ms=NOW_MS + 30_000)


def test_no_figure_is_a_dash_with_its_count() -> None:
    nothing = window(met=0, counted=0, abandoned=0, asa_s=None)
    lines = text(picture(queue("ventes", label="Ventes", waiting=0, waits_s=None, seen=nothing))).splitlines()
    assert lines[3].split() == ["∅", "No", "data", "Ventes", "0", "—", "—", "n=0", "—", "—", "4", "1", "s"]


def test_unexact_rates_never_read_none_or_all() -> None:
    nearly = text(picture(queue("a", label="A", seen=window(met=999, counted=1000, abandoned=1))))
    assert ">99%  999/1000" in nearly
    assert "<1%  1/1000" in nearly


DROPS = [
    (92, ["state", "queue", "waiting", "longest", "service", "abandoned", "ASA", "free", "age"]),
    (91, ["state", "queue", "waiting", "longest", "service", "abandoned", "free", "age"]),
    (85, ["state", "queue", "waiting", "longest", "service", "abandoned", "free"]),
    (80, ["state", "queue", "waiting", "longest", "service", "free"]),
    (66, ["state", "queue", "waiting", "longest", "service", "free"]),
    (56, ["state", "queue", "waiting", "longest", "service"]),
    (52, ["state", "queue", "wait", "max", "SL"]),
    (40, ["state", "queue", "wait", "max", "SL"]),
]


@pytest.mark.parametrize(("width", "titles"), DROPS)
def test_narrow_terminals_drop_columns_in_order(width: int, titles: list[str]) -> None:
    lines = text(picture(CALM, BUSY, alerts=(alert("facturation"),)), width=width).splitlines()
    assert lines[2].split() == titles


@pytest.mark.parametrize("width", [30, 48, 50, 60, 72, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    odd = queue("客服", label="客服 with a very long name of thirty letters")
    shown = picture(CALM, BUSY, odd, alerts=(alert("facturation"),))
    assert max(columns_of(line) for line in text(shown, width=width).splitlines()) <= width


def test_names_give_way_before_figures_do() -> None:
    lines = text(picture(CALM, BUSY, alerts=(alert("facturation"),)), width=36).splitlines()
    assert lines[3:5] == ["○           Servic…     2  0:48  83%", "■ Critical  Factur…     9  2:12  83%"]


def test_counts_stay_when_they_are_few() -> None:
    lines = text(picture(queue("a", label="A", seen=window(met=3, counted=7))), width=45).splitlines()
    assert "43%  n=7" in lines[3]


def test_colour_only_where_somebody_must_look() -> None:
    lines = text(picture(CALM, BUSY, alerts=(alert("facturation"),)), colour=True).splitlines()
    painted = [line for line in lines if "\x1b" in line]
    assert len(painted) == 2
    assert all("Facturation" in line and line.startswith("\x1b[1;31m") for line in painted)
    assert "\x1b" not in text(picture(CALM, BUSY, alerts=(alert("facturation"),)))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (AlertState.FIRING, "nobody on it"),
        (AlertState.ACKNOWLEDGED, "taken by Léa M."),
        (AlertState.SNOOZED, "snoozed for 10:00"),
        (AlertState.SUPPRESSED, "suspended, source silent"),
    ],
)
def test_alerts_say_who_is_on_them(state: AlertState, words: str) -> None:
    one = replace(
        alert("facturation", state=state), acknowledged_by="Léa M.", snoozed_until_ms=NOW_MS + 600_000
    )
    assert text(picture(BUSY, alerts=(one,))).splitlines()[-1].endswith(words)


def test_without_alert_the_last_one_is_named() -> None:
    assert text(picture(CALM)).splitlines()[-1] == "No alert."
    ended = replace(
        alert("facturation", state=AlertState.RESOLVED), resolved_ms=NOW_MS, acknowledged_by="Léa M."
    )
    last = text(picture(BUSY, alerts=(ended,))).splitlines()[-1]
    assert last == "No alert. Last: Facturation, longest wait, 11:59:48 to 12:00:00, Léa M.."


def test_untaken_criticals_come_first() -> None:
    taken = alert("service-client", state=AlertState.ACKNOWLEDGED)
    warning = alert("ventes", severity=Severity.WARNING)
    lines = text(picture(CALM, BUSY, alerts=(warning, taken, alert("facturation")))).splitlines()[-3:]
    assert [line.split(":")[0].split("  ")[1] for line in lines] == [
        "Facturation",
        "Service client",
        "ventes",
    ]


def test_cut_board_says_so_and_after_ten_seconds_trusts_nothing() -> None:
    cut = picture(BUSY, cut_ms=NOW_MS)
    soon = text(cut, now_ms=NOW_MS + 4000)
    assert "reconnecting, figures of 12:00:00" in soon
    assert "Stale" not in soon
    late = text(cut, now_ms=NOW_MS + 10_000)
    assert "▒ Stale 0:11" in late
    assert "(9)" in late


def test_on_a_cut_board_alerts_are_suspended_and_nothing_ticks() -> None:
    cut = picture(BUSY, alerts=(alert("facturation"), alert("gone")), cut_ms=NOW_MS)
    assert "nobody on it" in text(cut, now_ms=NOW_MS + 9_999)
    late = text(cut, now_ms=NOW_MS + 10_000).splitlines()[-2:]
    assert late == [
        "▒ Stale  Facturation: longest wait 2:11, limit 2:00, suspended, board disconnected",
        "▒ Stale  gone: longest wait 2:00, limit 2:00, suspended, board disconnected",
    ]
    assert text(cut, now_ms=NOW_MS + 70_000).splitlines()[-2:] == late


def test_silent_sources_are_named() -> None:
    place = silent(site(CALM))
    shown = replace(picture(), sites=(place,))
    assert 'Source "Hub social" is silent, last heard 4:12 ago.' in text(shown)


def test_site_goes_by_its_label_and_states_its_freshness() -> None:
    place = replace(site(CALM), label="Relation client · Lyon", freshness=Freshness.CATCHING_UP, behind_s=8.2)
    shown = replace(picture(), sites=(place,))
    first = text(shown).splitlines()[0]
    assert first == "Relation client · Lyon  » Catching up, 8 s behind  window 15m  12:00:00"


def test_empty_boards_say_what_will_happen() -> None:
    assert text(picture()) == (
        "lyon  Live, 1 s  window 15m  12:00:00\n\n"
        "This board has no queue yet. Queues appear with their first event.\n\nNo alert.\n"
    )
    assert text(replace(picture(), sites=())) == "No site yet. Queues appear with their first event.\n"

"""The page's own rules, one by one, in the engine that runs them: clock, back-off, pages, order."""

import pytest

from tests.end_to_end.conftest import RunModule

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_clock_follows_the_least_delayed_frame_and_survives_a_jump(run_module: RunModule) -> None:
    shown = await run_module(
        "clock.js",
        """let t = 1000; const clock = new m.ServerClock(() => t); const seen = [clock.now()];
        clock.hear(50_000); seen.push(clock.now());
        t = 2000; clock.hear(50_700); seen.push(clock.now());
        t = 3000; clock.hear(52_000); seen.push(clock.now());
        t = 4000; clock.hear(90_000); seen.push(clock.now());
        return seen;""",
    )
    assert shown == [None, 50_000, 51_000, 52_000, 90_000]


async def test_back_off_doubles_up_to_five_seconds_with_jitter(run_module: RunModule) -> None:
    delays = await run_module(
        "socket.js",
        """const asked = [[0, 1], [1, 1], [2, 1], [3, 1], [4, 1], [60, 1], [0, 0], [60, 0]];
        return asked.map(([attempt, random]) => m.backOff(attempt, random));""",
    )
    assert delays == [500, 1000, 2000, 4000, 5000, 5000, 250, 2500]


async def test_pages_turn_and_stay_where_hands_are_needed(run_module: RunModule) -> None:
    pages = await run_module(
        "pages.js",
        """const calm = Array(20).fill(false); const held = calm.with(17, true);
        const turns = [0, 20_000, 40_000, 60_000].map((now) => [now, calm]);
        const asked = [...turns, [0, held], [0, []]];
        return asked.map(([now, queues]) => Object.values(m.pageAt(now, queues)));""",
    )
    assert pages == [[0, 3], [1, 3], [2, 3], [0, 3], [2, 3], [0, 1]]


async def test_the_page_stands_two_pixels_aside_every_ten_minutes(run_module: RunModule) -> None:
    places = await run_module("wear.js", "return [0, 599_999, 600_000, 1_200_000, 2_400_000].map(m.shiftAt);")
    assert places == [[0, 0], [0, 0], [2, 0], [2, 2], [0, 0]]


async def test_a_frame_that_does_not_follow_changes_nothing(run_module: RunModule) -> None:
    outcome = await run_module(
        "board.js",
        """const b = m.emptyBoard(); const row = (waiting) => ({ site: 's', queue: 'q', waiting });
        const base = { type: 'update', epoch: 'e', queues: [row(2)], sites: [], removed: [] };
        const seen = [m.take(b, { ...base, prev: 1, seq: 2 })];
        const sites = [{ site: 's', queues: [row(1)] }];
        seen.push(m.take(b, { type: 'snapshot', epoch: 'e', seq: 5, prev: null, alerts: [], sites }));
        seen.push(m.take(b, { ...base, prev: 4, seq: 6 }));
        seen.push(m.take(b, { ...base, epoch: 'f', prev: 5, seq: 6 }));
        seen.push([...b.queues.values()][0].waiting);
        seen.push(m.take(b, { ...base, prev: 5, seq: 6 }));
        seen.push([...b.queues.values()][0].waiting);
        seen.push(m.take(b, { type: 'later', prev: 0 }));
        return seen;""",
    )
    assert outcome == ["gap", "taken", "gap", "gap", 1, "taken", 2, "ignored"]


async def test_an_older_version_of_an_alert_does_not_come_back(run_module: RunModule) -> None:
    state = await run_module(
        "board.js",
        """const b = m.emptyBoard();
        for (const [version, state] of [[1, 'firing'], [3, 'acknowledged'], [2, 'suppressed']])
          m.takeAlert(b, { alert_id: 'a', version, state });
        return b.alerts.get('a').state;""",
    )
    assert state == "acknowledged"


async def test_alerts_that_ended_are_forgotten_but_for_the_last_resolved(run_module: RunModule) -> None:
    kept = await run_module(
        "board.js",
        """const ended = (alert_id, state, ms) => ({ alert_id, version: 2, state, fired_ms: 0, updated_ms: ms,
            resolved_ms: state === 'resolved' ? ms : null });
        const board = m.emptyBoard(); const kept = [];
        const frames = [
          { type: 'snapshot', as_of_ms: 10_000, sites: [], alerts: [
            { alert_id: 'open', version: 1, state: 'firing', fired_ms: 0, updated_ms: 0, resolved_ms: null },
            ended('older', 'resolved', 1000), ended('last', 'resolved', 2000),
            ended('gone', 'withdrawn', 9000),
          ] },
          { type: 'heartbeat', as_of_ms: 61_000 }, { type: 'update', as_of_ms: 69_000 },
          { type: 'alert', alert: ended('new', 'resolved', 70_000) }, { type: 'heartbeat', as_of_ms: 71_000 },
        ];
        for (const frame of frames) {
          m.take(board, { epoch: 'e', seq: 1, prev: 1, ...frame });
          kept.push([...board.alerts.keys()].join(' '));
        }
        return kept;""",
    )
    assert kept == [
        "open older last gone",
        "open last gone",
        "open last",
        "open last new",
        "open new",
    ]


async def test_the_state_that_wins_is_the_first_in_the_order(run_module: RunModule) -> None:
    """SPEC §6, but for one that is closed and idle: that it is closed says more than that nobody came."""
    won = await run_module(
        "model.js",
        """const alert = (severity) => [{ severity, state: 'firing', crossed_ms: 0 }];
        const row = { site: 's', queue: 'q', sources: [], heard_ms: 1, as_of_ms: 1, oldest_entered_ms: null,
          open: true, waiting: 0, pre_breach: null, agents: {}, windows: { '15m': { offered: 0 } } };
        const soon = { pre_breach: { count: 1 }, waiting: 1 };
        const cases = [
          [{ freshness: 'stale', ...soon }, alert('critical')], [{ freshness: 'unknown' }, alert('critical')],
          [{ freshness: 'catching_up' }, alert('critical')], [{ open: false, ...soon }, alert('critical')],
          [soon, alert('warning')], [soon, []], [{ open: false, ...soon }, []], [{}, []],
          [{ open: false }, []], [{ open: false, waiting: 1 }, []], [{ waiting: 1 }, []],
        ];
        return cases.map(([changed, alerts]) => m.queueView({ freshness: 'live', ...row, ...changed },
          { nowMs: 2, window: '15m', link: 'live', lastFrameMs: 2, site: undefined, alerts }).state);""",
    )
    assert won == [
        *("stale", "unknown", "catching_up", "critical"),
        *("warning", "soon", "soon", "no_data"),
        *("closed", "closed", "normal"),
    ]


async def test_a_rule_is_defined_in_words(run_module: RunModule) -> None:
    said = await run_module(
        "rules.js",
        """const { TEXTS } = await import(new URL('texts.js', document.baseURI));
        const base = { id: 'r', clear: null, window: '30m', min_contacts: 10, severity: 'warning' };
        return [
          { ...base, metric: 'service_level', fire: '< 0.8', clear: '>=0.82', queues: ['a', 'b'] },
          { ...base, metric: 'occupancy', fire: '> 1.1 * occupancy.high', channels: ['chat'] },
          { ...base, metric: 'agents.available', fire: '<= 0' },
          { ...base, metric: 'longest_wait_s', fire: '> 2 * 60' },
          { ...base, metric: 'longest_wait_s', fire: 'what?' },
        ].map((rule) => m.definition(rule, { texts: TEXTS.en, lang: 'en' }).map(([, text]) => text));""",
    )
    thirty = "30\u00a0min, at least 10 contacts"
    itself = "as soon as that no longer holds"
    assert said == [
        ["service below 80%", "at or above 82%", thirty, "a, b", "Warning", "r"],
        [
            "occupancy above 110% of the high end of the target band",
            *(itself, thirty, "all", "chat", "Warning", "r"),
        ],
        ["available at or below 0", itself, "all", "Warning", "r"],
        ["longest wait above 2:00", itself, "all", "Warning", "r"],
        ["longest wait what?", itself, "all", "Warning", "r"],
    ]


async def test_the_strip_is_ordered_by_who_must_act(run_module: RunModule) -> None:
    ranks = await run_module(
        "model.js",
        """return [['critical', 'firing'], ['critical', 'acknowledged'], ['warning', 'firing'],
          ['critical', 'firing', true], ['warning', 'acknowledged'], ['critical', 'snoozed'],
          ['critical', 'suppressed'], ['warning', 'resolved']]
          .map(([severity, state, flapping = false]) => m.rank({ severity, state, flapping }));""",
    )
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 8


async def test_occupancy_is_compared_with_its_band_as_it_is_shown(run_module: RunModule) -> None:
    marks = await run_module(
        "model.js",
        "return [0.853, 0.856, 0.75, 0.746, 0.744, null].map((value) => m.outsideBand(value, [0.75, 0.85]));",
    )
    assert marks == [None, "up", None, None, "down", None]


async def test_a_missing_minute_is_a_gap_in_the_line(run_module: RunModule) -> None:
    drawn = await run_module(
        "trend.js",
        "return m.path([1, 2, null, 3, null, null, 4, 5], (x) => x, (y) => y);",
    )
    assert drawn == "M0.0 1.0L1.0 2.0M3.0 3.0h0M6.0 4.0L7.0 5.0"


async def test_the_address_is_read_with_its_defaults(run_module: RunModule) -> None:
    read = await run_module(
        "options.js",
        """return [['', ['de-DE', 'en-GB']], ['', []],
          ['?lang=en&window=30m&queues=a,b&view=desk&site=paris', ['fr']],
          ['?lang=xx&window=9m&view=phone', ['fr-FR']],
        ].map(([search, languages]) => m.parse(search, languages));""",
    )
    assert read == [
        {"site": None, "queues": None, "window": "15m", "lang": "en", "view": None},
        {"site": None, "queues": None, "window": "15m", "lang": "fr", "view": None},
        {"site": "paris", "queues": ["a", "b"], "window": "30m", "lang": "en", "view": "desk"},
        {"site": None, "queues": None, "window": "15m", "lang": "fr", "view": None},
    ]

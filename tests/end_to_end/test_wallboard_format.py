"""The number formats of the wall, run in the browser that shows them."""

import pytest

from tests.end_to_end.conftest import RunModule
from tests.end_to_end.wallboard_rows import START_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

N = "\u00a0"
CALL = """const plain = (parts) => typeof parts === 'string' ? parts : m.plain(parts);
return a[0].map(([name, values]) => plain(m[name](...values)));"""


def ratio(numerator: float, denominator: float) -> dict[str, float]:
    return {"numerator": numerator, "denominator": denominator}


TABLE: list[tuple[str, list[object], str]] = [
    ("duration", [7, "fr"], "0:07"),
    ("duration", [7.99, "fr"], "0:07"),
    ("duration", [67, "fr"], "1:07"),
    ("duration", [723, "fr"], "12:03"),
    ("duration", [3599, "fr"], "59:59"),
    ("duration", [3900, "fr"], f"1{N}h{N}05"),
    ("duration", [86399, "fr"], f"23{N}h{N}59"),
    ("duration", [273_600, "fr"], f"3{N}j{N}04{N}h"),
    ("duration", [273_600, "en"], f"3{N}d{N}04{N}h"),
    ("duration", [None, "fr"], "—"),
    ("duration", [-3, "fr"], "0:00"),
    ("mean", [14.2, "fr"], "0:14"),
    ("mean", [14.5, "fr"], "0:15"),
    ("mean", [None, "fr"], "—"),
    ("limit", [120, "fr"], "2:00"),
    ("limit", [86_400, "fr"], f"24{N}h"),
    ("limit", [432_000, "fr"], f"5{N}j"),
    ("limit", [432_000, "en"], f"5{N}d"),
    ("limit", [5400, "fr"], f"1{N}h{N}30"),
    ("threshold", [20, "fr"], f"20{N}s"),
    ("threshold", [60, "fr"], f"60{N}s"),
    ("threshold", [300, "fr"], f"5{N}min"),
    ("threshold", [172_800, "fr"], f"48{N}h"),
    ("threshold", [604_800, "fr"], f"7{N}j"),
    ("age", [0.2, "fr"], f"1{N}s"),
    ("age", [14, "fr"], f"14{N}s"),
    ("age", [252, "fr"], "4:12"),
    ("count", [1248, "fr"], f"1{N}248"),
    ("count", [1_234_567, "fr"], f"1{N}234{N}567"),
    ("count", [1248, "en"], "1,248"),
    ("count", [212, "fr"], "212"),
    ("percent", [ratio(60, 72), "fr"], f"83{N}%"),
    ("percent", [ratio(60, 72), "en"], "83%"),
    ("percent", [ratio(1, 8), "fr"], f"13{N}%"),
    ("percent", [ratio(57, 200), "fr"], f"29{N}%"),
    ("percent", [ratio(0, 30), "fr"], f"0{N}%"),
    ("percent", [ratio(9, 9), "fr"], f"100{N}%"),
    ("percent", [ratio(1, 400), "fr"], f"<{N}1{N}%"),
    ("percent", [ratio(1999, 2000), "fr"], f">{N}99{N}%"),
    ("percent", [ratio(1999, 2000), "en"], f">{N}99%"),
    ("percent", [ratio(0, 0), "fr"], "—"),
    ("share", [0.8, "fr"], f"80{N}%"),
    ("clock", [START_MS, "Europe/Paris"], "14:32:07"),
    ("clock", [START_MS, "Asia/Kolkata"], "19:02:07"),
    ("opening", [START_MS - 19_927_000, "Europe/Paris"], "9:00"),
    ("date", [START_MS, "Europe/Paris"], "20/11/2026"),
    ("weekday", [START_MS, "Europe/Paris", "fr"], "vendredi"),
    ("weekday", [START_MS, "Europe/Paris", "en"], "Friday"),
]


async def test_every_number_reads_as_the_specification_says(run_module: RunModule) -> None:
    shown = await run_module("format.js", CALL, [[name, values] for name, values, _ in TABLE])
    assert shown == [expected for _, _, expected in TABLE]


async def test_hands_are_free_at_a_queue_by_its_article(run_module: RunModule) -> None:
    names = [
        "Service client",
        "Facturation",
        "Ventes",
        "Réseaux sociaux",
        "Assistance",
        "E-mail",
        "Livraison",
    ]
    said = await run_module(
        "texts.js", "return a[0].map((name) => m.TEXTS.fr.lever(2, name).split('disponibles ')[1]);", names
    )
    assert said == [
        *("au Service client", "à la Facturation", "aux Ventes", "aux Réseaux sociaux"),
        *("à l’Assistance", "à l’E-mail", "à la Livraison"),
    ]


async def test_both_languages_have_the_same_texts(run_module: RunModule) -> None:
    french, english = await run_module(
        "texts.js",
        """const shape = (value) => value && typeof value === 'object' && !Array.isArray(value)
             ? Object.entries(value).map(([key, inner]) => [key, shape(inner)]) : typeof value;
           return [shape(m.TEXTS.fr), shape(m.TEXTS.en)];""",
    )
    assert french == english

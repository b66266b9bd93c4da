"""Lines of values in a TOML text, however it is written."""

import tomllib

from services.runtime.toml_lines import Place, line_of, lines_of

TEXT = '''# a comment [not.a.table]
top = "a # b [c]"   # after
"quoted key" = 1
dotted.name = 2

[kafka]
bootstrap = """
several
lines"""
[[queues]]
id = 'one'
service_level = { threshold_s = 20, target = 0.8 }
[queues.extra]
deep = [1, [2,
  3], { a = 4 }]
[[queues]]
id = "two"
  [[queues.parts]]
  n = 1
  [[queues.parts]]
  n = 2
when = 2026-01-01T00:00:00Z
'''


def test_every_value_stands_on_its_line() -> None:
    lines = lines_of(TEXT)

    expected: dict[Place, int] = {
        ("top",): 2,
        ("quoted key",): 3,
        ("dotted", "name"): 4,
        ("kafka", "bootstrap"): 7,
        ("queues", 0): 10,
        ("queues", 0, "id"): 11,
        ("queues", 0, "service_level", "target"): 12,
        ("queues", 0, "extra", "deep"): 14,
        ("queues", 0, "extra", "deep", 1, 1): 15,
        ("queues", 0, "extra", "deep", 2, "a"): 15,
        ("queues", 1, "id"): 17,
        ("queues", 1, "parts", 0, "n"): 19,
        ("queues", 1, "parts", 1, "n"): 21,
        ("queues", 1, "parts", 1, "when"): 22,
    }
    assert {place: lines.get(place) for place in expected} == expected


def test_no_value_is_overlooked() -> None:
    lines = lines_of(TEXT)

    assert [place for place in _places(tomllib.loads(TEXT)) if place not in lines] == []


def test_what_is_missing_stands_where_it_would_be() -> None:
    assert line_of(lines_of(TEXT), ("queues", 1, "site")) == 16
    assert line_of(lines_of(TEXT), ("nowhere",)) is None


def _places(value: object, place: Place = ()) -> list[Place]:
    """Every place of a leaf in parsed values."""
    if isinstance(value, dict):
        return [p for name, inner in value.items() for p in _places(inner, (*place, name))]
    if isinstance(value, list):
        return [p for i, inner in enumerate(value) for p in _places(inner, (*place, i))]
    return [place]

"""The published and computed figures of `vectors/` as histories: one case per row that is a live figure.

A case says which events to fold at which instant, and which figure must come out. The same cases
run through the oracle and through the real fold. Rows that are no live figure stand in `NOT_LIVE`
with the reason. Columns and sources: the CSV files beside this module.
"""

from tests.data.vector_calendar import calendar
from tests.data.vector_case import Case
from tests.data.vector_ratios import abandonments, service_levels
from tests.data.vector_times import NO_FIGURE_OF_TIME, OTHER_ATTRIBUTION, attributions, handle_times

NOT_LIVE = {
    "handle_and_time.csv": NO_FIGURE_OF_TIME,
    "interval_attribution.csv": OTHER_ATTRIBUTION,
    "erlang_a.csv": {"*": "staffing"},
    "erlang_b.csv": {"*": "staffing"},
    "erlang_c.csv": {"*": "staffing"},
    "ewt.csv": {"*": "expected wait: a forecast, not on the board"},
    "norm_boundaries.csv": {"*": "verdicts against norms: not a figure"},
    "surveys.csv": {"*": "satisfaction: a report, not on the board"},
}
"""Rows that concern no live figure: file, row ("*": all), reason."""


def cases() -> list[Case]:
    """Every case of every file."""
    return [
        *service_levels(),
        *abandonments(),
        *handle_times(),
        *attributions(),
        *calendar(),
    ]

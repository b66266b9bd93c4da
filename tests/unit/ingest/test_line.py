"""Waits between attempts to reach a source."""

from services.ingest.line import Patience, delay_s


def test_waits_between_attempts_grow_to_their_most_and_are_drawn() -> None:
    patience = Patience()
    most = [delay_s(attempt, patience=patience, draw=1.0) for attempt in (1, 2, 3, 7, 100)]

    assert most == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert delay_s(7, patience=patience, draw=0.25) == 7.5

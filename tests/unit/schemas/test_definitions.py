"""Every figure of the board has its definition, and every definition its figure."""

import pytest

from schemas.board import Backlog, QueueRow, Window
from schemas.definitions import DEFINITIONS, SERVICE_LEVELS, Definition, Text
from schemas.vocabulary import ServiceLevelDefinition

NOT_FIGURES = {"from_ms", "to_ms"}


def names(scope: str) -> list[str]:
    return [definition.name for definition in DEFINITIONS if definition.scope == scope]


def test_every_figure_of_a_window_is_defined_once() -> None:
    assert sorted(names("window")) == sorted(set(Window.__struct_fields__) - NOT_FIGURES)


def test_figures_of_a_queue_are_fields_of_its_row() -> None:
    backlog = {f"backlog.{name}" for name in Backlog.__struct_fields__}
    assert set(names("queue")) <= set(QueueRow.__struct_fields__) | backlog
    assert backlog - set(names("queue")) == {"backlog.oldest_ms", "backlog.promise_s"}  # no figures
    assert len(names("queue")) == len(set(names("queue")))
    assert {definition.scope for definition in DEFINITIONS} == {"queue", "window"}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda found: f"{found.scope}.{found.name}")
def test_inputs_are_fields_that_stand_beside_the_figure(definition: Definition) -> None:
    fields = Window.__struct_fields__ if definition.scope == "window" else QueueRow.__struct_fields__
    assert set(definition.inputs) <= set(fields)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda found: f"{found.scope}.{found.name}")
def test_every_text_is_there_in_both_languages(definition: Definition) -> None:
    texts = [
        value
        for value in map(definition.__getattribute__, definition.__struct_fields__)
        if isinstance(value, Text)
    ]
    assert all(text.fr and text.en for text in texts)
    assert (definition.numerator is None) == (definition.denominator is None)


def test_the_eight_service_levels_are_written_out() -> None:
    assert [formula.definition for formula in SERVICE_LEVELS] == list(ServiceLevelDefinition)
    assert len({formula.symbols for formula in SERVICE_LEVELS}) == 8

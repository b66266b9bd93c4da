"""The eight service levels as sums of the same parts. SEMANTICS.md §4."""

from collections.abc import Callable
from typing import NamedTuple

from schemas.vocabulary import ServiceLevelDefinition as Definition


class Parts(NamedTuple):
    """Contacts of one window, counted by how they fared against the threshold T.

    `missed` is D (waiting or left otherwise past T); `left_or_waiting` is D_all (left otherwise
    whatever the wait, or waiting past T); `callbacks_within` is C_T.
    """

    answered: int
    answered_within: int
    abandoned: int
    abandoned_within: int
    short: int
    missed: int
    left_or_waiting: int
    callbacks_within: int


_FRACTIONS: dict[Definition, Callable[[Parts], tuple[int, int]]] = {
    Definition.ALL_ABANDONS_COUNT_AGAINST: lambda p: (p.answered_within, p.answered + p.abandoned + p.missed),
    Definition.ANSWERED_ONLY: lambda p: (p.answered_within, p.answered),
    Definition.ABANDONS_WITHIN_T_COUNT_AS_MET: lambda p: (
        p.answered_within + p.abandoned_within,
        p.answered + p.abandoned + p.missed,
    ),
    Definition.ABANDONS_WITHIN_T_EXCLUDED: lambda p: (
        p.answered_within,
        p.answered + p.abandoned - p.abandoned_within + p.missed,
    ),
    Definition.SHORT_ABANDONS_COUNT_AS_MET: lambda p: (
        p.answered_within + p.short,
        p.answered + p.abandoned + p.missed,
    ),
    Definition.SHORT_ABANDONS_EXCLUDED: lambda p: (
        p.answered_within,
        p.answered + p.abandoned - p.short + p.missed,
    ),
    Definition.REMOVED_FROM_QUEUE: lambda p: (
        p.answered_within + p.abandoned_within + p.callbacks_within,
        p.answered + p.abandoned + p.missed + p.callbacks_within,
    ),
    Definition.WITH_FLOW_OUTS: lambda p: (p.answered_within, p.answered + p.abandoned + p.left_or_waiting),
}


def fraction(definition: Definition, p: Parts) -> tuple[int, int]:
    """Numerator and denominator of the service level by one definition."""
    return _FRACTIONS[definition](p)


def abandonment(definition: Definition, *, abandoned: int, short: int, offered: int) -> tuple[int, int]:
    """Numerator and denominator of the abandonment rate: B / O, without short ones where excluded."""
    if definition is Definition.SHORT_ABANDONS_EXCLUDED:
        return abandoned - short, offered - short
    return abandoned, offered

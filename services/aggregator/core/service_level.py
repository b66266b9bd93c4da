"""The eight service levels as sums of the same parts. SEMANTICS.md §4."""

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


def fraction(definition: Definition, p: Parts) -> tuple[int, int]:
    """Numerator and denominator of the service level by one definition."""
    a, b, d = p.answered, p.abandoned, p.missed
    match definition:
        case Definition.ALL_ABANDONS_COUNT_AGAINST:
            return p.answered_within, a + b + d
        case Definition.ANSWERED_ONLY:
            return p.answered_within, a
        case Definition.ABANDONS_WITHIN_T_COUNT_AS_MET:
            return p.answered_within + p.abandoned_within, a + b + d
        case Definition.ABANDONS_WITHIN_T_EXCLUDED:
            return p.answered_within, a + b - p.abandoned_within + d
        case Definition.SHORT_ABANDONS_COUNT_AS_MET:
            return p.answered_within + p.short, a + b + d
        case Definition.SHORT_ABANDONS_EXCLUDED:
            return p.answered_within, a + b - p.short + d
        case Definition.REMOVED_FROM_QUEUE:
            met = p.answered_within + p.abandoned_within + p.callbacks_within
            return met, a + b + d + p.callbacks_within
        case Definition.WITH_FLOW_OUTS:
            return p.answered_within, a + b + p.left_or_waiting


def abandonment(definition: Definition, *, abandoned: int, short: int, offered: int) -> tuple[int, int]:
    """Numerator and denominator of the abandonment rate: B / O, without short ones where excluded."""
    if definition is Definition.SHORT_ABANDONS_EXCLUDED:
        return abandoned - short, offered - short
    return abandoned, offered

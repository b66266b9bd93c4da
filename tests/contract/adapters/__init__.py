"""What the contract suite must know of each adapter: tests/contract/test_adapters.py runs it over all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.config import SourceConfig
from services.ingest.translated import Translated

SHARED = Path(__file__).parents[4] / "shared" / "samples"
"""Other people's recordings, which are not copied here: absent in a clone."""


@dataclass(frozen=True)
class AdapterCase:
    """One adapter. `payloads` cuts a sample into single payloads; `takes` hands them, in that order, to a
    fresh translator, with whatever falls due at the end.

    `unknown`: a payload of a type that nobody knows; `broken`: one of a known type that cannot be read.
    `personal`: what stands in the samples and may come out nowhere. `promise`: what order the source
    promises: `any`: none, so every shuffle must give the same figures; `source`: its own.
    """

    kind: str
    source: SourceConfig
    samples: Sequence[Path]
    unknown: bytes
    broken: bytes
    personal: Sequence[str]
    takes: Callable[[Sequence[bytes]], Translated]
    payloads: Callable[[Path], list[bytes]]
    promise: Literal["any", "source"]

"""What becomes of one posted body: events for the log, answers per entry, dead letters. SEMANTICS.md §10.

Pure: bytes in, an `Intake` out. Sending and counting it is the shell's matter.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from schemas.board import DeadLetter
from schemas.errors import InvalidMessage
from schemas.events import SourceEvent
from schemas.vocabulary import Reason
from services.ingest.admission import Admission
from services.ingest.cloudevents import (
    Headers,
    Mode,
    Refused,
    Taken,
    read_binary,
    read_structured,
    split,
)
from services.ingest.metrics import DEAD_LETTER_REASONS, HTTP
from services.ingest.pseudonym import Pseudonyms
from services.runtime.keys import ANYBODY, Holder

BODY_BYTES = 1024 * 1024
EVENT_BYTES = 64 * 1024
BATCH_ENTRIES = 10_000
"""More entries than that are no events: the smallest event has over 100 bytes."""

TOO_LARGE = f"event: above {EVENT_BYTES} bytes"


class Rejected(Struct, frozen=True, kw_only=True):
    """One line of `rejected` in the answer. INTERFACE.md §4."""

    index: int
    reason: Reason
    detail: str


class Intake(Struct, kw_only=True):
    """`ignored`: fields of data in no row, by event name. `refusal`: the status when nothing is taken.

    `signers`: sources that may have signed the body, and the site of each; none where nobody did.
    `unsigned`: events of sources that sign, in a body that was not; by source.
    """

    sender: Holder = ANYBODY
    signers: Mapping[str, str] = {}
    unsigned: Counter[str] = msgspec.field(default_factory=Counter)
    refusal: int = 400
    events: list[SourceEvent] = []
    rejected: list[Rejected] = []
    letters: list[DeadLetter] = []
    outcomes: Counter[tuple[str, Reason]] = msgspec.field(default_factory=Counter)
    ignored: Counter[str] = msgspec.field(default_factory=Counter)
    refused: list[Refused] = []

    @property
    def status(self) -> int:
        """The HTTP answer, once the log has the events."""
        if self.events or not self.rejected:
            return 202
        if self.unsigned.total() == len(self.rejected):
            return 401
        is_forbidden = all(line.reason is Reason.NOT_ALLOWED for line in self.rejected)
        return 403 if is_forbidden else self.refusal


class Door(Struct, frozen=True, kw_only=True):
    """What reading a body leans on. `signing`: sources that sign what they post."""

    pseudonyms: Pseudonyms
    admission: Admission
    signing: frozenset[str] = frozenset()

    def take(
        self,
        mode: Mode,
        headers: Headers,
        body: bytes,
        *,
        now_ms: int,
        sender: Holder = ANYBODY,
        signers: Mapping[str, str] | None = None,
    ) -> Intake:
        """Reads every event of the body; one that is refused spoils no other.

        Events of sites that the sender's key is not for are refused, whether there is such a site or not.
        """
        intake = Intake(sender=sender, signers=signers or {})
        if mode is Mode.BATCH:
            self._take_batch(intake, body, now_ms)
        elif len(body) > EVENT_BYTES:
            intake.refusal = 413
            refused = Refused(reason=Reason.TOO_LARGE, detail=TOO_LARGE)
            _reject(intake, 0, refused, body, now_ms=now_ms)
        elif mode is Mode.BINARY:
            outcome = read_binary(headers, body, received_ms=now_ms, pseudonyms=self.pseudonyms)
            self._enter(intake, 0, outcome, body, now_ms=now_ms)
        else:
            self._enter(intake, 0, self._read(body, now_ms), body, now_ms=now_ms)
        return intake

    def _take_batch(self, intake: Intake, body: bytes, now_ms: int) -> None:
        try:
            entries = split(body)
        except InvalidMessage as error:
            refused = Refused(reason=Reason.INVALID, detail=error.detail)
            return _reject(intake, 0, refused, body, now_ms=now_ms)
        if len(entries) > BATCH_ENTRIES:
            intake.refusal = 413
            refused = Refused(reason=Reason.TOO_LARGE, detail=f"body: above {BATCH_ENTRIES} events")
            return _reject(intake, 0, refused, body, now_ms=now_ms)
        for index, entry in enumerate(entries):
            self._enter(intake, index, self._read(entry, now_ms), entry, now_ms=now_ms)
        return None

    def _read(self, entry: bytes | msgspec.Raw, now_ms: int) -> Taken | Refused:
        if len(memoryview(entry)) > EVENT_BYTES:
            return Refused(reason=Reason.TOO_LARGE, detail=TOO_LARGE)
        return read_structured(entry, received_ms=now_ms, pseudonyms=self.pseudonyms)

    def _enter(
        self,
        intake: Intake,
        index: int,
        outcome: Taken | Refused,
        entry: bytes | msgspec.Raw,
        *,
        now_ms: int,
    ) -> None:
        if isinstance(outcome, Refused):
            return _reject(intake, index, outcome, entry, now_ms=now_ms)
        refused = (
            self._refuse_name(intake, outcome.event)
            or _refuse_site(intake.sender, outcome.event)
            or self.admission.refuse(outcome.event)
        )
        if refused is not None:
            return _reject(intake, index, refused, entry, now_ms=now_ms)
        intake.events.append(outcome.event)
        intake.outcomes[outcome.event.source, Reason.ACCEPTED] += 1
        if outcome.ignored:
            intake.ignored[outcome.kind] += outcome.ignored
        return None

    def _refuse_name(self, intake: Intake, event: SourceEvent) -> Refused | None:
        """Who signs may speak in no other name, and nobody else in that of a source that signs."""
        if intake.signers:
            if intake.signers.get(event.source) == event.site:
                return None
            return _not_allowed(event, "source: the body is signed by another source, or one of another site")
        if event.source in self.signing:
            intake.unsigned[event.source] += 1
            return _not_allowed(event, "source: what it posts must be signed (webhook-signature)")
        return None


def dead_letter(refused: Refused, *, sha256: str, size: int, now_ms: int) -> DeadLetter:
    """What is kept of something refused: never its content."""
    return DeadLetter(
        source=refused.source or HTTP,
        reason=refused.reason,
        detail=refused.detail,
        sha256=sha256,
        size=size,
        received_ms=now_ms,
        site=refused.site,
    )


def _refuse_site(sender: Holder, event: SourceEvent) -> Refused | None:
    if sender.covers(event.site):
        return None
    return _not_allowed(event, "site: this key is not for it")


def _not_allowed(event: SourceEvent, detail: str) -> Refused:
    return Refused(reason=Reason.NOT_ALLOWED, detail=detail, source=event.source, site=event.site)


def _reject(intake: Intake, index: int, refused: Refused, entry: bytes | msgspec.Raw, *, now_ms: int) -> None:
    intake.rejected.append(Rejected(index=index, reason=refused.reason, detail=refused.detail))
    intake.refused.append(refused)
    intake.outcomes[refused.source or HTTP, refused.reason] += 1
    if refused.reason in DEAD_LETTER_REASONS:
        raw = memoryview(entry)
        letter = dead_letter(refused, sha256=hashlib.sha256(raw).hexdigest(), size=len(raw), now_ms=now_ms)
        intake.letters.append(letter)

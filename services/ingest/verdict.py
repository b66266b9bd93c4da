"""What `vigie source test` says of a source: events on a line, and the verdict in words. Pure."""

from schemas.config import SourceConfig
from schemas.events import SourceEvent
from schemas.sources import SourceState, SourceStatus
from services.ingest.outgoing import instant

_ENVELOPE = frozenset({"id", "source", "site", "occurred_ms", "received_ms", "rank", "precision_ms"})


def line_of(event: SourceEvent) -> str:
    """An event on one line: when, what, and its fields."""
    named = ((name, getattr(event, name)) for name in event.__struct_fields__ if name not in _ENVELOPE)
    fields = " ".join(f"{name}={value}" for name, value in named if value not in (None, False, (), {}))
    return f"{instant(event.occurred_ms)}  {event.__struct_config__.tag:<18} {fields}"


def verdict(
    source: SourceConfig, status: SourceStatus, *, events: int, seconds: float
) -> tuple[bool, list[str]]:
    """Whether the source works, and what is to be said: what came, what did not, what to change."""
    lines = [f"-- {events} events, {status.dead_letters} refused" + _listed("; came", status.types)]
    if status.unknown:
        lines.append(f"   unknown, passed over{_listed(':', status.unknown)}")
    lines += [f"   refused: {letter.reason}: {letter.detail}" for letter in status.letters]
    faults = list(_faults(source, status, events=events, seconds=seconds))
    works = status.state in (SourceState.CONNECTED, SourceState.LISTENING) and not any(
        is_grave for is_grave, _ in faults
    )
    lines += [f"{'!!' if is_grave else '--'} {said}" for is_grave, said in faults]
    lines.append("-- it works" if works else "!! it does not work")
    return works, lines


def _faults(
    source: SourceConfig, status: SourceStatus, *, events: int, seconds: float
) -> list[tuple[bool, str]]:
    """Grave or not, and one sentence each."""
    found: list[tuple[bool, str]] = []
    if status.state not in (SourceState.CONNECTED, SourceState.LISTENING):
        found.append((True, status.reason or f"no connection within {seconds:g} s"))
    for reason, n in status.unsigned.items():
        found.append((True, f"{n} webhooks refused: {_UNSIGNED.get(reason, reason)}"))
    if source.allow_unsigned:
        found.append((False, "anybody can post here: allow_unsigned = true asks for no signature"))
    if events == 0 and not found:
        found.append((False, f"nothing happened within {seconds:g} s; call in, or try again when it is busy"))
    return found


_UNSIGNED = {
    "signature_missing": "they are not signed; switch the signature on at the sender's, or say "
    "allow_unsigned = true",
    "signature_wrong": "the signature is not of this secret, or of another address: compare the secret, and "
    "public_url with the address that the sender posts to",
    "signature_old": "the signature is more than 5 minutes old: set the clocks",
    "signature_malformed": "the signature cannot be read: does a proxy change headers?",
    "signature_of_another_body": "the signature is of another body: does a proxy change it?",
}


def _listed(before: str, counts: dict[str, int]) -> str:
    return f"{before} {', '.join(f'{word} {n}' for word, n in counts.items())}" if counts else ""

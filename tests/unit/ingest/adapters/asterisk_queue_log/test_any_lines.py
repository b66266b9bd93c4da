"""Whatever is in the file, nothing raises, and what is told can stand in the log."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest import checking
from services.ingest.adapters.asterisk_queue_log.recording import read
from tests.data import asterisk
from tests.doubles.running_source import PSEUDONYMS
from tests.unit.ingest.adapters.asterisk_queue_log.telling import source

REAL = [*asterisk.EVERY_LINE.read_bytes().splitlines(), *asterisk.QUEUE_LOG.read_bytes().splitlines()[:40]]
FIELDS = sorted({field for line in REAL for field in line.split(b"|")})
fields = st.one_of(st.sampled_from(FIELDS), st.binary(max_size=12), st.just(b""), st.just(b"9" * 30))
composed = st.lists(fields, max_size=9).map(b"|".join)
damaged = st.tuples(st.sampled_from(REAL), st.integers(0, 80), st.binary(max_size=6)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :]
)
lines = st.lists(st.one_of(st.sampled_from(REAL), composed, damaged, st.binary(max_size=60)), max_size=30)


@given(lines, st.sampled_from(["log", "tsv", "csv"]))
def test_nothing_raises(raw: list[bytes], form: str) -> None:
    if form != "log":
        raw = [line.replace(b"|", b"\t" if form == "tsv" else b",") for line in raw]
    recording = read([b"\n".join(raw)], source(format=form, wrap_up_s=3.0, system="pbx"), PSEUDONYMS)

    for event in [*recording.events, *recording.after]:
        assert checking.refuse(event, now_ms=event.occurred_ms) is None

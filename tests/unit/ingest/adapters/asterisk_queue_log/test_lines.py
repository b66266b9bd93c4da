"""What a line says, in the file and in the table."""

import pytest

from services.ingest.adapters.asterisk_queue_log.lines import Line, Lines, begins_ms
from services.ingest.translated import Spoiled
from tests.unit.ingest.adapters.asterisk_queue_log.telling import source


def read(raw: bytes, **settings: object) -> Line:
    found = Lines(source(**settings)).read(raw)
    assert isinstance(found, Line)
    return found


def test_a_line_of_the_file() -> None:
    found = read(b"1700000118|1700000100.10|support|Agent 3|CONNECT|18|1700000115.13|2")

    assert (found.at_ms, found.precision_ms) == (1_700_000_118_000, 1000)
    assert (found.callid, found.queue, found.agent) == ("1700000100.10", "support", "Agent 3")
    assert (found.event, found.parameters) == ("CONNECT", ("18", "1700000115.13", "2"))
    assert (found.whole(0), found.whole(1), found.whole(7), found.whole(-1)) == (18, None, None, 2)


@pytest.mark.parametrize("nobody", ["NONE", "REALTIME", "MANAGER", "CLI", ""])
def test_what_stands_for_no_call_is_none(nobody: str) -> None:
    found = read(f"1700000118|{nobody}|NONE|NONE|QUEUESTART|".encode())

    assert (found.callid, found.queue, found.agent) == ("", "", "")


@pytest.mark.parametrize("raw", [b"", b"  ", b"\0\0\0", b"\r"])
def test_an_empty_line_says_nothing(raw: bytes) -> None:
    assert Lines(source()).read(raw) is None


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"hello", "line: not epoch|callid|queue|agent|EVENT"),
        (b"17000001x8|1.1|support|NONE|ABANDON|1|1|1", "line: not epoch|callid|queue|agent|EVENT"),
        (b"999999999999|1.1|support|NONE|ABANDON|1|1|1", "line: not epoch|callid|queue|agent|EVENT"),
        (b"1700000118|1.1|support|NONE", "line: not epoch|callid|queue|agent|EVENT"),
        (b"1700000118|1.1|support|NONE||1", "event: missing"),
    ],
)
def test_what_is_no_line_is_spoiled(raw: bytes, detail: str) -> None:
    found = Lines(source()).read(raw)

    assert isinstance(found, Spoiled)
    assert (found.detail, found.size) == (detail, len(raw))


def test_what_is_not_utf8_is_read_all_the_same() -> None:
    assert read(b"1700000118|1.1|support|Ren\xe9|PAUSE|Caf\xe9").agent == "Ren\ufffd"


def test_a_fraction_of_a_second_is_whole() -> None:
    assert (read(b"1700000118.25|1|q|NONE|ABANDON").at_ms, read(b"1.25|1|q|NONE|ABANDON").precision_ms) == (
        1_700_000_118_250,
        0,
    )


HEADER = b"id,time,callid,queuename,agent,event,data1,data2,data3,data4,data5"
ROW = b'7,2026-01-31 12:00:01.250000,1.1,support,"Martin, Lea",CONNECT,18,1.2,2,,'


def test_a_row_of_the_table_by_its_header() -> None:
    lines = Lines(source(format="csv", time_zone="Europe/Paris"))
    assert lines.read(HEADER) is None
    found = lines.read(ROW)

    assert isinstance(found, Line)
    assert (found.at_ms, found.precision_ms) == (1_769_857_201_250, 0)
    assert (found.agent, found.event, found.whole(2)) == ("Martin, Lea", "CONNECT", 2)


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("csv", ROW),
        ("csv", ROW[2:]),
        ("tsv", b"2026-01-31 12:00:01.250000\t1.1\tsupport\tMartin, Lea\tCONNECT\t18\t1.2\t2\tNULL\t\\N"),
    ],
)
def test_without_a_header_the_columns_are_those_of_asterisk(form: str, raw: bytes) -> None:
    found = read(raw, format=form, time_zone="Europe/Paris")

    assert (found.at_ms, found.queue, found.event) == (1_769_857_201_250, "support", "CONNECT")
    assert (found.whole(0), found.text(1), found.whole(2), found.text(3)) == (18, "1.2", 2, "")


def test_one_column_of_data_has_bars() -> None:
    lines = Lines(source(format="tsv"))
    lines.read(b"time\tcallid\tqueuename\tagent\tevent\tdata")
    found = lines.read(b"2026-01-31 12:00:01\t1.1\tsupport\tLea\tCONNECT\t18|1.2|2")

    assert isinstance(found, Line)
    assert (found.parameters, found.precision_ms) == (("18", "1.2", "2"), 1000)


def test_the_hour_that_the_clock_shows_twice_is_told_in_order() -> None:
    """In Paris on 25 October 2026 it is 2 o'clock twice."""
    lines = Lines(source(format="tsv", time_zone="Europe/Paris"))
    local = ["02:10:00", "02:50:00", "02:00:30", "02:00:31", "02:59:59", "03:00:00"]
    rows = [lines.read(f"2026-10-25 {each}\t1.1\tq\tNONE\tPAUSE".encode()) for each in local]
    instants = [row.at_ms // 1000 for row in rows if isinstance(row, Line)]

    assert [at - instants[0] for at in instants] == [0, 2400, 3030, 3031, 6599, 6600]


@pytest.mark.parametrize(
    "raw", [b"yesterday\t1.1\tq\tNONE\tPAUSE", b"1.1", b"2026-01-31 12:00:01\t1.1\tq\tNONE\t"]
)
def test_a_row_that_cannot_be_read_is_spoiled(raw: bytes) -> None:
    assert isinstance(Lines(source(format="tsv")).read(raw), Spoiled)


def test_a_line_of_the_file_begins_with_an_instant() -> None:
    assert begins_ms(b"1700000118|1.1|support") == 1_700_000_118_000
    assert begins_ms(b"\x1f\x8b...") is None

"""What the source panel is told of sources that post events."""

import json
from typing import Any

from schemas.config import Config, SiteConfig, SourceConfig
from schemas.sources import SourceState, SourceStatus
from schemas.vocabulary import Reason
from services.ingest.admission import Admission
from services.ingest.cloudevents import Mode
from services.ingest.intake import Door
from services.ingest.posted import MAX_UNLISTED, Posted
from services.runtime.keys import ANYBODY, Holder
from tests.unit.ingest.posts import NOW_MS, PSEUDONYMS, entered

SITES = [SiteConfig(id="paris"), SiteConfig(id="lyon")]
SHOP = SourceConfig(id="shop", kind="http", site="paris", label="Shop")
PBX = SourceConfig(id="pbx1", kind="asterisk_ami", site="paris", host="127.0.0.1", port=5038)
LISTED = Config(sites=SITES, sources=[SHOP, PBX])
UNKNOWN = entered(type="com.example.someevent")


class Ingest:
    """The door and who counts behind it."""

    def __init__(self, config: Config = LISTED, *, signing: frozenset[str] = frozenset()) -> None:
        sites = frozenset(site.id for site in config.sites)
        self._door = Door(pseudonyms=PSEUDONYMS, admission=Admission(sites), signing=signing)
        self.now_ms = NOW_MS
        self._posted = Posted(config, clock=lambda: self.now_ms)

    def take(self, *events: Any, sender: Holder = ANYBODY) -> None:
        body = json.dumps(events).encode()
        self._posted.take(self._door.take(Mode.BATCH, [], body, now_ms=self.now_ms, sender=sender))

    @property
    def known(self) -> dict[tuple[str, str], SourceStatus]:
        return {(each.site, each.source): each for each in self._posted.statuses("a")}


def test_a_source_of_the_file_is_there_before_it_has_said_anything() -> None:
    (status,) = Ingest().known.values()
    assert (status.site, status.source, status.label, status.kind) == ("paris", "shop", "Shop", "http")
    assert (status.state, status.events, status.received_ms) == (SourceState.LISTENING, 0, None)
    assert (status.instance, status.since_ms, status.connected_ms) == ("a", NOW_MS, None)


def test_what_came_is_counted_by_type_and_what_was_refused_by_reason() -> None:
    ingest = Ingest()
    ingest.now_ms += 5000
    early = entered(time="2026-11-22T09:59:00Z")
    ingest.take(entered(), early, UNKNOWN, entered(data={"contact": "c"}), entered(type="+33612345678"))
    status = ingest.known["paris", "shop"]
    assert (status.events, status.types) == (2, {"queue.entered": 2})
    assert status.unknown == {"com.example.someevent": 1, "…": 1}
    assert status.outcomes == {Reason.UNKNOWN_TYPE: 2, Reason.INVALID: 1}
    assert (status.event_ms, status.received_ms) == (ingest.now_ms, ingest.now_ms)
    assert status.dead_letters == 1
    (letter,) = status.letters
    assert (letter.reason, letter.source, letter.site) == (Reason.INVALID, "shop", "paris")
    assert "+336" not in str(status)


def test_a_source_that_is_in_no_file_appears_with_the_first_thing_it_says_on_each_site() -> None:
    ingest = Ingest()
    ingest.take(entered(source="erp"), entered(source="erp", site="lyon"), {**UNKNOWN, "source": "crm"})
    assert set(ingest.known) == {("paris", "shop"), ("paris", "erp"), ("lyon", "erp"), ("paris", "crm")}
    assert ingest.known["paris", "crm"].unknown == {"com.example.someevent": 1}


def test_an_event_without_site_is_of_the_site_main_or_of_that_of_the_file() -> None:
    bare = {name: value for name, value in UNKNOWN.items() if name != "site"}
    ingest = Ingest()
    ingest.take(bare)
    assert ingest.known["paris", "shop"].unknown == {"com.example.someevent": 1}
    nowhere = Ingest(Config())
    nowhere.take(bare)
    assert set(nowhere.known) == {("main", "shop")}


def test_nobody_is_heard_on_the_panel_of_a_site_where_he_may_not_post() -> None:
    ingest = Ingest()
    only_lyon = Holder(id="till", use="ingest", sites=frozenset({"lyon"}))
    ingest.take(entered(source="erp"), {**UNKNOWN, "source": "erp"}, sender=only_lyon)
    ingest.take(entered(), UNKNOWN, entered(data={"contact": "c"}), sender=only_lyon)
    ingest.take({**UNKNOWN, "source": "erp", "site": "nice"}, entered(source="erp", site="nice"))
    assert set(ingest.known) == {("paris", "shop")}
    shop = ingest.known["paris", "shop"]
    assert (shop.received_ms, shop.unknown, shop.outcomes, shop.letters) == (None, {}, {}, [])


def test_events_in_the_name_of_a_source_of_another_kind_count_for_nobody() -> None:
    ingest = Ingest()
    ingest.take(entered(source="pbx1"), {**UNKNOWN, "source": "pbx1"})
    assert set(ingest.known) == {("paris", "shop")}


def test_what_should_have_been_signed_is_counted() -> None:
    ingest = Ingest(signing=frozenset({"shop"}))
    ingest.take(entered(), entered(id="e2"))
    status = ingest.known["paris", "shop"]
    assert (status.events, status.unsigned) == (0, {"signature_missing": 2})


def test_of_too_many_the_one_that_was_silent_for_longest_is_forgotten() -> None:
    ingest = Ingest()
    for number in range(MAX_UNLISTED):
        ingest.take(entered(source=f"till-{number}"))
    ingest.take(entered(source="till-0"))
    ingest.take(entered(source="one-more"))
    known = ingest.known
    assert len(known) == 1 + MAX_UNLISTED
    assert ("paris", "till-1") not in known
    assert known["paris", "till-0"].events == 2

"""Who is told, and under which id."""

from msgspec.structs import replace

from schemas.config import ChannelConfig, PersonConfig, QueueConfig, TeamConfig
from schemas.recipients import Destination, Nobody, delivery_id, destinations, recipients
from tests.unit.api.rows import alert
from tests.unit.notifier.told import CENTRE, IDLE, LEA, led_by


def test_the_leads_of_the_team_are_told_by_all_their_channels() -> None:
    twice = PersonConfig(id="zoe", channels=[*LEA.channels, *LEA.channels, ChannelConfig(kind="email")])
    config = replace(led_by("lea", "zoe"), people=[LEA, twice, IDLE])

    assert recipients(config, alert()) == [
        Destination("lea", "webhook"),
        Destination("zoe", "webhook"),
        Destination("zoe", "webhook-2"),
        Destination("zoe", "email"),
    ]
    assert set(destinations(config)) == {*recipients(config, alert())}


def test_an_alert_that_reaches_nobody_says_why() -> None:
    assert recipients(CENTRE, alert(team=None)) is Nobody.NO_TEAM
    assert recipients(CENTRE, alert(team="n9")) is Nobody.NO_TEAM
    assert recipients(replace(CENTRE, teams=[TeamConfig(id="n1")]), alert()) is Nobody.NO_LEADS
    assert recipients(led_by("idle"), alert()) is Nobody.NO_CHANNELS


def test_an_alert_on_the_system_itself_is_told_to_every_team_of_its_site() -> None:
    elsewhere = QueueConfig(id="sales", site="lyon", team="n2")
    config = replace(
        CENTRE,
        queues=[*CENTRE.queues, elsewhere],
        teams=[*CENTRE.teams, TeamConfig(id="n2", leads=["bob"])],
    )

    assert recipients(config, alert(queue="", team=None)) == [Destination("lea", "webhook")]
    assert recipients(config, alert(queue="", team=None, site="lyon")) == [Destination("bob", "email")]
    assert recipients(config, alert(queue="", team=None, site="nice")) is Nobody.NO_TEAM


def test_an_id_is_that_of_alert_version_channel_and_person_alone() -> None:
    first = delivery_id("a", 1, channel="webhook", person="lea")

    assert first == delivery_id("a", 1, channel="webhook", person="lea")
    others = {
        delivery_id("b", 1, channel="webhook", person="lea"),
        delivery_id("a", 2, channel="webhook", person="lea"),
        delivery_id("a", 1, channel="email", person="lea"),
        delivery_id("a", 1, channel="webhook", person="bob"),
    }
    assert len(others | {first}) == 5
    assert "." not in first  # the signature separates its parts by it

"""Who is told of an alert, by which channels, and under which id: from the alert and the settings."""

from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from schemas.board import Alert
from schemas.config import ChannelConfig, Config, PersonConfig
from schemas.deliveries import ChannelKind


class Destination(NamedTuple):
    """One channel of one person. `channel` is its kind, numbered from the second of a kind on."""

    person: str
    channel: str


class Nobody(StrEnum):
    """Why an alert reaches nobody; also the metric label."""

    NO_TEAM = "no_team"
    NO_LEADS = "no_leads"
    NO_CHANNELS = "no_channels"


def delivery_id(alert_id: str, version: int, *, channel: str, person: str) -> str:
    """The same notice to the same channel has the same id whatever restarts. No `.` in it: it is signed."""
    return "n_" + sha256(f"{alert_id}|{version}|{channel}|{person}".encode()).hexdigest()[:32]


def destinations(config: Config) -> dict[Destination, ChannelConfig]:
    """Every channel of every person."""
    return {
        Destination(person.id, name): channel for person in config.people for name, channel in _named(person)
    }


def recipients(config: Config, alert: Alert) -> list[Destination] | Nobody:
    """The channels of the leads of the alert's team, or why there are none.

    An alert on no queue is about the system itself: it is told to the leads of every team of its site.
    """
    names = {alert.team} if alert.queue else {q.team for q in config.queues if q.site == alert.site}
    teams = [team for team in config.teams if team.id in names]
    if not teams:
        return Nobody.NO_TEAM
    leads = [person for person in config.people if any(person.id in team.leads for team in teams)]
    if not leads:
        return Nobody.NO_LEADS
    found = [Destination(person.id, name) for person in leads for name, _ in _named(person)]
    return found or Nobody.NO_CHANNELS


def kind_of(channel: ChannelConfig) -> ChannelKind:
    return ChannelKind(channel.kind)


def _named(person: PersonConfig) -> Iterator[tuple[str, ChannelConfig]]:
    seen: dict[str, int] = {}
    for channel in person.channels:
        seen[channel.kind] = seen.get(channel.kind, 0) + 1
        number = seen[channel.kind]
        yield (channel.kind if number == 1 else f"{channel.kind}-{number}"), channel

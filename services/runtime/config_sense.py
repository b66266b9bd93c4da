"""What a configuration of the right shape may still have wrong: names that lead nowhere, hours that
cannot be read, addresses nobody may use. Pure: each check gives faults, none stops at the first.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from schemas.config import RATIOS, ChannelConfig, Config, QueueConfig, RuleConfig, SmtpConfig, SourceConfig
from schemas.events import EVERY_SITE
from schemas.expressions import Expression, settings_of
from schemas.hours import Hours
from schemas.vocabulary import OperationsRule
from services.runtime import config_kafka, config_sources, secrets
from services.runtime.addresses import Network, address_of, is_public, is_within, networks
from services.runtime.config_shape import Fault, suggestion
from services.runtime.listening import is_loopback, split_address
from services.runtime.secrets import NoSecret
from services.runtime.toml_lines import Place

_LISTENERS = {"ingest": "ingest", "api": "board", "aggregator": "board", "notifier": "board"}
"""What listens, and what the first key is for that people will need there."""
_OF_NOTHING = hashlib.sha256(b"").hexdigest()
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_OURS = "vigie/"
"""Sources of our own carry this prefix (`schemas.events`): nobody else may."""


def faults_of(config: Config) -> Iterator[Fault]:
    """Every fault of sense. Fields that are None because their shape was wrong are passed over."""
    yield from _addresses(config)
    for name, said in config_kafka.faults_of(config.kafka):
        yield ("kafka", *name), said
    yield from _sites(config)
    yield from _queues(config)
    yield from _people(config)
    yield from _notices(config)
    yield from _keys(config)
    yield from _sources(config)
    for number, rule in enumerate(config.rules):
        yield from _rule(config, rule, ("rules", number))


def faults_of_kafka(config: Config, environment: Mapping[str, str]) -> Iterator[Fault]:
    """What [kafka] names and this machine does not have: certificates, the password."""
    for name, said in config_kafka.faults_of_machine(config.kafka, environment):
        yield ("kafka", name), said


def faults_of_secrets(config: Config, environment: Mapping[str, str]) -> Iterator[Fault]:
    """Secrets that the file names elsewhere and this machine does not have."""
    for place, holder in _secret_holders(config):
        is_webhook = isinstance(holder, ChannelConfig) and holder.kind == "webhook"
        is_signer = isinstance(holder, SourceConfig) and holder.kind == "http" and _has_secret(holder)
        if is_webhook and not (holder.secret_env or holder.secret_file):
            continue  # said by `faults_of`
        if isinstance(holder, SourceConfig):
            yield from _previous_secret(holder, place, environment)
        try:
            (secrets.read_webhook_key if is_webhook or is_signer else secrets.read)(holder, environment)
        except NoSecret as error:
            yield (*place, error.field), error.detail


def _previous_secret(source: SourceConfig, place: Place, environment: Mapping[str, str]) -> Iterator[Fault]:
    try:
        secrets.read_named(
            "previous_secret",
            environment,
            variable=source.previous_secret_env,
            file=source.previous_secret_file,
        )
    except NoSecret as error:
        yield (*place, error.field), error.detail


def _addresses(config: Config) -> Iterator[Fault]:
    taken: dict[str, str] = {}
    for name, use in _LISTENERS.items():
        address = getattr(config.http, name)
        place: Place = ("http", name)
        parts = split_address(address)
        if parts is None:
            yield place, f'"{address}" is not host:port'
        elif not is_loopback(parts[0]) and config.auth is None:
            yield (
                place,
                (
                    f"{address} can be reached from other machines, which needs the keys of [auth]: "
                    f"`vigie key new --for {use}` makes one; or listen on 127.0.0.1"
                ),
            )
        elif parts[1] != 0 and address in taken:
            yield place, f"{address} is also the address of {taken[address]}"
        taken.setdefault(address, name)
    for number, origin in enumerate(config.http.origins):
        if urlsplit(origin).scheme not in ("http", "https") or not urlsplit(origin).netloc:
            yield (
                ("http", "origins", number),
                f'"{origin}" is not an origin such as https://wallboard.example',
            )
    for number, network in enumerate(config.egress.allow):
        try:
            ipaddress.ip_network(network)
        except ValueError:
            yield ("egress", "allow", number), f'"{network}" is not a network such as 10.0.0.0/8'


def _sites(config: Config) -> Iterator[Fault]:
    yield from _repeated("sites", (site.id for site in config.sites))
    for number, site in enumerate(config.sites):
        if site.id == EVERY_SITE:
            yield ("sites", number, "id"), f'"{EVERY_SITE}" stands for every site and cannot name one'
        try:
            ZoneInfo(site.time_zone)
        except (KeyError, OSError, ValueError):  # unknown, a folder of the database, a strange name
            yield (
                ("sites", number, "time_zone"),
                f'"{site.time_zone}" is not a time zone such as "Europe/Paris"',
            )


def _queues(config: Config) -> Iterator[Fault]:
    yield from _repeated("queues", ((q.site, q.id) if q.id else None for q in config.queues))
    teams = [team.id for team in config.teams]
    for number, queue in enumerate(config.queues):
        place: Place = ("queues", number)
        yield from _known_site(config, queue.site, place)
        if queue.team is not None:
            yield from _known("team", queue.team, teams, (*place, "team"))
        if queue.hours is not None:
            try:
                Hours.parse(queue.hours)
            except ValueError as error:
                yield (*place, "hours"), str(error)
        if queue.occupancy[0] > queue.occupancy[1]:
            yield (*place, "occupancy"), "its first number is above its second"


def _people(config: Config) -> Iterator[Fault]:
    yield from _repeated("teams", (team.id for team in config.teams))
    yield from _repeated("people", (person.id for person in config.people))
    people = [person.id for person in config.people]
    for number, team in enumerate(config.teams):
        if team.id and not team.leads:
            yield ("teams", number), f'"{team.id}" has no leads: nobody would be told of its alerts'
        for position, lead in enumerate(team.leads):
            yield from _known("person", lead, people, ("teams", number, "leads", position))


def _keys(config: Config) -> Iterator[Fault]:
    if config.auth is None:
        return
    keys = config.auth.keys
    if not keys:
        yield ("auth",), "keys is empty, so nobody could use Vigie; `vigie key new --for board` makes one"
    yield from _repeated("auth.keys", (key.id for key in keys))
    hashes: dict[str | None, int] = {}
    for number, key in enumerate(keys):
        place: Place = ("auth", "keys", number)
        if key.hash == _OF_NOTHING:
            yield (*place, "hash"), "is the hash of nothing; `vigie key new` makes a key with its hash"
        elif key.hash is not None and hashes.setdefault(key.hash, number) != number:
            yield (*place, "hash"), f"is also that of auth.keys[{hashes[key.hash]}]: one key, one entry"
        if key.sites == []:
            yield (*place, "sites"), "is empty; left out, the key is for every site"
        for position, site in enumerate(key.sites or []):
            yield from _known_site(config, site, place, ("sites", position))


def _notices(config: Config) -> Iterator[Fault]:
    """Whether notices can reach those whom the file names."""
    allowed = networks(config.egress.allow)
    url = config.http.board_url
    if url is not None and urlsplit(url).scheme not in ("http", "https"):
        yield ("http", "board_url"), f'"{url}" does not start with https:// or http://'
    for number, person in enumerate(config.people):
        for position, channel in enumerate(person.channels):
            place: Place = ("people", number, "channels", position)
            if channel.kind == "webhook":
                yield from _webhook(channel, allowed, place)
            elif not _ADDRESS.fullmatch(channel.address or ""):
                yield (*place, "address"), "an email needs an address such as lea@example.org"
            if channel.kind == "email" and config.smtp is None:
                yield place, "an email needs [smtp]: the relay that takes it"
    if config.smtp is not None:
        yield from _smtp(config.smtp)


def _webhook(channel: ChannelConfig, allowed: Sequence[Network], place: Place) -> Iterator[Fault]:
    """Names are resolved when a notice leaves, and looked at then (`services/notifier/egress.py`)."""
    if not channel.secret_env and not channel.secret_file:
        yield place, "secret_env or secret_file is missing: where the signing secret (whsec_…) is found"
    try:
        parts = urlsplit(channel.url or "")
        host = parts.hostname if parts.port != 0 else None
        (host or "").encode("idna")
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        yield (*place, "url"), "a webhook needs a url that starts with https:// or http://"
        return
    if parts.username is not None or parts.password is not None:
        yield (*place, "url"), "a name or password in the url is not sent: use the signing secret"
    address = address_of(host)
    is_inside = address is not None and is_within(address, allowed)
    if address is not None and not is_public(address) and not is_inside:
        yield (*place, "url"), f"{host} is a private address, and [egress] allow does not name it"
    elif parts.scheme == "http" and not is_inside and (address is not None or not allowed):
        yield (*place, "url"), "http:// goes to addresses of [egress] allow only: use https://"


def _smtp(smtp: SmtpConfig) -> Iterator[Fault]:
    if smtp.sender is None:
        yield ("smtp",), "sender is missing: the address that mails come from"
    elif not _ADDRESS.fullmatch(parseaddr(smtp.sender)[1]) or not smtp.sender.isprintable():
        yield ("smtp", "sender"), f'"{smtp.sender}" is not an address such as "Vigie <vigie@example.org>"'
    has_secret = bool(smtp.secret_env or smtp.secret_file)
    if smtp.user and not has_secret:
        yield ("smtp",), "secret_env or secret_file is missing: where the password of user is found"
    if has_secret and not smtp.user:
        yield ("smtp",), "user is missing: whose password the secret is"
    if smtp.user and smtp.tls == "none" and not is_loopback(smtp.host):
        yield ("smtp", "tls"), 'the password would travel in clear: use "starttls" or "tls"'


def _sources(config: Config) -> Iterator[Fault]:
    yield from _repeated("sources", (source.id for source in config.sources))
    for number, source in enumerate(config.sources):
        place: Place = ("sources", number)
        yield from _known_site(config, source.site, place)
        if source.id and source.id.startswith(_OURS):
            yield (*place, "id"), f'names that start with "{_OURS}" are Vigie\'s own'
        for name, said in config_sources.faults_of(source):
            yield (*place, *name), said
    for place, holder in _secret_holders(config):
        if holder.secret_env and holder.secret_file:
            yield (*place, "secret_file"), "secret_env is given too; one of them is enough"


def _rule(config: Config, rule: RuleConfig, place: Place) -> Iterator[Fault]:
    if place == ("rules", 0):
        yield from _repeated("rules", (each.id for each in config.rules))
    if rule.id in list(OperationsRule):
        yield (*place, "id"), f'"{rule.id}" is a rule of Vigie\'s own, which is always in force'
    queues = [queue.id for queue in config.queues]
    for position, queue in enumerate(rule.queues or []):
        yield from _known("queue", queue, queues, (*place, "queues", position))
    parsed: dict[str, Expression] = {}
    for name, text in (("fire", rule.fire), ("clear", rule.clear)):
        try:
            if text is not None:
                parsed[name] = Expression.parse(text)
        except ValueError as error:
            yield (*place, name), str(error)
    for name, expression in parsed.items():
        fault = _never_met(config, rule, name, expression)
        if fault is not None:
            yield (*place, name), fault
            return
    if len(parsed) == 2:
        yield from _apart(config, rule, fire=parsed["fire"], clear=parsed["clear"], place=(*place, "clear"))


def _never_met(config: Config, rule: RuleConfig, name: str, expression: Expression) -> str | None:
    """Why the metric's values never compare so, or do from the start; None when they may.

    `longest_wait_s` only ever grows to its limit (0 when nobody waits), ratios lie between 0 and 1.
    """
    text = rule.fire if name == "fire" else rule.clear
    if rule.metric == "longest_wait_s" and name == "fire" and expression.op not in (">", ">="):
        return f'"{text}" fires on short waits; a rule on longest_wait_s fires above its limit: use > or >='
    for queue in _queues_of(config, rule):
        limit = expression.limit(settings_of(queue))
        if rule.metric in RATIOS and not 0 <= limit <= 1:
            return f'"{text}" compares with {limit:g}, and {rule.metric} is a ratio from 0 to 1'
        if limit < 0 or (limit == 0 and expression.op == "<"):
            return f'"{text}" compares with {limit:g}, and {rule.metric} is never below 0'
    return None


def _apart(
    config: Config, rule: RuleConfig, *, fire: Expression, clear: Expression, place: Place
) -> Iterator[Fault]:
    """A value that fires must not clear as well: the alert would come and go without end."""
    sign = 1 if fire.op.startswith(">") else -1
    if clear.op[0] == fire.op[0]:
        yield place, f'"{rule.clear}" compares the same way as fire, "{rule.fire}"'
        return
    both_hold_at_the_limit = clear.op.endswith("=") and fire.op.endswith("=")
    for queue in _queues_of(config, rule):
        settings = settings_of(queue)
        room = sign * (fire.limit(settings) - clear.limit(settings))
        if room < 0 or (room == 0 and both_hold_at_the_limit):
            yield place, f'some values both clear ("{rule.clear}") and fire ("{rule.fire}")'
            return


def _queues_of(config: Config, rule: RuleConfig) -> Sequence[QueueConfig]:
    """The queues that a rule looks at; without any in the file, one with every default."""
    return [queue for queue in config.queues or [QueueConfig(id="")] if rule.concerns(queue)]


def _repeated(table: str, ids: Iterable[Any]) -> Iterator[Fault]:
    first: dict[Any, int] = {}
    names: Place = tuple(table.split("."))
    for number, each in enumerate(ids):
        if each is not None and each in first:
            name = each[1] if isinstance(each, tuple) else each
            yield (*names, number, "id"), f'"{name}" is already the id of {table}[{first[each]}]'
        elif each is not None:
            first[each] = number


def _known(what: str, word: str, known: Sequence[str], place: Place) -> Iterator[Fault]:
    if word not in known:
        plural = {"person": "people"}.get(what, f"{what}s")
        names = [each for each in known if each]
        yield place, f'{what} "{word}" is not in [[{plural}]]{suggestion(word, names)}'


def _known_site(config: Config, site: str, place: Place, field: Place = ("site",)) -> Iterator[Fault]:
    """A file that lists no site accepts any."""
    if config.sites:
        yield from _known("site", site, [each.id for each in config.sites], (*place, *field))


def _secret_holders(config: Config) -> Iterator[tuple[Place, Any]]:
    for number, source in enumerate(config.sources):
        yield ("sources", number), source
    for number, person in enumerate(config.people):
        for position, channel in enumerate(person.channels):
            yield ("people", number, "channels", position), channel
    if config.smtp is not None:
        yield ("smtp",), config.smtp


def _has_secret(source: SourceConfig) -> bool:
    return bool(source.secret_env or source.secret_file)

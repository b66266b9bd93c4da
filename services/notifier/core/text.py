"""How a notice is worded, in French and English: one line for a locked screen, and a mail.

The line says queue, what, since when, how many wait and the longest, where hands are free. The subject
of a mail has nothing in it that changes during an episode, so that its mails stay one thread.
"""

import math
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from schemas.board import Alert
from schemas.config import Config
from schemas.vocabulary import Notice

_RATIOS = ("service_level", "abandonment", "occupancy", "cleared", "cleared_business")
_WAIT = "longest_wait_s"

_WORDS = {
    "fr": {
        "colon": "\u00a0: ",
        "semicolon": "\u00a0; ",
        "percent": "\u00a0%",
        "wait": "plus de {limit} d’attente",
        "metric": "{metric} {value} (limite {limit})",
        "service_level": "taux de service",
        "abandonment": "taux d’abandon",
        "occupancy": "taux d’occupation",
        "agents.available": "agents disponibles",
        "backlog": "dossiers en cours",
        "oldest_item_s": "plus ancien dossier",
        "oldest_item_business_s": "plus ancien dossier, heures ouvrées",
        "cleared": "traités dans le délai",
        "cleared_business": "traités dans le délai, heures ouvrées",
        "source_age_s": "la source {source} se tait",
        "events_missed": "des événements manquent dans {source}",
        "notice_tries": "personne n’a pu être prévenu par {source}",
        "since": "{what} depuis {since}",
        "waiting": "{n} en attente",
        "longest": "{n} en attente, la plus longue {longest}",
        "lever": "{n} disponibles sur {queue}",
        Notice.ACKNOWLEDGED: "pris en charge par {by}",
        Notice.SNOOZED: "en veille jusqu’à {until}",
        Notice.SUPPRESSED: "données figées, alerte suspendue",
        Notice.RESUMED: "l’alerte reprend",
        Notice.RESOLVED: "retour à la normale après {lasted}",
        Notice.WITHDRAWN: "alerte retirée (règle ou file supprimée, ou file fermée)",
        "corrected": "alerte annulée, un fait connu après coup montre qu’elle n’était pas due",
        "by_hand": "close à la main",
        "somebody": "quelqu’un",
        "severity": "Gravité",
        "critical": "critique",
        "warning": "avertissement",
        "note": "Note",
        "board": "Tableau",
    },
    "en": {
        "colon": ": ",
        "semicolon": "; ",
        "percent": "%",
        "wait": "a wait above {limit}",
        "metric": "{metric} {value} (limit {limit})",
        "service_level": "service level",
        "abandonment": "abandonment",
        "occupancy": "occupancy",
        "agents.available": "agents available",
        "backlog": "backlog",
        "oldest_item_s": "oldest item",
        "oldest_item_business_s": "oldest item, business hours",
        "cleared": "cleared within the promise",
        "cleared_business": "cleared within the promise, business hours",
        "source_age_s": "source {source} is silent",
        "events_missed": "events are missing from {source}",
        "notice_tries": "nobody could be told by {source}",
        "since": "{what} since {since}",
        "waiting": "{n} waiting",
        "longest": "{n} waiting, the longest {longest}",
        "lever": "{n} available on {queue}",
        Notice.ACKNOWLEDGED: "taken by {by}",
        Notice.SNOOZED: "snoozed until {until}",
        Notice.SUPPRESSED: "data are stale, alert suspended",
        Notice.RESUMED: "the alert goes on",
        Notice.RESOLVED: "back to normal after {lasted}",
        Notice.WITHDRAWN: "alert withdrawn (rule or queue gone, or queue closed)",
        "corrected": "alert taken back, a fact known since shows that it was not due",
        "by_hand": "closed by hand",
        "somebody": "somebody",
        "severity": "Severity",
        "critical": "critical",
        "warning": "warning",
        "note": "Note",
        "board": "Board",
    },
}


class Words(NamedTuple):
    """`line` for a locked screen; `subject`, the same for all of an episode, and `body` for a mail."""

    line: str
    subject: str
    body: str
    board_url: str


def words(alert: Alert, notice: Notice, config: Config) -> Words:
    """The notice in the language of the settings, instants in the time zone of the site."""
    say = _WORDS[config.notices.lang]
    queue = _queue_label(alert, alert.queue, config)
    sayings = _sayings(alert, notice, config)
    line = _flat(queue + say["colon"] + say["semicolon"].join(sayings))
    url = board_url(alert, config)
    body = [line, "", f"{say['severity']}{say['colon']}{say[alert.severity]}"]
    if alert.note:
        body.append(f"{say['note']}{say['colon']}{_flat(alert.note)}")
    body += [f"{say['board']}{say['colon']}{url}", ""]
    return Words(line, _flat(queue + say["colon"] + _subject(alert, config)), "\n".join(body), url)


def board_url(alert: Alert, config: Config) -> str:
    """The wallboard with this queue alone."""
    base = config.http.board_url_in_force
    joint = "&" if "?" in base else "?"
    shown = {"site": alert.site, "queues": alert.queue} if alert.queue else {"site": alert.site}
    return base + joint + urlencode(shown)


def _sayings(alert: Alert, notice: Notice, config: Config) -> list[str]:
    say = _WORDS[config.notices.lang]
    since = say["since"].format(what=_what(alert, config), since=_clock(alert.crossed_ms, alert, config))
    if notice is Notice.RESOLVED and alert.reason == "corrected":
        return [say["corrected"]]
    if notice is Notice.RESOLVED and alert.reason == "by_hand":
        return [say["by_hand"], since]
    if notice is Notice.RESOLVED:
        ended_ms = alert.resolved_ms if alert.resolved_ms is not None else alert.crossed_ms
        lasted = duration(max(0, ended_ms - alert.crossed_ms) / 1000)
        return [say[notice].format(lasted=lasted), since]
    if notice is Notice.WITHDRAWN:
        return [say[notice]]
    now = [since, *_situation(alert, config)]
    if notice is Notice.FIRED:
        return now
    until_ms = alert.snoozed_until_ms if alert.snoozed_until_ms is not None else alert.fired_ms
    opening = say[notice].format(
        by=alert.acknowledged_by or say["somebody"], until=_clock(until_ms, alert, config)
    )
    return [opening, since] if notice is Notice.SUPPRESSED else [opening, *now]


def _what(alert: Alert, config: Config) -> str:
    say = _WORDS[config.notices.lang]
    if alert.metric == _WAIT:
        return say["wait"].format(limit=duration(alert.threshold))
    if alert.source is not None:
        return say[alert.metric].format(source=alert.source) if alert.metric in say else alert.metric
    return say["metric"].format(
        metric=say.get(alert.metric, alert.metric),
        value="–" if alert.value is None else _figure(alert.metric, alert.value, say["percent"]),
        limit=_figure(alert.metric, alert.threshold, say["percent"]),
    )


def _subject(alert: Alert, config: Config) -> str:
    say = _WORDS[config.notices.lang]
    is_whole = alert.metric == _WAIT or alert.source is not None
    return _what(alert, config) if is_whole else say.get(alert.metric, alert.metric)


def _situation(alert: Alert, config: Config) -> list[str]:
    """How many wait and the longest, and where hands are free, as far as the alert tells."""
    say, found = _WORDS[config.notices.lang], []
    if alert.waiting is not None and alert.metric == _WAIT and alert.value:
        found.append(say["longest"].format(n=alert.waiting, longest=duration(alert.value)))
    elif alert.waiting is not None:
        found.append(say["waiting"].format(n=alert.waiting))
    if alert.lever is not None and alert.lever.available:
        queue = _queue_label(alert, alert.lever.queue, config)
        found.append(say["lever"].format(n=alert.lever.available, queue=queue))
    return found


def _queue_label(alert: Alert, queue: str, config: Config) -> str:
    site = config.site(alert.site).label or alert.site
    if not queue:
        return site
    label = config.queue(alert.site, queue, alert.channel).label_in_force
    return label if len(config.sites) < 2 else f"{label} ({site})"


def duration(seconds: float) -> str:
    """`45 s`, `2 min`, `2 min 05 s`, `1 h 05 min`, `3 d`: whole units, the two largest."""
    whole = math.floor(seconds)
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    if minutes == 0:
        return f"{s}\u00a0s"
    if hours == 0:
        return f"{m}\u00a0min" + (f"\u00a0{s:02}\u00a0s" if s else "")
    if hours < 48:
        return f"{hours}\u00a0h" + (f"\u00a0{m:02}\u00a0min" if m else "")
    return f"{hours // 24}\u00a0×\u00a024\u00a0h"


def _figure(metric: str, value: float, percent: str) -> str:
    if metric in _RATIOS:
        return f"{value * 100:.0f}{percent}"
    if metric.endswith("_s"):
        return duration(value)
    return f"{value:g}"


def _clock(at_ms: int, alert: Alert, config: Config) -> str:
    """`10:14`; with its day when that is not the day of the alert."""
    zone = ZoneInfo(config.site(alert.site).time_zone)
    told = datetime.fromtimestamp(at_ms / 1000, zone)
    day = datetime.fromtimestamp(alert.fired_ms / 1000, zone).date()
    return f"{told:%H:%M}" if told.date() == day else f"{told:%d/%m %H:%M}"


def _flat(text: str) -> str:
    """On one line: names come from outside, and a line break would end a header."""
    return " ".join("".join(c if c.isprintable() or c == "\u00a0" else " " for c in text).split(" "))

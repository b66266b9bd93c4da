"""What each figure means, in words: the registry behind `GET /api/v1/definitions`.

The page prints nothing about a figure that does not stand here. Formulas say what the fold
computes (SEMANTICS.md §3 to §6); a test compares the names with the fields of the rows. Figures
carry their own numerator and denominator where they have them.
"""

from msgspec import Struct

from schemas.vocabulary import ServiceLevelDefinition

SINCE_MS = 1_795_305_600_000
"""2026-11-22, 00:00 UTC: the first release. A changed meaning gets a new instant."""


class Text(Struct, frozen=True):
    """The same in French and in English."""

    fr: str
    en: str


class Definition(Struct, frozen=True, kw_only=True):
    """One figure. `name` is its field in a queue's row, or in one of its windows (`scope` window); a field
    of that field stands after a dot.

    `numerator` and `denominator` are there for ratios and means, so that a page can write the
    fraction with the figures of the moment. `inputs` are fields beside it that it can be checked with.
    """

    name: str
    scope: str
    label: Text
    formula: Text
    unit: str
    inputs: tuple[str, ...]
    exclusions: Text
    attribution: Text
    source: str
    numerator: Text | None = None
    denominator: Text | None = None
    since_ms: int = SINCE_MS


class ServiceLevelFormula(Struct, frozen=True, kw_only=True):
    """One of the eight ways to count a service level; `symbols` with the letters of SEMANTICS.md §4."""

    definition: ServiceLevelDefinition
    label: Text
    numerator: Text
    denominator: Text
    symbols: str
    source: str = "SEMANTICS.md §4"
    since_ms: int = SINCE_MS


_NOW = Text("à l'instant", "at this instant")
_OFFER = Text(
    "la fenêtre qui contient l'instant d'entrée en file",
    "the window that holds the instant of entering the queue",
)
_DECISION = Text(
    "téléphone et chat : la fenêtre de l'entrée en file ; e-mail, courrier, réseaux sociaux, SMS : celle "
    "de la décision, au plus tôt de la sortie de file et de l'entrée plus le seuil",
    "phone and chat: the window of entering the queue; e-mail, letter, social, SMS: that of the decision, "
    "the earlier of leaving the queue and entering plus the threshold",
)
_CLIPPED = Text(
    "le temps d'horloge qui tombe dans la fenêtre", "the wall-clock time that lies within the window"
)
_CLEARED_AT = Text(
    "l'instant de la décision, au plus tôt de la clôture et de l'échéance ; aujourd'hui : tout ce qui est "
    "décidé ce jour, quelle que soit la date d'entrée",
    "the instant of the decision, the earlier of closing and the deadline; today: all that is decided on "
    "this date, whenever it entered",
)
_OPEN_ITEMS = Text(
    "téléphone et chat : sans objet ; dossiers répondus et sans nouvelle depuis 10 délais promis",
    "phone and chat: does not apply; items replied to and without news for 10 times the promise",
)
_NOT_DECIDED = Text(
    "téléphone et chat : sans objet ; dossiers en cours avant leur échéance : non décidés",
    "phone and chat: does not apply; open items before their deadline: not decided yet",
)
_RECEIVED = Text("l'instant de réception", "the instant of receipt")
_TALK_ENDED = Text("la fin de la conversation", "the end of the conversation")
_NONE = Text("rien", "nothing")

DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        name="waiting",
        scope="queue",
        label=Text("En attente", "Waiting"),
        formula=Text(
            "contacts entrés en file et sans issue", "contacts that entered the queue and have no outcome yet"
        ),
        unit="contacts",
        inputs=("oldest_entered_ms",),
        exclusions=_NONE,
        attribution=_NOW,
        source="SEMANTICS.md §3",
    ),
    Definition(
        name="longest_wait_s",
        scope="queue",
        label=Text("Attente max", "Longest wait"),
        formula=Text(
            "maintenant moins l'entrée en file du plus ancien contact en attente",
            "now minus the instant the oldest waiting contact entered the queue",
        ),
        unit="s",
        inputs=("oldest_entered_ms", "waiting"),
        exclusions=Text("aucun contact en attente : pas de valeur", "no contact waiting: no value"),
        attribution=_NOW,
        source="SEMANTICS.md §2, §6; METRICS.md §2",
    ),
    Definition(
        name="pre_breach",
        scope="queue",
        label=Text("Bientôt au-delà de la limite", "Soon past the limit"),
        formula=Text(
            "contacts en attente sous la limite, qui l'atteindront dans les 30 s si personne ne répond",
            "contacts waiting below the limit that will reach it within 30 s if nobody answers",
        ),
        unit="contacts",
        inputs=("waiting", "limits"),
        exclusions=Text("contacts déjà à la limite ou au-delà", "contacts already at the limit or past it"),
        attribution=_NOW,
        source="INTERFACE.md §5",
    ),
    Definition(
        name="backlog.open",
        scope="queue",
        label=Text("En cours", "Backlog"),
        formula=Text(
            "dossiers entrés en file et non clos : en attente d'une première réponse, ou répondus et pas "
            "encore clos",
            "items that entered the queue and are not closed: waiting for a first reply, or replied to and "
            "not closed yet",
        ),
        unit="items",
        inputs=("waiting", "backlog"),
        exclusions=_OPEN_ITEMS,
        attribution=_NOW,
        source="docs/decisions/0016; METRICS.md §2",
    ),
    Definition(
        name="backlog.oldest_s",
        scope="queue",
        label=Text("Plus ancien", "Oldest"),
        formula=Text(
            "maintenant moins l'entrée en file du plus ancien dossier en cours, au calendrier",
            "now minus the instant the oldest open item entered the queue, by the calendar",
        ),
        unit="s",
        inputs=("backlog", "limits"),
        exclusions=_OPEN_ITEMS,
        attribution=_NOW,
        source="docs/decisions/0016; METRICS.md §2",
    ),
    Definition(
        name="backlog.oldest_business_s",
        scope="queue",
        label=Text("Plus ancien, heures ouvrées", "Oldest, business hours"),
        formula=Text(
            "temps d'ouverture de la file écoulé depuis l'entrée du plus ancien dossier en cours",
            "time within the queue's opening hours since the oldest open item entered",
        ),
        unit="s",
        inputs=("backlog", "open", "changes_ms"),
        exclusions=_OPEN_ITEMS,
        attribution=_NOW,
        source="docs/decisions/0016; METRICS.md §2",
    ),
    Definition(
        name="agents",
        scope="queue",
        label=Text("Agents par état", "Agents by state"),
        formula=Text(
            "agents affectés à la file, chacun une fois, par état présent",
            "agents assigned to the queue, each once, by their present state",
        ),
        unit="agents",
        inputs=(),
        exclusions=Text("agents affectés à d'autres files seulement", "agents assigned to other queues only"),
        attribution=_NOW,
        source="SEMANTICS.md §5",
    ),
    Definition(
        name="trend",
        scope="queue",
        label=Text("Dernière heure", "Last hour"),
        formula=Text(
            "60 points d'une minute ; attente max d'une minute : la plus longue attente d'un "
            "contact présent "
            "dans la file pendant cette minute",
            "60 points of one minute; longest wait of a minute: the longest wait of any contact "
            "that was in "
            "the queue during that minute",
        ),
        unit="",
        inputs=(),
        exclusions=_NONE,
        attribution=_OFFER,
        source="SEMANTICS.md §3",
    ),
    Definition(
        name="offered",
        scope="window",
        label=Text("Contacts présentés", "Offered"),
        formula=Text(
            "répondus + abandonnés + sortis autrement + encore en attente",
            "answered + abandoned + left otherwise + still waiting",
        ),
        unit="contacts",
        inputs=("answered", "abandoned", "left", "waiting"),
        exclusions=Text(
            "répétitions d'un même évènement ; un retour en file après non-réponse reste une "
            "seule présentation",
            "repeats of an event; a return to the queue after no answer stays one offer",
        ),
        attribution=_OFFER,
        source="SEMANTICS.md §1, §3",
    ),
    Definition(
        name="answered",
        scope="window",
        label=Text("Contacts répondus", "Answered"),
        formula=Text("contacts pris par un agent", "contacts an agent accepted"),
        unit="contacts",
        inputs=(),
        exclusions=Text("sonneries sans réponse", "ringing that nobody answered"),
        attribution=_OFFER,
        source="SEMANTICS.md §1",
    ),
    Definition(
        name="abandoned",
        scope="window",
        label=Text("Contacts abandonnés", "Abandoned"),
        formula=Text(
            "contacts partis d'eux-mêmes avant d'être pris, sonnerie chez un agent comprise",
            "contacts that gave up before being accepted, while ringing at an agent included",
        ),
        unit="contacts",
        inputs=("short_abandoned",),
        exclusions=Text(
            "expiration, touche, file vide, retrait, transfert, débordement, rappel, fermeture",
            "time-out, key, empty queue, withdrawal, transfer, overflow, callback, closing",
        ),
        attribution=_OFFER,
        source="SEMANTICS.md §1, §4",
    ),
    Definition(
        name="short_abandoned",
        scope="window",
        label=Text("Abandons courts", "Short abandons"),
        formula=Text(
            "contacts abandonnés après une attente plus courte que la limite d'abandon court de la file",
            "contacts abandoned after a wait shorter than the queue's short-abandon limit",
        ),
        unit="contacts",
        inputs=("abandoned",),
        exclusions=_NONE,
        attribution=_OFFER,
        source="SEMANTICS.md §4",
    ),
    Definition(
        name="left",
        scope="window",
        label=Text("Sortis autrement", "Left otherwise"),
        formula=Text(
            "contacts sortis de la file ni répondus ni abandonnés, par issue",
            "contacts that left the queue neither answered nor abandoned, by outcome",
        ),
        unit="contacts",
        inputs=(),
        exclusions=_NONE,
        attribution=_OFFER,
        source="SEMANTICS.md §1; INTERFACE.md §4",
    ),
    Definition(
        name="waiting",
        scope="window",
        label=Text("Encore en attente", "Still waiting"),
        formula=Text(
            "contacts de la fenêtre qui attendent encore", "contacts of the window that are still waiting"
        ),
        unit="contacts",
        inputs=(),
        exclusions=Text(
            "contacts en attente entrés avant la fenêtre", "waiting contacts that entered before the window"
        ),
        attribution=_OFFER,
        source="SEMANTICS.md §3",
    ),
    Definition(
        name="waiting_past_threshold",
        scope="window",
        label=Text("En attente au-delà du seuil", "Waiting past the threshold"),
        formula=Text(
            "contacts qui attendent encore et depuis plus longtemps que le seuil",
            "contacts still waiting, for longer than the threshold",
        ),
        unit="contacts",
        inputs=("waiting",),
        exclusions=Text(
            "contacts en attente sous le seuil : non décidés", "contacts waiting below it: not decided yet"
        ),
        attribution=_DECISION,
        source="SEMANTICS.md §4",
    ),
    Definition(
        name="left_past_threshold",
        scope="window",
        label=Text("Sortis autrement au-delà du seuil", "Left otherwise past the threshold"),
        formula=Text(
            "contacts sortis ni répondus ni abandonnés, après une attente plus longue que le seuil",
            "contacts that left neither answered nor abandoned, after waiting longer than the threshold",
        ),
        unit="contacts",
        inputs=("left",),
        exclusions=_NONE,
        attribution=_DECISION,
        source="SEMANTICS.md §4",
    ),
    Definition(
        name="late",
        scope="window",
        label=Text("Évènements tardifs", "Late events"),
        formula=Text(
            "évènements reçus plus de 60 min derrière le plus récent de leur source ; comptés, "
            "non pris dans les chiffres",
            "events received more than 60 min behind their source's newest; counted, not taken "
            "into the figures",
        ),
        unit="events",
        inputs=(),
        exclusions=_NONE,
        attribution=_RECEIVED,
        source="SEMANTICS.md §1",
    ),
    Definition(
        name="duplicates",
        scope="window",
        label=Text("Évènements répétés", "Repeated events"),
        formula=Text(
            "évènements dont la source et l'identifiant étaient déjà connus ; sans effet sur les chiffres",
            "events whose source and id were known already; they change no figure",
        ),
        unit="events",
        inputs=(),
        exclusions=_NONE,
        attribution=_RECEIVED,
        source="SEMANTICS.md §1",
    ),
    Definition(
        name="service_level",
        scope="window",
        label=Text("Taux de service", "Service level"),
        formula=Text(
            "contacts répondus dans le seuil / contacts qui comptent, selon la définition "
            "choisie pour la file",
            "contacts answered within the threshold / contacts that count, by the definition "
            "chosen for the queue",
        ),
        numerator=Text("répondus dans le seuil", "answered within the threshold"),
        denominator=Text("contacts qui comptent", "contacts that count"),
        unit="ratio",
        inputs=("answered", "abandoned", "short_abandoned", "waiting_past_threshold", "left_past_threshold"),
        exclusions=Text(
            "contacts en attente sous le seuil ; sortis autrement dans le seuil, sauf définition contraire",
            "contacts waiting below the threshold; left otherwise within it, unless the definition says so",
        ),
        attribution=_DECISION,
        source="SEMANTICS.md §3, §4; ICMI QueueTips 2005",
    ),
    Definition(
        name="abandonment",
        scope="window",
        label=Text("Taux d'abandon", "Abandonment"),
        formula=Text(
            "abandonnés / présentés ; sans les abandons courts en haut et en bas si la "
            "définition du taux de "
            "service les exclut",
            "abandoned / offered; without short abandons above and below when the service level definition "
            "excludes them",
        ),
        numerator=Text("abandonnés", "abandoned"),
        denominator=Text("présentés", "offered"),
        unit="ratio",
        inputs=("abandoned", "short_abandoned", "offered"),
        exclusions=Text(
            "e-mail, courrier, réseaux sociaux, SMS : sans objet",
            "e-mail, letter, social, SMS: does not apply",
        ),
        attribution=_OFFER,
        source="SEMANTICS.md §4",
    ),
    Definition(
        name="asa_s",
        scope="window",
        label=Text("Attente moyenne des répondus (ASA)", "Average speed of answer (ASA)"),
        formula=Text(
            "somme des attentes des contacts répondus / contacts répondus",
            "sum of the waits of answered contacts / answered contacts",
        ),
        numerator=Text("somme des attentes, en secondes", "sum of waits, in seconds"),
        denominator=Text("répondus", "answered"),
        unit="s",
        inputs=("answered",),
        exclusions=Text("abandonnés, sortis autrement, en attente", "abandoned, left otherwise, waiting"),
        attribution=_DECISION,
        source="SEMANTICS.md §3; METRICS.md §2",
    ),
    Definition(
        name="aht_s",
        scope="window",
        label=Text("Durée moyenne de traitement (DMT)", "Average handle time (AHT)"),
        formula=Text(
            "(conversation, mise en attente comprise, + post-contact) / contacts dont la "
            "conversation est finie",
            "(conversation, hold included, + wrap-up) / contacts whose conversation has ended",
        ),
        numerator=Text("temps de traitement, en secondes", "handling time, in seconds"),
        denominator=Text("conversations finies", "ended conversations"),
        unit="s",
        inputs=(),
        exclusions=Text(
            "sonnerie ; post-contact encore en cours, ajouté quand il finit",
            "ringing; wrap-up still running, added when it ends",
        ),
        attribution=_TALK_ENDED,
        source="SEMANTICS.md §3",
    ),
    Definition(
        name="wait_p50_s",
        scope="window",
        label=Text("Attente médiane", "Median wait"),
        formula=Text(
            "la moitié des contacts répondus ont attendu moins (à 1 % près)",
            "half of the answered contacts waited less (within 1 %)",
        ),
        unit="s",
        inputs=("answered",),
        exclusions=Text("abandonnés, sortis autrement, en attente", "abandoned, left otherwise, waiting"),
        attribution=_DECISION,
        source="SEMANTICS.md §3; DDSketch",
    ),
    Definition(
        name="wait_p90_s",
        scope="window",
        label=Text("Attente, 9 sur 10", "Wait, 9 in 10"),
        formula=Text(
            "neuf contacts répondus sur dix ont attendu moins (à 1 % près)",
            "nine in ten answered contacts waited less (within 1 %)",
        ),
        unit="s",
        inputs=("answered",),
        exclusions=Text("abandonnés, sortis autrement, en attente", "abandoned, left otherwise, waiting"),
        attribution=_DECISION,
        source="SEMANTICS.md §3; DDSketch",
    ),
    Definition(
        name="longest_wait_s",
        scope="window",
        label=Text("Attente max de la fenêtre", "Longest wait of the window"),
        formula=Text(
            "la plus longue attente de tous les contacts présentés, ceux en attente compris",
            "the longest wait of all contacts offered, waiting ones included",
        ),
        unit="s",
        inputs=("offered",),
        exclusions=_NONE,
        attribution=_OFFER,
        source="SEMANTICS.md §3",
    ),
    Definition(
        name="cleared",
        scope="window",
        label=Text("Traités dans le délai", "Cleared within the promise"),
        formula=Text(
            "dossiers clos au plus tard à l'entrée plus le délai promis / dossiers décidés : clos, ou en "
            "cours au-delà de l'échéance",
            "items closed no later than their entry plus the promise / items decided: closed, or open past "
            "the deadline",
        ),
        numerator=Text("clos dans le délai", "closed within the promise"),
        denominator=Text("décidés", "decided"),
        unit="ratio",
        inputs=(),
        exclusions=_NOT_DECIDED,
        attribution=_CLEARED_AT,
        source="docs/decisions/0016; METRICS.md §2",
    ),
    Definition(
        name="cleared_business",
        scope="window",
        label=Text("Traités dans le délai, heures ouvrées", "Cleared within the promise, business hours"),
        formula=Text(
            "le même rapport, où seul compte le temps d'ouverture de la file ; une file sans horaires "
            "est toujours ouverte",
            "the same ratio, where only time within the queue's opening hours counts; a queue without "
            "hours is always open",
        ),
        numerator=Text("clos dans le délai", "closed within the promise"),
        denominator=Text("décidés", "decided"),
        unit="ratio",
        inputs=("cleared",),
        exclusions=_NOT_DECIDED,
        attribution=_CLEARED_AT,
        source="docs/decisions/0016; METRICS.md §2",
    ),
    Definition(
        name="occupancy",
        scope="window",
        label=Text("Taux d'occupation", "Occupancy"),
        formula=Text(
            "(en contact + post-contact) / (en contact + post-contact + disponible + sonnerie), "
            "temps d'horloge "
            "des agents affectés à la file, quelle que soit la file du contact",
            "(in contact + wrap-up) / (in contact + wrap-up + available + ringing), wall-clock "
            "time of the agents "
            "assigned to the queue, whatever queue the contact came from",
        ),
        numerator=Text("en contact + post-contact, en secondes", "in contact + wrap-up, in seconds"),
        denominator=Text(
            "en contact + post-contact + disponible + sonnerie, en secondes",
            "in contact + wrap-up + available + ringing, in seconds",
        ),
        unit="ratio",
        inputs=(),
        exclusions=Text("pause, injoignable, hors ligne", "paused, unreachable, offline"),
        attribution=_CLIPPED,
        source="SEMANTICS.md §5; METRICS.md §2",
    ),
    Definition(
        name="slots",
        scope="window",
        label=Text("Occupation des créneaux", "Slot occupancy"),
        formula=Text(
            "créneaux pris / créneaux offerts, sur le temps d'horloge des agents affectés à la file, "
            "en contact, en post-contact, disponibles ou en sonnerie : contacts du canal de la file en main, "
            "jusqu'à la fin du post-contact et au plus la capacité dite, sur cette capacité",
            "slots taken / slots there, over the wall-clock time of the agents assigned to the queue, "
            "in contact, in wrap-up, available or ringing: contacts of the queue's channel in hand, "
            "until wrap-up has ended and not more than the capacity told, over that capacity",
        ),
        numerator=Text("créneaux pris, en secondes", "slots taken, in seconds"),
        denominator=Text("créneaux offerts, en secondes", "slots there, in seconds"),
        unit="ratio",
        inputs=(),
        exclusions=Text(
            "agents sans capacité dite pour le canal ; pause, injoignable, hors ligne",
            "agents who told no capacity for the channel; paused, unreachable, offline",
        ),
        attribution=_CLIPPED,
        source="SEMANTICS.md §5; docs/decisions/0009",
    ),
)

_MET = Text("répondus dans le seuil", "answered within the threshold")
_ALL = Text(
    "répondus + abandonnés + en attente ou sortis autrement au-delà du seuil",
    "answered + abandoned + waiting or left otherwise past the threshold",
)

SERVICE_LEVELS: tuple[ServiceLevelFormula, ...] = (
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.ALL_ABANDONS_COUNT_AGAINST,
        label=Text("Tous les abandons comptent contre", "All abandons count against"),
        numerator=_MET,
        denominator=_ALL,
        symbols="A_T / (A + B + D)",
        source="SEMANTICS.md §4; ICMI QueueTips 2005",
    ),
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.ANSWERED_ONLY,
        label=Text("Répondus seulement", "Answered only"),
        numerator=_MET,
        denominator=Text("répondus", "answered"),
        symbols="A_T / A",
        source="SEMANTICS.md §4; Cisco ICM 4.5",
    ),
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.ABANDONS_WITHIN_T_COUNT_AS_MET,
        label=Text(
            "Abandons dans le seuil comptés comme tenus", "Abandons within the threshold count as met"
        ),
        numerator=Text(
            "répondus dans le seuil + abandonnés dans le seuil",
            "answered within the threshold + abandoned within the threshold",
        ),
        denominator=_ALL,
        symbols="(A_T + B_T) / (A + B + D)",
        source="SEMANTICS.md §4; ICMI QueueTips 2005",
    ),
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.ABANDONS_WITHIN_T_EXCLUDED,
        label=Text("Abandons dans le seuil exclus", "Abandons within the threshold excluded"),
        numerator=_MET,
        denominator=Text(
            "répondus + abandonnés au-delà du seuil + en attente ou sortis autrement au-delà du seuil",
            "answered + abandoned past the threshold + waiting or left otherwise past the threshold",
        ),
        symbols="A_T / (A + B − B_T + D)",
    ),
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.SHORT_ABANDONS_COUNT_AS_MET,
        label=Text("Abandons courts comptés comme tenus", "Short abandons count as met"),
        numerator=Text(
            "répondus dans le seuil + abandons courts", "answered within the threshold + short abandons"
        ),
        denominator=_ALL,
        symbols="(A_T + S) / (A + B + D)",
    ),
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.SHORT_ABANDONS_EXCLUDED,
        label=Text("Abandons courts exclus", "Short abandons excluded"),
        numerator=_MET,
        denominator=Text(
            "répondus + abandonnés sauf abandons courts + en attente ou sortis autrement au-delà du seuil",
            "answered + abandoned except short abandons + waiting or left otherwise past the threshold",
        ),
        symbols="A_T / (A + B − S + D)",
    ),
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.REMOVED_FROM_QUEUE,
        label=Text("Sortis de la file dans le seuil", "Removed from the queue within the threshold"),
        numerator=Text(
            "répondus + abandonnés + rappels demandés, chacun dans le seuil",
            "answered + abandoned + callbacks asked for, each within the threshold",
        ),
        denominator=Text(
            "répondus + abandonnés + en attente ou sortis autrement au-delà du seuil + rappels "
            "demandés dans le seuil",
            "answered + abandoned + waiting or left otherwise past the threshold + callbacks "
            "asked for within it",
        ),
        symbols="(A_T + B_T + C_T) / (A + B + D + C_T)",
    ),
    ServiceLevelFormula(
        definition=ServiceLevelDefinition.WITH_FLOW_OUTS,
        label=Text("Avec toutes les sorties", "With all flow-outs"),
        numerator=_MET,
        denominator=Text(
            "répondus + abandonnés + tous les sortis autrement + en attente au-delà du seuil",
            "answered + abandoned + all left otherwise + waiting past the threshold",
        ),
        symbols="A_T / (A + B + D_all)",
    ),
)

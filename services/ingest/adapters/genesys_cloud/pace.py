"""How patient we are with Genesys Cloud. Defaults are for the real one, shorter ones for tests."""

from msgspec import Struct


class Pace(Struct, frozen=True, kw_only=True):
    """In seconds, but for numbers. `ping_s`, `pong_s`: between pings of a channel, and until one that was
    silent is taken for half open. `life_s`: a channel is left after that, a little before its day is over.
    `early_s`: how long before a token or channel expires the next is there. `overlap_s`: how long the old
    channel is read once the next one is there. `refresh_s`: how often queues, agents and open conversations
    are looked at anew; `settle_s`: so long analytics may not know a conversation yet. `retry_s`: until a
    renewal that failed is tried again. `most_topics`, `most_channels`: of a channel, of one process.
    """

    connect_s: float = 10.0
    answer_s: float = 30.0
    ping_s: float = 5.0
    pong_s: float = 15.0
    life_s: float = 82_800.0
    early_s: float = 300.0
    overlap_s: float = 2.0
    refresh_s: float = 900.0
    settle_s: float = 120.0
    retry_s: float = 5.0
    most_wait_s: float = 120.0
    tick_s: float = 0.5
    most_topics: int = 1_000
    most_channels: int = 10

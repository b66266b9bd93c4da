"""How patient we are with Amazon. Defaults are for the real one, shorter ones for tests."""

from msgspec import Struct


class Pace(Struct, frozen=True, kw_only=True):
    """`wait_s`: a receive waits so long for a message (20 at the most). `hidden_s`: what was received is
    hidden from others so long; while the log is away it comes again, to whoever asks. `poll_s`: between two
    questions to a shard that has nothing more, as five are allowed in a second to all who read it;
    `hurry_s`: to one that has. `look_s`: how often what is due is looked for. `list_s`: how often it is
    asked whether there are other shards. `fresh_s`: an answer says so long that a shard is read to its end.
    """

    wait_s: int = 20
    hidden_s: int = 60
    poll_s: float = 1.0
    hurry_s: float = 0.25
    look_s: float = 0.25
    list_s: float = 60.0
    fresh_s: float = 15.0

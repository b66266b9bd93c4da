"""Keys that the tests know, and the `[auth]` that holds their hashes."""

from schemas.config import AuthConfig, KeyConfig, KeyUse
from services.runtime.keys import hash_of

INGEST = "vigie_ingest-of-all"
INGEST_PARIS = "vigie_ingest-of-paris"
BOARD = "vigie_board-of-all"
BOARD_PARIS = "vigie_board-of-paris"
OPERATOR = "vigie_operator-of-all"
OPERATOR_PARIS = "vigie_operator-of-paris"


def _entry(key: str, use: KeyUse, sites: list[str] | None = None) -> KeyConfig:
    return KeyConfig(id=key.removeprefix("vigie_"), use=use, hash=hash_of(key), sites=sites)


AUTH = AuthConfig(
    keys=[
        _entry(INGEST, "ingest"),
        _entry(INGEST_PARIS, "ingest", ["paris"]),
        _entry(BOARD, "board"),
        _entry(BOARD_PARIS, "board", ["paris"]),
        _entry(OPERATOR, "operator"),
        _entry(OPERATOR_PARIS, "operator", ["paris"]),
    ]
)


def bearing(key: str | None) -> dict[str, str]:
    """The header that shows this key; none for None."""
    return {} if key is None else {"authorization": f"Bearer {key}"}

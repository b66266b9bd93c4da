"""What is wrong with bytes that are no message: the place and the rule, never the value.

It goes into dead letters, answers and logs, and what msgspec says of a bad word quotes the word.
"""

import re

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_AT = re.compile(r" - at (?:`key` in )?`\$(?:\.)?(.*)`$")

MISSING = "missing"
NO_WORD = "not one of its words"
"""The rule of a closed set, for who does not list its words."""


def place_and_rule(error: Exception) -> tuple[str, str]:
    """Where (`queue`, `queues[0]`; empty: the whole of it) and what was expected there."""
    message = str(error)
    if isinstance(error, UnicodeDecodeError):
        return "", "not UTF-8"
    if isinstance(error, RecursionError):
        return "", "nested too deep"
    missing = _MISSING.match(message)
    if missing:
        return missing[1], MISSING
    at = _AT.search(message)
    rule = message[: at.start()] if at else message
    if rule.startswith("Invalid "):
        rule = NO_WORD if "value" in rule else "not valid"
    return at[1] if at else "", rule.replace("`", "").replace("Expected", "expected")

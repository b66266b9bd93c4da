"""A recorded file of webhooks, cut into single bodies. Pure."""

import json


def json_payloads(text: bytes) -> list[bytes]:
    """One JSON value, an array of them, or one on each line; what is neither is one payload as it is."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [line for line in text.splitlines() if line.strip()]
    entries = found if isinstance(found, list) else [found]
    return [json.dumps(entry).encode() for entry in entries]

#!/usr/bin/env python3
"""Whether the service of this container is live: exit code 0 or 1. Arguments: ports; left out: all of ours.

One container runs one service, so the other ports refuse the connection, which says nothing. Live is
when at least one answers 200 and none answers anything else.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

PORTS = (8080, 8081, 8082, 8083)
"""api, ingest, aggregator, notifier."""

TIMEOUT_S = 3


def main(words: Sequence[str]) -> int:
    """0 when the service is live."""
    said = [answer for port in (words or PORTS) if (answer := ask(int(port))) is not None]
    if said and all(status == 200 for status in said):
        return 0
    print(f"answers of /health/live: {said or 'none'}", file=sys.stderr)
    return 1


def ask(port: int) -> int | None:
    """The status of /health/live on this machine's port; 0 when it hangs, None when nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError as error:
        return None if isinstance(error.reason, ConnectionRefusedError) else 0
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

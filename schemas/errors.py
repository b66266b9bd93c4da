"""The three kinds of error, named by what the caller does about them.

VigieError
├── InvalidMessage   never retry: dead letter, or HTTP 400
├── Unavailable      retry with back-off, or HTTP 503
└── Misconfigured    refuse to start: exit code 2, every fault at once
"""

from schemas.vocabulary import Reason


class VigieError(Exception):
    """Root of what Vigie raises on purpose."""


class InvalidMessage(VigieError):
    """Bytes that can never become a message. `reason` is the metric label, `detail` says what and where."""

    def __init__(self, detail: str, *, reason: Reason = Reason.INVALID) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason


class Unavailable(VigieError):
    """Something we need does not answer now. `retry_after_s` is what to tell a client."""

    def __init__(self, detail: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Misconfigured(VigieError):
    """What was asked for cannot be started. `faults`: one sentence each, place first."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults

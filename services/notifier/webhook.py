"""Posts a notice to a webhook: one try, one outcome. Standard Webhooks 1.0.

No redirect is followed, no proxy asked, no cookie kept, no more of the answer read than its head.
The URL is a secret: it stands in no log and no outcome.
"""

import ssl
from collections.abc import Callable
from importlib.metadata import version

import aiohttp
from yarl import URL

from schemas.deliveries import DeliveryState
from services.notifier.core import replies, signature
from services.notifier.core.retry import Outcome
from services.notifier.egress import Guard

TOTAL_S = 10.0
CONNECT_S = 3.0
SILENCE_S = 8.0
PER_HOST = 4
ANSWER_BYTES = 64 * 1024
"""No more than this of an answer is ever held."""

_UNAVAILABLE = DeliveryState.UNAVAILABLE
_AMBIGUOUS = DeliveryState.AMBIGUOUS


class Webhook:
    """The HTTP client of all webhooks. Use it in `async with`."""

    def __init__(
        self, guard: Guard, *, clock: Callable[[], int], trust: ssl.SSLContext | None = None
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                socket_factory=guard,
                limit_per_host=PER_HOST,
                use_dns_cache=False,
                force_close=True,  # alerts are rare: a kept connection would mostly be found cut
                ssl=trust if trust is not None else True,
            ),
            timeout=aiohttp.ClientTimeout(total=TOTAL_S, sock_connect=CONNECT_S, sock_read=SILENCE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            read_bufsize=ANSWER_BYTES // 2,  # the client reads up to twice as much before it pauses
            headers={"User-Agent": f"vigie/{version('vigie')}"},
        )

    async def __aenter__(self) -> "Webhook":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, url: str, *, key: bytes, delivery_id: str, body: bytes) -> Outcome:
        """One POST. Raises nothing but a cancellation: every failure is an outcome."""
        now_ms = self._clock()
        headers = signature.headers(key, delivery_id=delivery_id, at_s=now_ms // 1000, body=body)
        headers["content-type"] = "application/json"
        self._guard.begin(URL(url).scheme)
        try:
            answer = await self._session.post(url, data=body, headers=headers, allow_redirects=False)
        except aiohttp.ClientConnectorDNSError:
            return Outcome(state=_UNAVAILABLE, reason="name not found")
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError):
            return Outcome(state=_UNAVAILABLE, reason="certificate or TLS")
        except aiohttp.ClientConnectorError:
            return self._not_connected()
        except aiohttp.ConnectionTimeoutError:
            return Outcome(state=_UNAVAILABLE, reason="no connection in time")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return Outcome(state=DeliveryState.REJECTED, reason="url makes no sense")
        except TimeoutError:
            return Outcome(state=_AMBIGUOUS, reason="no answer in time")
        except (aiohttp.ClientError, OSError):
            return Outcome(state=_AMBIGUOUS, reason="cut before an answer")
        answer.close()  # its body changes nothing
        return replies.of_status(answer.status, answer.headers.get("Retry-After"), now_ms=now_ms)

    def _not_connected(self) -> Outcome:
        refusal = self._guard.refusal()
        if refusal is not None:
            return Outcome(state=DeliveryState.REJECTED, reason=refusal)
        return Outcome(state=_UNAVAILABLE, reason="no connection")

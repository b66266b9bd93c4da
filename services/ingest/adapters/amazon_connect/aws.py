"""A client of Amazon's queues and streams, and what it raises, as sentences for whoever can mend it.

aiobotocore is an optional library (`vigie[aws]`): it is imported here, when a source needs it, and nowhere
else. Who we are is found as every tool of Amazon finds it: environment, profile, role of the machine or pod.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import urlsplit

from schemas.config import SourceConfig
from schemas.errors import Misconfigured
from services.ingest.line import LoginRefused, Lost

Service = Literal["sqs", "kinesis"]
CONNECT_S = 10.0
READ_S = 30.0
"""Longer than a long poll lasts."""

SETTING: dict[Service, str] = {"sqs": "queue_url", "kinesis": "stream"}
_RIGHTS: dict[Service, str] = {
    "sqs": "sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes",
    "kinesis": "kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords",
}
_NOT_WE = frozenset(
    {
        *("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"),
        *("InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken"),
        *("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "AuthFailure"),
    }
)
_NOT_THERE = frozenset(
    {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "ResourceNotFoundException"}
)
THROTTLED = frozenset(
    {
        *("ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException"),
        *("Throttling", "RequestThrottled", "OverLimit", "KMSThrottlingException"),
    }
)
_REGION_IN_HOST = re.compile(r"(?:sqs\.)?([a-z]{2}(?:-[a-z]+)+-\d)(?:\.queue)?\.amazonaws\.com(?:\.cn)?")


def need_library(source: SourceConfig) -> None:
    """Raises `Misconfigured` when it is not installed."""
    try:
        import aiobotocore.session  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise Misconfigured(
            f"[[sources]] {source.id}: queue_url and stream need a library that is not installed: "
            "pip install 'vigie[aws]'"
        ) from error


def region_of(source: SourceConfig) -> str | None:
    """As set; else that of the queue's address; None: the environment says it, or nobody."""
    host = urlsplit(source.queue_url or "").hostname or ""
    found = _REGION_IN_HOST.fullmatch(host)
    return source.region or (found[1] if found is not None else None)


@contextlib.asynccontextmanager
async def client(service: Service, source: SourceConfig) -> AsyncIterator[Any]:
    """A client of the service, at the source's own `url` where it has one. Raises `Lost`."""
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    config = AioConfig(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"total_max_attempts": 1},  # we wait and try again ourselves, and say so
        user_agent_extra="vigie",
    )
    async with contextlib.AsyncExitStack() as stack:
        async with asking(service):
            made = get_session().create_client(
                service, region_name=region_of(source), endpoint_url=source.url, config=config
            )
            opened = await stack.enter_async_context(made)
        yield opened


@contextlib.asynccontextmanager
async def asking(service: Service) -> AsyncIterator[None]:
    """What the client raises within, as `Lost` or `LoginRefused`."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        raise refusal(code_of(error), service) from error
    except NoRegionError as error:
        raise LoginRefused('no region is known: set region, such as "eu-west-3"') from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise LoginRefused(
            "no AWS credentials were found: give ingest a role, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in its environment"
        ) from error
    except (BotoCoreError, OSError) as error:
        raise Lost(
            f"{service} of AWS cannot be reached ({type(error).__name__}): see region and url"
        ) from error


def code_of(error: Any) -> str:
    """Amazon's own word for what is wrong."""
    return str(error.response.get("Error", {}).get("Code", "?"))


def refusal(code: str, service: Service) -> Lost:
    """What to say of it, and whether trying again soon is of use."""
    setting = SETTING[service]
    if code in _NOT_WE:
        return LoginRefused(f"AWS does not accept the credentials ({code}): renew them, and see the clock")
    if code in _NOT_THERE:
        return LoginRefused(f"{setting}: there is no such {service} resource in this region and account")
    if code.startswith(("AccessDenied", "KMSAccessDenied")) or code == "KMS.AccessDeniedException":
        return LoginRefused(
            f"AWS does not allow it ({code}): allow {_RIGHTS[service]} on {setting} to this role, "
            "and kms:Decrypt where it is encrypted"
        )
    return Lost(f"{service} of AWS answers {code}")

"""A recorded capture: notifications, events of EventBridge, conversations of analytics. Pure.

One JSON value, an array of them, or one on each line, in the order in which they came.
"""

from collections.abc import Iterable

from schemas.config import SourceConfig
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.payloads import json_payloads
from services.ingest.translated import Pseudonyms, Recording, Translated


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the recorded payloads tell, each fact once."""
    translator, told, count = Translator(source, pseudonyms, is_pulled=True), Translated(), 0
    for payload in json_payloads(b"".join(chunks)):
        count += 1
        told.add(translator.take_any(payload, 0))
    return Recording.of(told, payloads=count)

"""A recorded capture: notifications, events of EventBridge, conversations of analytics. Pure.

One JSON value, an array of them, or one on each line, in the order in which they came.
"""

from collections.abc import Iterable

from schemas.config import SourceConfig
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.payloads import recorded
from services.ingest.translated import Pseudonyms, Recording


def read(chunks: Iterable[bytes], source: SourceConfig, pseudonyms: Pseudonyms) -> Recording:
    """What the recorded payloads tell, each fact once."""
    return recorded(chunks, Translator(source, pseudonyms, is_pulled=True).take)

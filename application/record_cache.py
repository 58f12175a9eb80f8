"""Keeps rendered records, so that reading the same artifact again costs no rendering. Never stale: keyed by version."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import msgspec

from application.ports.statistics import Counts
from domain.events import JsonObject

MAX_ENTRIES = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of JSON that are kept."""

_ENCODER = msgspec.json.Encoder()
COUNT_FIELDS = ("download_count", "view_count")


class RecordCache:
    """Rendered records by artifact, its version, what is shown of it and to whom; the counters are put in each time."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: Hashable, counts: Counts, render: Callable[[], JsonObject]) -> msgspec.Raw:
        """Give the record as JSON. `render` makes it when it is not here; `key` names everything that it depends on."""
        body = self._entries.get(key)
        if body is None:
            record = {name: value for name, value in render().items() if name not in COUNT_FIELDS}
            body = _ENCODER.encode(record)[:-1]
            self._keep(key, body)
        else:
            self._entries.move_to_end(key)
        downloads = repr(counts.downloads_milli / 1000)
        return msgspec.Raw(body + f',"download_count":{downloads},"view_count":{counts.views}.0}}'.encode())

    def _keep(self, key: Hashable, body: bytes) -> None:
        self._entries[key] = body
        self._size_bytes += len(body)
        while len(self._entries) > MAX_ENTRIES or self._size_bytes > MAX_BYTES:
            _, dropped = self._entries.popitem(last=False)
            self._size_bytes -= len(dropped)

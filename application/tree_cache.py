"""A cache of immutable values, bounded by bytes."""

from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteBoundedCache(Generic[Value]):
    """Keeps the values used last, under the digests of their content, so that nothing ever has to be invalidated."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._values: OrderedDict[bytes, tuple[Value, int]] = OrderedDict()
        self.size_bytes = 0

    def get(self, digest: bytes) -> Value | None:
        """Give a value, and count it as used."""
        found = self._values.get(digest)
        if found is None:
            return None
        self._values.move_to_end(digest)
        return found[0]

    def put(self, digest: bytes, value: Value, size_bytes: int) -> None:
        """Keep a value, and drop those that were not used for longest. A value larger than the bound is not kept."""
        if digest in self._values or size_bytes > self._limit_bytes:
            return
        self._values[digest] = (value, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self._limit_bytes:
            _, (_, dropped) = self._values.popitem(last=False)
            self.size_bytes -= dropped

    def drop(self, digest: bytes) -> None:
        """Forget a value."""
        found = self._values.pop(digest, None)
        if found is not None:
            self.size_bytes -= found[1]

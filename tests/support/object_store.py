"""An object store in memory, held to the same contract as the real ones."""

import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from application.ports.object_store import StoredObject
from domain.errors import InvalidArgumentError, NotFoundError, TooLargeError

CHUNK_BYTES = 64 * 1024


class MemoryObjectStore:
    """Keeps objects in a dictionary. `reads` and `writes` count the calls, for tests of what is not read."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[StoredObject, bytes]] = {}
        self._clock = 1_700_000_000_000_000
        self.reads = 0
        self.writes = 0

    async def put(self, key: str, data: bytes) -> StoredObject:
        self.writes += 1
        _check(key)
        existing = self._objects.get(key)
        if existing is not None:
            if existing[1] != data:
                raise InvalidArgumentError("An object of this name exists already with other content.")
            return existing[0]
        self._clock += 1
        digest = hashlib.sha256(data)
        stored = StoredObject(
            key=key,
            size_bytes=len(data),
            etag=digest.hexdigest()[:32],
            modified_at=self._clock,
            crc32=zlib.crc32(data),
            sha256=digest.digest(),
        )
        self._objects[key] = stored, bytes(data)
        return stored

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, size_bytes: int | None, limit_bytes: int | None
    ) -> StoredObject:
        _check(key)
        if size_bytes is not None and limit_bytes is not None and size_bytes > limit_bytes:
            raise TooLargeError(f"The body is larger than {limit_bytes} bytes.")
        body = bytearray()
        async for chunk in chunks:
            body += chunk
            if limit_bytes is not None and len(body) > limit_bytes:
                raise TooLargeError(f"The body is larger than {limit_bytes} bytes.")
            if size_bytes is not None and len(body) > size_bytes:
                raise InvalidArgumentError(f"The body has more than the declared {size_bytes} bytes.")
        if size_bytes is not None and len(body) < size_bytes:
            raise InvalidArgumentError(f"The body has {len(body)} bytes instead of the declared {size_bytes}.")
        return await self.put(key, bytes(body))

    async def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        self.reads += 1
        _check(key)
        if key not in self._objects:
            raise NotFoundError("There is no such object.")
        return self._objects[key][1][start : None if length is None else start + length]

    async def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        data = await self.get(key, start=start, length=length)
        for offset in range(0, len(data), CHUNK_BYTES):
            yield data[offset : offset + CHUNK_BYTES]

    async def head(self, key: str) -> StoredObject | None:
        _check(key)
        found = self._objects.get(key)
        return found[0] if found else None

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Sequence[StoredObject]:
        keys = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        return [self._objects[key][0] for key in keys[:limit]]

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            _check(key)
            self._objects.pop(key, None)

    async def close(self) -> None:
        self._objects.clear()


def _check(key: str) -> None:
    parts = key.split("/")
    if {"", ".", ".."} & set(parts) or "\x00" in key:
        raise InvalidArgumentError("An object key is malformed.")

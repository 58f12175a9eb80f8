"""An object store in memory, held to the same contract as the real ones."""

import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from application.ports.object_store import PendingObject, StoredObject, StoredPart
from domain.errors import InvalidArgumentError, NotFoundError, TooLargeError
from domain.stage.etags import multipart_etag

CHUNK_BYTES = 64 * 1024


class MemoryObjectStore:
    """Keeps objects in a dictionary. `reads` and `writes` count the calls, for tests of what is not read."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[StoredObject, bytes]] = {}
        self._uploads: dict[str, tuple[PendingObject, dict[int, tuple[StoredPart, bytes]]]] = {}
        self._clock = 1_700_000_000_000_000
        self.reads = 0
        self.writes = 0

    async def put(self, key: str, data: bytes) -> StoredObject:
        return self._put(key, data, hashlib.sha256(data).hexdigest()[:32])

    def _put(self, key: str, data: bytes, etag: str) -> StoredObject:
        self.writes += 1
        _check(key)
        existing = self._objects.get(key)
        if existing is not None:
            if (existing[0].etag, existing[1]) != (etag, data):
                raise InvalidArgumentError("An object of this name exists already with other content.")
            return existing[0]
        self._clock += 1
        stored = StoredObject(
            key=key,
            size_bytes=len(data),
            etag=etag,
            modified_at=self._clock,
            crc32=zlib.crc32(data),
            sha256=hashlib.sha256(data).digest(),
        )
        self._objects[key] = stored, bytes(data)
        return stored

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, size_bytes: int | None, limit_bytes: int | None
    ) -> StoredObject:
        _check(key)
        return await self.put(key, await _body(chunks, size_bytes, limit_bytes))

    async def create_multipart(self, key: str) -> str:
        _check(key)
        self._clock += 1
        upload_id = f"{self._clock:x}"
        self._uploads[upload_id] = PendingObject(key=key, upload_id=upload_id, started_at=self._clock), {}
        return upload_id

    async def put_part(
        self,
        key: str,
        upload_id: str,
        part_number: int,
        chunks: AsyncIterator[bytes],
        *,
        size_bytes: int | None,
        limit_bytes: int | None,
    ) -> StoredPart:
        self._parts(key, upload_id)
        data = await _body(chunks, size_bytes, limit_bytes)
        self._clock += 1
        stored = StoredPart(
            part_number=part_number,
            size_bytes=len(data),
            etag=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            modified_at=self._clock,
        )
        self._parts(key, upload_id)[part_number] = stored, data
        return stored

    async def list_parts(self, key: str, upload_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[StoredPart]:
        parts = self._parts(key, upload_id)
        return [parts[number][0] for number in sorted(parts) if number > after][:limit]

    async def complete_multipart(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> StoredObject:
        known = self._parts(key, upload_id)
        for number, etag in parts:
            if number not in known or known[number][0].etag != etag:
                raise InvalidArgumentError(f"Part {number} was not uploaded, or has another ETag.")
        data = b"".join(known[number][1] for number, _ in parts)
        stored = self._put(key, data, multipart_etag([etag for _, etag in parts]))
        del self._uploads[upload_id]
        return stored

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        if upload_id in self._uploads and self._uploads[upload_id][0].key == key:
            del self._uploads[upload_id]

    async def list_multipart(self, *, after: PendingObject | None = None, limit: int = 1000) -> Sequence[PendingObject]:
        ids = [one for one in sorted(self._uploads) if after is None or one > after.upload_id]
        return [self._uploads[one][0] for one in ids[:limit]]

    def _parts(self, key: str, upload_id: str) -> dict[int, tuple[StoredPart, bytes]]:
        if upload_id not in self._uploads or self._uploads[upload_id][0].key != key:
            raise NotFoundError("There is no such upload.")
        return self._uploads[upload_id][1]

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


async def _body(chunks: AsyncIterator[bytes], size_bytes: int | None, limit_bytes: int | None) -> bytes:
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
    return bytes(body)

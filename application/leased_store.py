"""An object store that is opened when it is used, and stays open while it is."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing

from application.ports.object_store import ObjectStore, PendingObject, StoredObject, StoredPart

Lease = Callable[[], AbstractAsyncContextManager[ObjectStore]]


class LeasedStore:
    """Does everything with the store that a lease gives, and gives it back after each call."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    async def put(self, key: str, data: bytes) -> StoredObject:
        """Store a small object."""
        async with self._lease() as objects:
            return await objects.put(key, data)

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, size_bytes: int | None, limit_bytes: int | None
    ) -> StoredObject:
        """Store a body of any size while it arrives."""
        async with self._lease() as objects:
            return await objects.put_stream(key, chunks, size_bytes=size_bytes, limit_bytes=limit_bytes)

    async def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Read a part of an object into memory."""
        async with self._lease() as objects:
            return await objects.get(key, start=start, length=length)

    async def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a part of an object in chunks; the store stays open until the reader has ended."""
        async with self._lease() as objects, aclosing(objects.stream(key, start=start, length=length)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def head(self, key: str) -> StoredObject | None:
        """Look an object up."""
        async with self._lease() as objects:
            return await objects.head(key)

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Sequence[StoredObject]:
        """List objects below a prefix."""
        async with self._lease() as objects:
            return await objects.list(prefix, after=after, limit=limit)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        async with self._lease() as objects:
            await objects.delete(keys)

    async def create_multipart(self, key: str) -> str:
        """Begin an object that is uploaded in parts."""
        async with self._lease() as objects:
            return await objects.create_multipart(key)

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
        """Store a part while it arrives."""
        async with self._lease() as objects:
            return await objects.put_part(
                key, upload_id, part_number, chunks, size_bytes=size_bytes, limit_bytes=limit_bytes
            )

    async def list_parts(self, key: str, upload_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[StoredPart]:
        """List the parts that were put so far."""
        async with self._lease() as objects:
            return await objects.list_parts(key, upload_id, after=after, limit=limit)

    async def complete_multipart(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> StoredObject:
        """Make parts an object."""
        async with self._lease() as objects:
            return await objects.complete_multipart(key, upload_id, parts)

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """Remove the parts of an upload."""
        async with self._lease() as objects:
            await objects.abort_multipart(key, upload_id)

    async def list_multipart(self, *, after: PendingObject | None = None, limit: int = 1000) -> Sequence[PendingObject]:
        """List the uploads in parts that are open."""
        async with self._lease() as objects:
            return await objects.list_multipart(after=after, limit=limit)

    async def close(self) -> None:
        """Do nothing: the store belongs to who leases it."""

"""The port of an object store: immutable objects under keys that the service chooses."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

import msgspec


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an object. `modified_at` is in microseconds since the epoch.

    `etag` is the bare text without quotes. Checksums are None where the store does not know them.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at: int
    crc32: int | None = None
    sha256: bytes | None = None
    version_id: str | None = None


class StoredPart(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of an object that is uploaded in parts. `modified_at` is in microseconds since the epoch."""

    part_number: int
    size_bytes: int
    etag: str
    modified_at: int


class PendingObject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object that is being uploaded in parts. `upload_id` is the store's own, `started_at` in microseconds."""

    key: str
    upload_id: str
    started_at: int


class ObjectStore(Protocol):
    """Keeps objects. A key is written once and never overwritten with other bytes.

    Keys are relative, `/`-separated, made of ids, so that no store's rules on names matter.
    """

    async def put(self, key: str, data: bytes) -> StoredObject:
        """Store a small object, durable when this returns. The same bytes may be stored again.

        Raises:
            InvalidArgumentError: The key has other bytes already, or is malformed. The text never holds the key.
            StorageFullError: The disk is full; nothing was stored.
        """
        ...

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, size_bytes: int | None, limit_bytes: int | None
    ) -> StoredObject:
        """Store a body of any size while it arrives, durable when this returns; memory stays bounded.

        `size_bytes` is the declared size. A body that is cut off (its iterator raises), or has another size, leaves
        nothing behind.

        Raises:
            InvalidArgumentError: The body has not the declared size, or the key has other bytes already.
            TooLargeError: The body is larger than `limit_bytes`.
            StorageFullError: The disk is full; nothing was stored.
        """
        ...

    async def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Read a part of an object into memory; for small parts only.

        Raises:
            NotFoundError: There is no such object. Its text never holds the key.
        """
        ...

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a part of an object in chunks of bounded size; none when it begins at or behind the end.

        A reader that leaves early closes the generator (`contextlib.aclosing`). Whoever deletes the object meanwhile
        does not disturb one that has its first chunk.

        Raises:
            NotFoundError: There is no such object. Its text never holds the key.
        """
        ...

    async def head(self, key: str) -> StoredObject | None:
        """Look an object up."""
        ...

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Sequence[StoredObject]:
        """List objects below a prefix in key order, after a key."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there count as deleted."""
        ...

    async def create_multipart(self, key: str) -> str:
        """Begin an object that is uploaded in parts, and give the store's id of the upload; durable when this returns.

        Raises:
            InvalidArgumentError: The key is malformed.
            StorageFullError: The disk is full.
        """
        ...

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
        """Store a part while it arrives, as `put_stream` does an object. A part may be put again; the last one counts.

        Its ETag is the MD5 of its bytes in hexadecimal digits.

        Raises:
            NotFoundError: There is no such upload of this key, or it was completed or aborted meanwhile.
            InvalidArgumentError: The body has not the declared size.
            TooLargeError: The body is larger than `limit_bytes`.
            StorageFullError: The disk is full; nothing was stored.
        """
        ...

    async def list_parts(self, key: str, upload_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[StoredPart]:
        """List the parts that were put so far by number, after a number.

        Raises:
            NotFoundError: There is no such upload of this key.
        """
        ...

    async def complete_multipart(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> StoredObject:
        """Make an object of parts, given by number and ETag in ascending order; durable when this returns.

        All or nothing. The object's ETag is that of `multipart_etag`. The upload is over: its parts are gone, those
        that were left out as well. Takes as long as copying and hashing the bytes; others go on beside it.

        Raises:
            NotFoundError: There is no such upload of this key, or it was completed or aborted meanwhile.
            InvalidArgumentError: A part was not put, or has another ETag; the text names its number.
            StorageFullError: The disk is full; the parts stay.
        """
        ...

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """End an upload and remove its parts; one that is not there counts as aborted.

        A completion that runs beside it either gives the whole object or finds no upload.
        """
        ...

    async def list_multipart(self, *, after: PendingObject | None = None, limit: int = 1000) -> Sequence[PendingObject]:
        """List the uploads that were neither completed nor aborted, in an order of the store's own, after one."""
        ...

    async def close(self) -> None:
        """Release everything."""
        ...

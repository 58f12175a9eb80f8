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

    async def close(self) -> None:
        """Release everything."""
        ...

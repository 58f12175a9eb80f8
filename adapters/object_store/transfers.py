"""One body on its way to the disk, and one on its way from it; all blocking, for a lane of worker threads."""

import hashlib
import os
import zlib
from contextlib import suppress
from pathlib import Path

from adapters.object_store.disk import MAGIC, TRAILER, Disk, describe, full_disk_refused, new_temporary, open_object
from application.ports.object_store import StoredObject
from domain.errors import InvalidArgumentError


class Upload:
    """Writes a body into a temporary file and gives it its name at the end.

    `hash` may run beside `write`, everything else in one lane.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._temporary: tuple[Path, int] | None = None
        self._crc32 = 0
        self._sha256 = hashlib.sha256()

    def hash(self, block: bytes) -> None:
        """Add a block to the checksums."""
        self._crc32 = zlib.crc32(block, self._crc32)
        self._sha256.update(block)

    def write(self, block: bytes) -> None:
        """Append a block to the file.

        Raises:
            StorageFullError: The disk is full.
        """
        with full_disk_refused():
            self._append(block)

    def publish(self, key: str, last_block: bytes) -> StoredObject:
        """Append the last block, and make the body an object, durable when this returns.

        Raises:
            InvalidArgumentError: Another object has this key.
            StorageFullError: The disk is full.
        """
        path = self._disk.path(key)
        self.hash(last_block)
        with full_disk_refused():
            self._append(last_block)
            temporary, descriptor = self._append(TRAILER.pack(MAGIC, self._crc32, self._sha256.digest()))
            os.fsync(descriptor)
            stored = describe(descriptor, key)
            is_new = self._disk.publish(temporary, path)
        self.discard()
        if is_new:
            return stored
        existing = head(path, key)
        if (existing.size_bytes, existing.sha256) != (stored.size_bytes, stored.sha256):
            raise InvalidArgumentError("An object of this name exists already with other content.")
        return existing

    def discard(self) -> None:
        """Remove the temporary file; an object that was published keeps its own name."""
        if self._temporary is not None:
            path, descriptor = self._temporary
            self._temporary = None
            os.close(descriptor)
            with suppress(FileNotFoundError):
                path.unlink()

    def _append(self, block: bytes) -> tuple[Path, int]:
        if self._temporary is None:
            self._temporary = new_temporary(self._disk.temporary)
        view = memoryview(block)
        while view:
            view = view[os.write(self._temporary[1], view) :]
        return self._temporary


class Download:
    """Reads a part of an object, chunk by chunk. It opens the file at the first chunk and closes it after the last."""

    def __init__(self, path: Path, key: str, start: int, length: int | None, chunk_bytes: int | None) -> None:
        self._path = path
        self._key = key
        self._at = start
        self._length = length
        self._end = start
        self._chunk_bytes = chunk_bytes
        self._descriptor: int | None = None
        self.is_over = False

    def read(self) -> bytes:
        """Give the next chunk; nothing at the end.

        Raises:
            NotFoundError: There is no such object.
        """
        if self.is_over:
            return b""
        if self._descriptor is None:
            self._descriptor = open_object(self._path)
            size_bytes = describe(self._descriptor, self._key).size_bytes
            self._end = size_bytes if self._length is None else min(self._at + self._length, size_bytes)
        left = max(self._end - self._at, 0)
        data = os.pread(self._descriptor, min(left, self._chunk_bytes or left), self._at)
        self._at += len(data)
        if self._at >= self._end or not data:
            self.close()
        return data

    def close(self) -> None:
        """Close the file."""
        self.is_over = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def head(path: Path, key: str) -> StoredObject:
    """Look an object up.

    Raises:
        NotFoundError: There is no such object.
    """
    descriptor = open_object(path)
    try:
        return describe(descriptor, key)
    finally:
        os.close(descriptor)

"""One body on its way to the disk, and one on its way from it; all blocking, for a lane of worker threads."""

import hashlib
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from adapters.object_store.disk import (
    MAGIC,
    TRAILER,
    Disk,
    describe,
    full_disk_refused,
    new_temporary,
    open_object,
    sync_directory,
)
from adapters.object_store.part_files import PART_MAGIC, PART_TRAILER, describe_part, no_such_upload
from application.ports.object_store import StoredObject, StoredPart
from domain.errors import InvalidArgumentError

SYNC_EVERY_BYTES = 64 * 1024 * 1024
"""A long body is synced on its way, so that its sender, who waits for the last sync, does not wait for all of it."""


class Upload:
    """Writes a body into a temporary file and gives it its name at the end.

    `hash` may run beside `write`, everything else in one lane. `digest` is a SHA-256 for an object, an MD5 for a part.
    """

    def __init__(self, disk: Disk, digest: "hashlib._Hash | None" = None) -> None:
        self._disk = disk
        self._temporary: tuple[Path, int] | None = None
        self._unsynced_bytes = 0
        self._crc32 = 0
        self._digest = digest or hashlib.sha256()

    def hash(self, blocks: Sequence[bytes]) -> None:
        """Add blocks to the checksums."""
        for block in blocks:
            self._crc32 = zlib.crc32(block, self._crc32)
            self._digest.update(block)

    def write(self, blocks: Sequence[bytes]) -> None:
        """Append blocks to the file.

        Raises:
            StorageFullError: The disk is full.
        """
        with full_disk_refused():
            _, descriptor = self._append(blocks)
            self._unsynced_bytes += sum(map(len, blocks))
            if self._unsynced_bytes >= SYNC_EVERY_BYTES:
                os.fsync(descriptor)
                self._unsynced_bytes = 0

    def publish(self, key: str, last_blocks: Sequence[bytes]) -> StoredObject:
        """Append the last blocks, and make the body an object, durable when this returns.

        Raises:
            InvalidArgumentError: Another object has this key.
            StorageFullError: The disk is full.
        """
        path = self._disk.path(key)
        self.hash(last_blocks)
        with full_disk_refused():
            trailer = TRAILER.pack(MAGIC, self._crc32, 0, self._digest.digest())
            temporary, descriptor = self._append((*last_blocks, trailer))
            os.fsync(descriptor)
            stored = describe(descriptor, key)
            is_new = self._disk.publish(temporary, path)
        self.discard()
        return stored if is_new else existing_twin(path, stored)

    def publish_part(self, path: Path, last_blocks: Sequence[bytes], part_number: int) -> StoredPart:
        """Append the last blocks, and make the body a part, in place of an earlier one; durable when this returns.

        Raises:
            NotFoundError: The upload is over.
            StorageFullError: The disk is full.
        """
        self.hash(last_blocks)
        with full_disk_refused():
            trailer = PART_TRAILER.pack(PART_MAGIC, self._crc32, self._digest.digest())
            temporary, descriptor = self._append((*last_blocks, trailer))
            os.fsync(descriptor)
            stored = describe_part(descriptor, part_number).stored
            try:
                temporary.rename(path)
                sync_directory(path.parent)
            except FileNotFoundError:
                raise no_such_upload() from None
        self.discard()
        return stored

    def discard(self) -> None:
        """Remove the temporary file; an object that was published keeps its own name."""
        if self._temporary is not None:
            path, descriptor = self._temporary
            self._temporary = None
            os.close(descriptor)
            with suppress(FileNotFoundError):
                path.unlink()

    def _append(self, blocks: Sequence[bytes]) -> tuple[Path, int]:
        if self._temporary is None:
            self._temporary = new_temporary(self._disk.temporary)
        for block in blocks:
            view = memoryview(block)
            while view:
                view = view[os.write(self._temporary[1], view) :]
        return self._temporary


def existing_twin(path: Path, stored: StoredObject) -> StoredObject:
    """Give the object that has a key already, if it has the same bytes and ETag.

    Raises:
        InvalidArgumentError: It has others.
    """
    existing = head(path, stored.key)
    if (existing.size_bytes, existing.sha256, existing.etag) != (stored.size_bytes, stored.sha256, stored.etag):
        raise InvalidArgumentError("An object of this name exists already with other content.")
    return existing


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

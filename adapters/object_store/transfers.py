"""One body on its way to the disk, and one on its way from it; all blocking, for worker threads."""

import hashlib
import os
import threading
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from adapters.object_store.disk import MAGIC, TRAILER, Disk, describe, full_disk_refused, new_temporary, open_object
from application.ports.object_store import StoredObject
from domain.errors import InvalidArgumentError


class Upload:
    """Writes a body into a temporary file, hashing it, and gives it its name at the end.

    A cancelled caller cannot stop the thread that works for it, so a lock makes `discard` wait for that thread.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._lock = threading.Lock()
        self._temporary: tuple[Path, int] | None = None
        self._is_over = False
        self._crc32 = 0
        self._sha256 = hashlib.sha256()

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append to the body.

        Raises:
            StorageFullError: The disk is full.
        """
        with self._lock, full_disk_refused():
            self._append(chunks)

    def publish(self, key: str, chunks: Sequence[bytes]) -> StoredObject:
        """Append the last chunks, and make the body an object, durable when this returns.

        Raises:
            InvalidArgumentError: Another object has this key.
            StorageFullError: The disk is full.
        """
        path = self._disk.path(key)
        with self._lock, full_disk_refused():
            temporary, descriptor = self._append(chunks)
            _write_all(descriptor, TRAILER.pack(MAGIC, self._crc32, self._sha256.digest()))
            os.fsync(descriptor)
            stored = describe(descriptor, key)
            is_new = self._disk.publish(temporary, path)
            self._close()
        if is_new:
            return stored
        existing = head(path, key)
        if (existing.size_bytes, existing.sha256) != (stored.size_bytes, stored.sha256):
            raise InvalidArgumentError("An object of this name exists already with other content.")
        return existing

    def discard(self) -> None:
        """Remove the temporary file, unless the body was published."""
        with self._lock:
            self._close()

    def _append(self, chunks: Sequence[bytes]) -> tuple[Path, int]:
        if self._is_over:
            raise ValueError("This upload has ended.")
        if self._temporary is None:
            self._temporary = new_temporary(self._disk.temporary)
        # One large block, because hashing and writing release the interpreter's lock only for large ones.
        block = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        _write_all(self._temporary[1], block)
        self._crc32 = zlib.crc32(block, self._crc32)
        self._sha256.update(block)
        return self._temporary

    def _close(self) -> None:
        self._is_over = True
        if self._temporary is not None:
            path, descriptor = self._temporary
            self._temporary = None
            os.close(descriptor)
            with suppress(FileNotFoundError):
                path.unlink()


class Download:
    """Reads a part of an object, chunk by chunk. It opens the file at the first chunk and closes it after the last."""

    def __init__(self, path: Path, key: str, start: int, length: int | None, chunk_bytes: int) -> None:
        self._path = path
        self._key = key
        self._at = start
        self._length = length
        self._end = start
        self._chunk_bytes = chunk_bytes
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self.is_over = False

    def read(self) -> bytes:
        """Give the next chunk; nothing at the end.

        Raises:
            NotFoundError: There is no such object.
        """
        with self._lock:
            if self.is_over:
                return b""
            if self._descriptor is None:
                self._descriptor = open_object(self._path)
                size_bytes = describe(self._descriptor, self._key).size_bytes
                self._end = size_bytes if self._length is None else min(self._at + self._length, size_bytes)
            wanted = min(self._chunk_bytes, self._end - self._at)
            data = os.pread(self._descriptor, wanted, self._at) if wanted > 0 else b""
            self._at += len(data)
            if self._at >= self._end or not data:
                self._close()
            return data

    def close(self) -> None:
        """Close the file; a chunk that is being read is waited for."""
        with self._lock:
            self._close()

    def _close(self) -> None:
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


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

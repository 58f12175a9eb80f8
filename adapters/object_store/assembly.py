"""Makes one object of the parts of an upload; all blocking, in steps for lanes of worker threads."""

import errno
import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from adapters.object_store.checksums import combine_crc32
from adapters.object_store.disk import (
    MAGIC,
    TRAILER,
    DamagedObjectError,
    Disk,
    describe,
    full_disk_refused,
    new_temporary,
)
from adapters.object_store.part_files import PartFile, describe_part, find, part_path
from adapters.object_store.transfers import SYNC_EVERY_BYTES, existing_twin
from application.ports.object_store import StoredObject
from domain.errors import InvalidArgumentError
from domain.stage.etags import multipart_etag

STEP_BYTES = 16 * 1024 * 1024
"""What one step copies or hashes; then it is the turn of others."""
HASH_BYTES = 1024 * 1024

_NO_KERNEL_COPY = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)


class Assembly:
    """Copies parts, one behind the other, into a temporary file and gives it its name at the end.

    The system copies the bytes itself, and shares them where the file system can. `hash` may run beside everything else
    in another lane; it reads what was written, so the digest is that of the object whatever becomes of the parts.
    """

    def __init__(self, disk: Disk, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> None:
        self._disk = disk
        self._path = disk.path(key)
        self._key = key
        self._upload_id = upload_id
        self._parts = parts
        self._next = 0
        self._source: tuple[int, PartFile] | None = None
        self._offset = 0
        self._unsynced_bytes = 0
        self._crc32 = 0
        self._sha256 = hashlib.sha256()
        self._hashed_bytes = 0
        self._hashing = threading.Lock()
        self._temporary: tuple[Path, int] | None = None

    def copy(self) -> int | None:
        """Copy a step, and give the number of bytes that it copied; None when there is nothing left.

        Raises:
            NotFoundError: The upload was aborted.
            InvalidArgumentError: A part is missing or has another ETag.
            StorageFullError: The disk is full.
        """
        copied = 0
        with full_disk_refused():
            if self._temporary is None:
                find(self._disk, self._key, self._upload_id)
                self._temporary = new_temporary(self._disk.temporary)
            while copied < STEP_BYTES and (self._source is not None or self._open_next()):
                copied += self._copy_some(STEP_BYTES - copied)
            self._unsynced_bytes += copied
            if self._unsynced_bytes >= SYNC_EVERY_BYTES:
                os.fsync(self._target)
                self._unsynced_bytes = 0
        return copied or None

    def hash(self, size_bytes: int) -> None:
        """Add the next bytes that were copied to the checksum."""
        view = memoryview(bytearray(HASH_BYTES))
        with self._hashing:
            while size_bytes:
                count = os.preadv(self._target, [view[:size_bytes]], self._hashed_bytes)
                if not count:
                    raise DamagedObjectError
                self._sha256.update(view[:count])
                self._hashed_bytes += count
                size_bytes -= count

    def publish(self) -> StoredObject:
        """Make the file an object, durable when this returns. The upload is left for the caller to end.

        Raises:
            InvalidArgumentError: Another object has this key.
            StorageFullError: The disk is full.
        """
        tag = bytes.fromhex(multipart_etag([etag for _, etag in self._parts]).partition("-")[0])
        trailer = TRAILER.pack(MAGIC, self._crc32, len(self._parts), self._sha256.digest())
        with full_disk_refused():
            os.lseek(self._target, 0, os.SEEK_END)
            os.write(self._target, tag + trailer)
            os.fsync(self._target)
            stored = describe(self._target, self._key)
            is_new = self._disk.publish(self._file[0], self._path)
        self.discard()
        return stored if is_new else existing_twin(self._path, stored)

    def discard(self) -> None:
        """Close everything and remove the temporary file; an object that was published keeps its own name."""
        self._close_source()
        if self._temporary is not None:
            with self._hashing:
                path, descriptor = self._temporary
                self._temporary = None
                os.close(descriptor)
            path.unlink(missing_ok=True)

    @property
    def _file(self) -> tuple[Path, int]:
        if self._temporary is None:
            raise ValueError("The assembly is over")
        return self._temporary

    @property
    def _target(self) -> int:
        return self._file[1]

    def _open_next(self) -> bool:
        if self._next == len(self._parts):
            return False
        number, etag = self._parts[self._next]
        try:
            directory = self._disk.multipart / self._upload_id
            descriptor = os.open(part_path(directory, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            find(self._disk, self._key, self._upload_id)
            raise InvalidArgumentError(f"Part {number} was not uploaded.") from None
        try:
            part = describe_part(descriptor, number)
            if part.stored.etag != etag:
                raise InvalidArgumentError(f"Part {number} has another ETag than was given.")
        except BaseException:
            os.close(descriptor)
            raise
        self._crc32 = combine_crc32(self._crc32, part.crc32, part.stored.size_bytes)
        self._source, self._offset, self._next = (descriptor, part), 0, self._next + 1
        if not part.stored.size_bytes:
            self._close_source()
        return True

    def _copy_some(self, limit_bytes: int) -> int:
        if self._source is None:
            return 0
        descriptor, part = self._source
        wanted = min(limit_bytes, part.stored.size_bytes - self._offset)
        copied = _copy(descriptor, self._target, wanted, self._offset)
        if not copied:
            raise DamagedObjectError
        self._offset += copied
        if self._offset == part.stored.size_bytes:
            self._close_source()
        return copied

    def _close_source(self) -> None:
        if self._source is not None:
            os.close(self._source[0])
            self._source = None


def _copy(source: int, target: int, size_bytes: int, offset: int) -> int:
    """Append bytes of one file to another, by the system where it can."""
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, size_bytes, offset_src=offset)
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY:
                raise
    return os.write(target, os.pread(source, min(size_bytes, HASH_BYTES), offset))

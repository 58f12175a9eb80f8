"""The blocking half of the directory store: files, their trailers, and what makes them durable.

An object is one file: its bytes, then a trailer of 48 bytes with its checksums. The trailer is written and synced with
the bytes, so there is no second file that could be missing, ETags cost no reading, and a file that was cut is noticed.
An object that was made of parts has the 16 bytes of its ETag before the trailer, and their number in it.
"""

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import Struct
from typing import ClassVar
from uuid import uuid4

from application.ports.object_store import StoredObject
from domain.errors import ArtifactManagerError, InvalidArgumentError, NotFoundError, StorageFullError

TRAILER = Struct(">8sII32s")
"""Magic, CRC-32, number of parts (0: it came in one piece), SHA-256."""
TAG_BYTES = 16
MAGIC = b"\nAMOBJ1\n"
ETAG_DIGITS = 32
"""The ETag is so many hexadecimal digits of the SHA-256."""
MAX_KNOWN_DIRECTORIES = 100_000
"""Directories remembered as durable; then all are forgotten, which only costs syncing them once more."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_PUBLISH_ATTEMPTS = 5
_MAX_COMPONENT_BYTES = 255


class DamagedObjectError(ArtifactManagerError):
    """A file in the store is not a whole object."""

    code: ClassVar[str] = "damaged_object"

    def __init__(self) -> None:
        super().__init__("A stored file is damaged.")


class Disk:
    """Maps keys to files below `root/objects`; uploads begin in `root/tmp`, in the same file system."""

    def __init__(self, root: Path) -> None:
        self.objects = root / "objects"
        self.temporary = root / "tmp"
        self.multipart = root / "multipart"
        self._directories = threading.Lock()
        self._known: set[Path] = set()
        for directory in (self.objects, self.temporary, self.multipart):
            directory.mkdir(parents=True, exist_ok=True)
        sync_directory(root)
        self._remove_leftovers()

    def path(self, key: str) -> Path:
        """Give the file of a key.

        Raises:
            InvalidArgumentError: The key is malformed. Its text never holds the key.
        """
        for component in key.split("/"):
            size = len(component.encode("utf-8", "replace"))
            if component in ("", ".", "..") or "\0" in component or size > _MAX_COMPONENT_BYTES:
                raise InvalidArgumentError("An object key is malformed.")
        return self.objects / key

    def publish(self, temporary: Path, path: Path) -> bool:
        """Give a synced temporary file its name; False when another object has it. Durable when this returns."""
        for attempt in range(_PUBLISH_ATTEMPTS):
            self._make_directory(path.parent)
            try:
                # A link never replaces anything, where a rename would.
                path.hardlink_to(temporary)
            except FileExistsError:
                sync_directory(path.parent)
                return False
            except FileNotFoundError:
                # The directory was empty and a delete took it away.
                if attempt == _PUBLISH_ATTEMPTS - 1:
                    raise
                self._forget(path.parent)
            else:
                break
        sync_directory(path.parent)
        return True

    def remove(self, path: Path) -> None:
        """Remove an object and the directories that it leaves empty."""
        with suppress(*_ABSENT):
            path.unlink()
        with self._directories:
            for parent in path.parents:
                if parent == self.objects:
                    return
                try:
                    parent.rmdir()
                except OSError:
                    # It is not empty, or it stays as an empty directory, which harms nothing.
                    return
                self._known.discard(parent)

    def _make_directory(self, directory: Path) -> None:
        if directory in self._known:
            return
        # Under one lock, because a directory that another thread made is not durable before that thread has synced it.
        with self._directories:
            missing = [directory, *directory.parents]
            for parent in reversed(missing[: missing.index(self.objects)]):
                if parent not in self._known:
                    parent.mkdir(exist_ok=True)
                    sync_directory(parent.parent)
                    if len(self._known) >= MAX_KNOWN_DIRECTORIES:
                        self._known.clear()
                    self._known.add(parent)

    def _forget(self, directory: Path) -> None:
        with self._directories:
            self._known.difference_update((directory, *directory.parents))

    def _remove_leftovers(self) -> None:
        """Remove what uploads left that a crash interrupted; a lock shows those of another living process."""
        started = time.time()
        for path in self.temporary.iterdir():
            with suppress(FileNotFoundError, BlockingIOError):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.fstat(descriptor).st_mtime < started:
                        path.unlink()
                finally:
                    os.close(descriptor)


def describe(descriptor: int, key: str) -> StoredObject:
    """Read what is known of an open object from its trailer.

    Raises:
        NotFoundError: This is no file.
        DamagedObjectError: The file does not end in a trailer.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise NotFoundError("There is no such object.")
    start = max(status.st_size - TRAILER.size - TAG_BYTES, 0)
    end = os.pread(descriptor, TRAILER.size + TAG_BYTES, start)
    tag, trailer = end[: -TRAILER.size], end[-TRAILER.size :]
    if len(trailer) != TRAILER.size:
        raise DamagedObjectError
    magic, crc32, part_count, sha256 = TRAILER.unpack(trailer)
    if magic != MAGIC or (part_count and len(tag) != TAG_BYTES):
        raise DamagedObjectError
    return StoredObject(
        key=key,
        size_bytes=status.st_size - TRAILER.size - (TAG_BYTES if part_count else 0),
        etag=f"{tag.hex()}-{part_count}" if part_count else sha256.hex()[:ETAG_DIGITS],
        modified_at=status.st_mtime_ns // 1000,
        crc32=crc32,
        sha256=sha256,
    )


def open_object(path: Path) -> int:
    """Open the file of an object for reading.

    Raises:
        NotFoundError: There is none.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except _ABSENT:
        raise NotFoundError("There is no such object.") from None


def new_temporary(directory: Path) -> tuple[Path, int]:
    """Make an empty file that its lock marks as in use until it is closed."""
    path = directory / uuid4().hex
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return path, descriptor


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def full_disk_refused() -> Iterator[None]:
    """Turn the errors of a full disk into the domain's."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError("The disk is full; nothing was stored.") from error
        raise

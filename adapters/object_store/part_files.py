"""The files of objects that are uploaded in parts; all blocking.

An upload is a directory `multipart/{upload id}`: the file `key`, and one file a part, its bytes and then a trailer. It
appears and goes away by the rename of its directory, so it is there as a whole or not at all.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from uuid import uuid4

from adapters.object_store.disk import DamagedObjectError, Disk, full_disk_refused, sync_directory
from application.ports.object_store import PendingObject, StoredPart
from domain.errors import NotFoundError

PART_TRAILER = Struct(">8sI16s")
"""Magic, CRC-32, MD5."""
PART_MAGIC = b"\nAMPRT1\n"

_ABSENT = (FileNotFoundError, NotADirectoryError)
_UPLOAD_ID = re.compile("[0-9a-f]{32}")
_KEY = "key"
_NEW, _OVER = ".new", ".over"
_LEFTOVER_SECONDS = 3600.0


class PartFile(NamedTuple):
    """A part, and the checksum that is not told to anybody."""

    stored: StoredPart
    crc32: int


def no_such_upload() -> NotFoundError:
    """Make the refusal of an upload that is not there; its text holds neither key nor id."""
    return NotFoundError("There is no such upload.")


def part_path(directory: Path, part_number: int) -> Path:
    """Give the file of a part; their names sort by number."""
    return directory / f"{part_number:05d}"


def describe_part(descriptor: int, part_number: int) -> PartFile:
    """Read what is known of an open part from its trailer.

    Raises:
        DamagedObjectError: The file does not end in a trailer.
    """
    status = os.fstat(descriptor)
    size_bytes = status.st_size - PART_TRAILER.size
    trailer = os.pread(descriptor, PART_TRAILER.size, size_bytes) if size_bytes >= 0 else b""
    if len(trailer) != PART_TRAILER.size:
        raise DamagedObjectError
    magic, crc32, md5 = PART_TRAILER.unpack(trailer)
    if magic != PART_MAGIC:
        raise DamagedObjectError
    stored = StoredPart(
        part_number=part_number, size_bytes=size_bytes, etag=md5.hex(), modified_at=status.st_mtime_ns // 1000
    )
    return PartFile(stored, crc32)


def create(disk: Disk, key: str) -> str:
    """Make the directory of an upload and give its id."""
    disk.path(key)
    upload_id = uuid4().hex
    new = disk.multipart / f"{upload_id}{_NEW}"
    with full_disk_refused():
        new.mkdir()
        descriptor = os.open(new / _KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, key.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(new)
        new.rename(disk.multipart / upload_id)
        sync_directory(disk.multipart)
    return upload_id


def find(disk: Disk, key: str, upload_id: str) -> Path:
    """Give the directory of an upload.

    Raises:
        NotFoundError: There is none, or it is of another key.
    """
    directory = disk.multipart / upload_id
    if not _UPLOAD_ID.fullmatch(upload_id) or _key_of(directory) != key:
        raise no_such_upload()
    return directory


def parts_of(disk: Disk, key: str, upload_id: str, after: int, limit: int) -> Sequence[StoredPart]:
    """List parts by number.

    Raises:
        NotFoundError: There is no such upload.
    """
    directory = find(disk, key, upload_id)
    try:
        numbers = sorted(int(path.name) for path in directory.iterdir() if path.name != _KEY)
        return [_head_part(directory, number) for number in [n for n in numbers if n > after][:limit]]
    except _ABSENT:
        raise no_such_upload() from None


def _head_part(directory: Path, part_number: int) -> StoredPart:
    descriptor = os.open(part_path(directory, part_number), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return describe_part(descriptor, part_number).stored
    finally:
        os.close(descriptor)


def remove(disk: Disk, key: str, upload_id: str) -> None:
    """End an upload: it is gone at once, its files a little later."""
    try:
        directory = find(disk, key, upload_id)
        over = directory.with_suffix(_OVER)
        directory.rename(over)
    except (NotFoundError, *_ABSENT):
        return
    sync_directory(disk.multipart)
    shutil.rmtree(over, ignore_errors=True)


def pending(disk: Disk, after: PendingObject | None, limit: int) -> Sequence[PendingObject]:
    """List uploads by their id."""
    found: list[PendingObject] = []
    for name in sorted(path.name for path in disk.multipart.iterdir()):
        if len(found) == limit:
            break
        if not _UPLOAD_ID.fullmatch(name) or (after is not None and name <= after.upload_id):
            continue
        directory = disk.multipart / name
        key = _key_of(directory)
        with suppress(*_ABSENT):
            started_at = (directory / _KEY).stat().st_mtime_ns // 1000
            if key is not None:
                found.append(PendingObject(key=key, upload_id=name, started_at=started_at))
    return found


def remove_leftovers(disk: Disk) -> None:
    """Remove the directories of uploads that a crash left between two states."""
    for path in list(_leftovers(disk)):
        shutil.rmtree(path, ignore_errors=True)


def _leftovers(disk: Disk) -> Iterator[Path]:
    made_before = time.time() - _LEFTOVER_SECONDS
    for path in disk.multipart.iterdir():
        # A new one may be that of another living process, which needs a moment for it.
        with suppress(FileNotFoundError):
            if path.suffix == _OVER or (path.suffix == _NEW and path.stat().st_mtime < made_before):
                yield path


def _key_of(directory: Path) -> str | None:
    try:
        return (directory / _KEY).read_text(encoding="utf-8")
    except _ABSENT:
        return None

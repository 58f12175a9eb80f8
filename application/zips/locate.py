"""Finds the central directory of a ZIP archive from the last bytes of its file."""

from typing import NamedTuple

from application.zips.layout import (
    CENTRAL_RECORD,
    END,
    END64,
    END64_SIGNATURE,
    END_SIGNATURE,
    LOCATOR64,
    LOCATOR64_SIGNATURE,
    UINT16_MAX,
    UINT32_MAX,
)
from domain.errors import UnreadableArchiveError

MAX_MEMBERS = 4_000_000
"""Members of an archive that can be read inside."""
MAX_DIRECTORY_BYTES = 1024 * 1024 * 1024
"""The largest central directory that is read."""
TAIL_BYTES = UINT16_MAX + END.size + LOCATOR64.size + END64.size
"""The end of an archive lies in its last bytes, behind it only a comment of at most 65,535."""


class Directory(NamedTuple):
    """Where the central directory lies. `shift` is what stands before the archive, as in one that unpacks itself.

    `members` is the number of members that the archive declares, modulo 65,536 unless `is_large`.
    """

    offset: int
    size_bytes: int
    members: int
    shift: int
    is_large: bool


def find_directory(tail: bytes, archive_bytes: int) -> Directory:
    """Find the directory; `tail` is the end of the file, at most `TAIL_BYTES`.

    Raises:
        UnreadableArchiveError: This is no archive, it is cut off, spread over several files, or beyond a limit.
    """
    at = _find_end(tail)
    _, disk, first_disk, here, count, size, offset, _ = END.unpack_from(tail, at)
    before = at
    locator = at - LOCATOR64.size
    is_large = locator >= 0 and tail.startswith(LOCATOR64_SIGNATURE, locator)
    if is_large:
        before = locator - END64.size
        if before < 0 or not tail.startswith(END64_SIGNATURE, before):
            raise UnreadableArchiveError("The ZIP64 end of the ZIP file is not where it should be.")
        _, _, _, _, disk, first_disk, here, count, size, offset = END64.unpack_from(tail, before)
    elif UINT32_MAX in (size, offset):
        raise UnreadableArchiveError("The ZIP file declares a ZIP64 end and has none.")
    if disk or first_disk or here != count:
        raise UnreadableArchiveError("ZIP files of several parts cannot be read.")
    if count > MAX_MEMBERS:
        raise UnreadableArchiveError(f"The ZIP file has more than {MAX_MEMBERS:,} members.")
    if size > MAX_DIRECTORY_BYTES:
        raise UnreadableArchiveError(f"The directory of the ZIP file is larger than {MAX_DIRECTORY_BYTES:,} bytes.")
    shift = archive_bytes - len(tail) + before - size - offset
    if shift < 0:
        raise UnreadableArchiveError("The directory of the ZIP file is not where it should be; the file may be cut.")
    if is_large and count * CENTRAL_RECORD.size > size:
        raise UnreadableArchiveError("The directory of the ZIP file is too small for its members.")
    return Directory(offset + shift, size, count, shift, is_large)


def _find_end(tail: bytes) -> int:
    """Find the last end record whose comment ends where the file does, so that a comment cannot feign one by chance."""
    at = len(tail)
    while (at := tail.rfind(END_SIGNATURE, 0, at)) >= 0:
        end = at + END.size
        if end <= len(tail) and end + int.from_bytes(tail[end - 2 : end], "little") == len(tail):
            return at
    raise UnreadableArchiveError("This is not a ZIP file, or its end is cut off.")

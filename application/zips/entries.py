"""The entries of an archive's index: a member by its name, in the order of listings.

An entry is one piece of bytes, the key, NUL, and numbers of fixed length, so that a million of them sort fast. A key is
the member's name with `/` replaced by 0x01, which no name can hold and which sorts before every other character: what
lies below a directory is one range, as in file trees. The key of a directory's own entry ends with 0x01.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from application.zips.layout import (
    CENTRAL_RECORD,
    CENTRAL_SIGNATURE,
    FLAG_UTF8,
    LOCAL_HEADER,
    TIME_FIELD,
    UINT16_MAX,
    UINT32_MAX,
    ZIP64_FIELD,
)
from domain.errors import InvalidPathError, UnreadableArchiveError
from domain.paths import MAX_COMPONENT_BYTES, parse_path

SEPARATOR: Final = b"\1"
MAX_EXTRA_FIELDS: Final = 32
"""Extra fields of a record that are looked at; writers use a few, and a hostile one could have 16,000."""
BEHIND: Final = b"\2"
"""A directory's key with this behind it sorts behind everything below the directory."""

_NUMBERS = Struct(">HHLLQQQ")
_ODD = re.compile(rb"[\x00-\x1f\x7f-\xff]|\.\.|\\|//|^/|(?:^|/)\./|/\.$|^\.?$")
_DOS_EPOCH = 315_532_800


class Entry(NamedTuple):
    """What is known of a member. `modified_at` is in seconds since the epoch, `offset` in the whole file."""

    method: int
    flags: int
    modified_at: int
    crc32: int
    packed_bytes: int
    size_bytes: int
    offset: int


class Record(NamedTuple):
    """A record of the central directory: its entry without a key, and where the next record begins."""

    name: bytes
    entry: Entry
    end: int


def read_record(data: bytes, at: int, shift: int) -> Record | None:
    """Read the record at a place; None when it is not complete.

    Raises:
        UnreadableArchiveError: There is no record here, or it contradicts itself.
    """
    if len(data) - at < CENTRAL_RECORD.size:
        return None
    (
        signature,
        _,
        _,
        flags,
        method,
        dos_time,
        dos_date,
        crc32,
        packed,
        size,
        name_bytes,
        extra_bytes,
        comment_bytes,
        disk,
        _,
        _,
        offset,
    ) = CENTRAL_RECORD.unpack_from(data, at)
    if signature != CENTRAL_SIGNATURE:
        raise UnreadableArchiveError("The directory of the ZIP file is damaged.")
    name_end = at + CENTRAL_RECORD.size + name_bytes
    extra_end = name_end + extra_bytes
    end = extra_end + comment_bytes
    if end > len(data):
        return None
    modified_at = _dos_seconds(dos_date, dos_time)
    if extra_bytes:
        extra = data[name_end:extra_end]
        if UINT32_MAX in (size, packed, offset) or disk == UINT16_MAX:
            size, packed, offset, disk = _large_numbers(extra, size, packed, offset, disk)
        modified_at = _utc_seconds(extra, modified_at)
    if disk:
        raise UnreadableArchiveError("ZIP files of several parts cannot be read.")
    entry = Entry(method, flags, modified_at, crc32, packed, size, offset + shift)
    return Record(data[at + CENTRAL_RECORD.size : name_end], entry, end)


def least_end(record: Record) -> int:
    """Tell how far a member reaches at least, with its header."""
    return record.entry.offset + LOCAL_HEADER.size + len(record.name) + record.entry.packed_bytes


def key_of_name(name: bytes, flags: int) -> bytes | None:
    """Turn a member's name into its key; None for one that is no path inside the archive.

    These are names that are absolute, lead out of the archive, are too long, or hold control characters: nobody can
    ask for them, as for such a path in an artifact.
    """
    if len(name) <= MAX_COMPONENT_BYTES and not _ODD.search(name):
        return name.replace(b"/", SEPARATOR)
    try:
        text = name.decode("utf-8" if flags & FLAG_UTF8 else "cp437")
        is_directory = text.endswith("/")
        key = key_of_path(parse_path(text.rstrip("/")))
    except (UnicodeDecodeError, InvalidPathError):
        return None
    return key + SEPARATOR if is_directory else key


def key_of_path(path: str) -> bytes:
    """Turn a parsed path into its key."""
    return path.encode().replace(b"/", SEPARATOR)


def encode_entry(key: bytes, entry: Entry) -> bytes:
    """Write an entry as one piece of bytes."""
    return b"%b\0%b" % (key, _NUMBERS.pack(*entry))


def decode_entry(item: bytes) -> tuple[bytes, Entry]:
    """Read an entry: its key, and what is known of the member."""
    at = item.index(b"\0")
    return item[:at], Entry._make(_NUMBERS.unpack_from(item, at + 1))


@lru_cache(maxsize=4096)
def _dos_seconds(date: int, time: int) -> int:
    try:
        at = datetime(
            (date >> 9) + 1980,
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            min(2 * (time & 31), 59),
            tzinfo=UTC,
        )
    except ValueError:
        return _DOS_EPOCH
    return int(at.timestamp())


def _fields(extra: bytes, wanted: int) -> bytes | None:
    at = 0
    for _ in range(MAX_EXTRA_FIELDS):
        if at + 4 > len(extra):
            return None
        size = int.from_bytes(extra[at + 2 : at + 4], "little")
        if int.from_bytes(extra[at : at + 2], "little") == wanted:
            return extra[at + 4 : at + 4 + size]
        at += 4 + size
    return None


def _large_numbers(extra: bytes, size: int, packed: int, offset: int, disk: int) -> tuple[int, int, int, int]:
    field = _fields(extra, ZIP64_FIELD) or b""
    numbers = []
    at = 0
    for number in (size, packed, offset):
        if number == UINT32_MAX and at + 8 <= len(field):
            numbers.append(int.from_bytes(field[at : at + 8], "little"))
            at += 8
        else:
            numbers.append(number)
    if disk == UINT16_MAX and at + 4 <= len(field):
        disk = int.from_bytes(field[at : at + 4], "little")
    return numbers[0], numbers[1], numbers[2], disk


def _utc_seconds(extra: bytes, otherwise: int) -> int:
    field = _fields(extra, TIME_FIELD)
    if field is None or len(field) < 5 or not field[0] & 1:
        return otherwise
    return max(int.from_bytes(field[1:5], "little", signed=True), 0)

"""The parts of a ZIP archive whose members are stored as they are (APPNOTE 6.3.10), and how long each part is.

The length of an archive is known before its first byte, because lengths follow from names, sizes and offsets alone.
ZIP64 fields appear where a number does not fit, and only there, so that old readers can read what is small.
"""

from datetime import UTC, datetime
from struct import Struct
from typing import Final, NamedTuple

UINT16_MAX: Final = 0xFFFF
UINT32_MAX: Final = 0xFFFFFFFF
"""A field with this value says that the number stands in a ZIP64 field, so numbers from here on need one."""

LOCAL_HEADER: Final = Struct("<4s5H3L2H")
CENTRAL_RECORD: Final = Struct("<4s6H3L5H2L")
END: Final = Struct("<4s4H2LH")
END64: Final = Struct("<4sQ2H2L4Q")
LOCATOR64: Final = Struct("<4sLQL")
LOCAL_SIGNATURE: Final = b"PK\3\4"
CENTRAL_SIGNATURE: Final = b"PK\1\2"
END_SIGNATURE: Final = b"PK\5\6"
END64_SIGNATURE: Final = b"PK\6\6"
LOCATOR64_SIGNATURE: Final = b"PK\6\7"
FLAG_ENCRYPTED: Final = 0x0001
FLAG_DESCRIPTOR: Final = 0x0008
"""Checksum and sizes follow the bytes."""
FLAG_UTF8: Final = 0x0800
STORED: Final = 0
DEFLATED: Final = 8
ZIP64_FIELD: Final = 0x0001
TIME_FIELD: Final = 0x5455
"""The extra field that tells a time in UTC, where the fields of MS-DOS tell one of an unknown zone."""

_DESCRIPTOR = Struct("<4s3L")
_DESCRIPTOR64 = Struct("<4sL2Q")
_DESCRIPTOR_SIGNATURE = b"PK\7\x08"
_TIME = Struct("<HHBl")
_LOCAL64 = Struct("<HHQQ")
_VERSION, _VERSION64 = 20, 45
_MADE_ON_UNIX = 3 << 8
_REGULAR_FILE = 0o100644 << 16
_DOS_EPOCH = 315_532_800
_DOS_END = 4_354_819_198
_INT32_MAX = 0x7FFFFFFF


class Member(NamedTuple):
    """A file in the archive. `modified_at` is in seconds since the epoch; without `crc32` it follows the bytes."""

    name: bytes
    size_bytes: int
    crc32: int | None
    modified_at: int

    @property
    def is_large(self) -> bool:
        """Whether the size needs a ZIP64 field."""
        return self.size_bytes >= UINT32_MAX


def local_size(member: Member) -> int:
    """Count the bytes of a member with its header and all that belongs to it outside the central directory."""
    head = LOCAL_HEADER.size + len(member.name) + _TIME.size + (_LOCAL64.size if member.is_large else 0)
    tail = 0
    if member.crc32 is None:
        tail = (_DESCRIPTOR64 if member.is_large else _DESCRIPTOR).size
    return head + member.size_bytes + tail


def local_header(member: Member) -> bytes:
    """Write what stands before the bytes of a member."""
    is_known = member.crc32 is not None
    # Where the checksum comes later the format wants the sizes there as well; the central directory has them all.
    size = member.size_bytes if is_known else 0
    extra = _time_field(member)
    if member.is_large:
        extra = _LOCAL64.pack(ZIP64_FIELD, 16, size, size) + extra
        size = UINT32_MAX
    head = LOCAL_HEADER.pack(
        LOCAL_SIGNATURE,
        _VERSION64 if member.is_large else _VERSION,
        _flags(member),
        STORED,
        *_dos_time(member.modified_at),
        member.crc32 or 0,
        size,
        size,
        len(member.name),
        len(extra),
    )
    return head + member.name + extra


def descriptor(member: Member, crc32: int) -> bytes:
    """Write what stands behind the bytes of a member whose checksum was not known before."""
    form = _DESCRIPTOR64 if member.is_large else _DESCRIPTOR
    return form.pack(_DESCRIPTOR_SIGNATURE, crc32, member.size_bytes, member.size_bytes)


def central_size(member: Member, offset: int) -> int:
    """Count the bytes of a member's record in the central directory; `offset` is where its header stands."""
    large = 16 * member.is_large + 8 * (offset >= UINT32_MAX)
    return CENTRAL_RECORD.size + len(member.name) + _TIME.size + (4 + large if large else 0)


def central_record(member: Member, offset: int, crc32: int) -> bytes:
    """Write a member's record in the central directory."""
    numbers: list[int] = [member.size_bytes, member.size_bytes] if member.is_large else []
    if offset >= UINT32_MAX:
        numbers.append(offset)
    extra = _time_field(member)
    if numbers:
        extra = Struct(f"<HH{len(numbers)}Q").pack(ZIP64_FIELD, 8 * len(numbers), *numbers) + extra
    size = min(member.size_bytes, UINT32_MAX)
    version = _VERSION64 if numbers else _VERSION
    head = CENTRAL_RECORD.pack(
        CENTRAL_SIGNATURE,
        _MADE_ON_UNIX | version,
        version,
        _flags(member),
        STORED,
        *_dos_time(member.modified_at),
        crc32,
        size,
        size,
        len(member.name),
        len(extra),
        0,
        0,
        0,
        _REGULAR_FILE,
        min(offset, UINT32_MAX),
    )
    return head + member.name + extra


def end_records(count: int, directory_offset: int, directory_size: int) -> bytes:
    """Write the end of an archive: so many members, and where their directory stands."""
    large = b""
    if count >= UINT16_MAX or max(directory_offset, directory_size) >= UINT32_MAX:
        large = END64.pack(
            END64_SIGNATURE,
            END64.size - 12,
            _MADE_ON_UNIX | _VERSION64,
            _VERSION64,
            0,
            0,
            count,
            count,
            directory_size,
            directory_offset,
        ) + LOCATOR64.pack(LOCATOR64_SIGNATURE, 0, directory_offset + directory_size, 1)
    short_count = min(count, UINT16_MAX)
    return large + END.pack(
        END_SIGNATURE,
        0,
        0,
        short_count,
        short_count,
        min(directory_size, UINT32_MAX),
        min(directory_offset, UINT32_MAX),
        0,
    )


def _flags(member: Member) -> int:
    return FLAG_UTF8 | (FLAG_DESCRIPTOR if member.crc32 is None else 0)


def _time_field(member: Member) -> bytes:
    return _TIME.pack(TIME_FIELD, 5, 1, min(max(member.modified_at, 0), _INT32_MAX))


def _dos_time(seconds: int) -> tuple[int, int]:
    """Give time and date as MS-DOS wrote them, in UTC, between 1980 and 2107."""
    at = datetime.fromtimestamp(min(max(seconds, _DOS_EPOCH), _DOS_END), UTC)
    return at.hour << 11 | at.minute << 5 | at.second // 2, (at.year - 1980) << 9 | at.month << 5 | at.day

"""Archives that nobody should write."""

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping

from application.zips import layout
from application.zips.layout import Member

GIBI = 2**30


def patched(data: bytes, signature: bytes, offset: int, value: bytes, *, last: bool = False) -> bytes:
    """Overwrite a field of the first (or last) record of a kind."""
    at = (data.rfind if last else data.find)(signature) + offset
    return data[:at] + value + data[at + len(value) :]


def stored(files: Mapping[str, bytes]) -> bytes:
    """Write an archive of stored members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def deflated(
    data: bytes, *, declared: int | None = None, crc32: int | None = None, packed: bytes | None = None
) -> bytes:
    """Write an archive of one deflated member `a` that declares whatever is wanted."""
    if packed is None:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    size = len(data) if declared is None else declared
    crc32 = zlib.crc32(data) if crc32 is None else crc32
    local = b"PK\3\4" + layout.LOCAL_HEADER.pack(b"", 20, 0, 8, 0, 0, crc32, len(packed), size, 1, 0)[4:] + b"a"
    record = layout.CENTRAL_RECORD.pack(b"PK\1\2", 20, 20, 0, 8, 0, 0, crc32, len(packed), size, 1, 0, 0, 0, 0, 0, 0)
    body = local + packed
    directory = record + b"a"
    return body + directory + layout.end_records(1, len(body), len(directory))


def overlapping(count: int) -> bytes:
    """Write an archive whose members all share the same bytes."""
    member = Member(b"a", 1000, zlib.crc32(bytes(1000)), 0)
    body = layout.local_header(member) + bytes(1000)
    directory = b"".join(
        layout.central_record(member._replace(name=b"%d" % (number % 10)), 0, member.crc32 or 0)
        for number in range(count)
    )
    return body + directory + layout.end_records(count, len(body), len(directory))


def quoted() -> bytes:
    """Write an archive in which one member lies inside another, in an order that hides it."""
    inner = Member(b"i", 10, zlib.crc32(bytes(10)), 0)
    inner_bytes = layout.local_header(inner) + bytes(10)
    outer = Member(b"o", len(inner_bytes), zlib.crc32(inner_bytes), 0)
    start = layout.local_header(outer)
    body = start + inner_bytes
    directory = layout.central_record(inner, len(start), inner.crc32 or 0)
    directory += layout.central_record(outer, 0, outer.crc32 or 0)
    return body + directory + layout.end_records(2, len(body), len(directory))


_GOOD = stored({"a": b"hello", "b": b"world"})
_PACKED = deflated(b"x" * 10_000)

REFUSED: Mapping[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"hello" * 100,
    "cut-at-the-end": lambda: _GOOD[:-1],
    "cut-in-the-directory": lambda: _GOOD[:-60],
    "only-an-end-that-lies": lambda: layout.end_records(3, 1000, 1000),
    "directory-before-the-file": lambda: patched(_GOOD, b"PK\5\6", 16, (10**6).to_bytes(4, "little")),
    "directory-size-lies": lambda: patched(_GOOD, b"PK\5\6", 12, (40).to_bytes(4, "little")),
    "too-many-declared": lambda: patched(_GOOD, b"PK\5\6", 8, b"\3\0\3\0"),
    "too-few-declared": lambda: patched(_GOOD, b"PK\5\6", 8, b"\1\0\1\0"),
    "several-parts": lambda: patched(_GOOD, b"PK\5\6", 4, b"\1\0"),
    "member-of-another-part": lambda: patched(_GOOD, b"PK\1\2", 34, b"\1\0"),
    "member-behind-the-end": lambda: patched(_GOOD, b"PK\1\2", 42, (10**6).to_bytes(4, "little")),
    "member-longer-than-the-file": lambda: patched(_GOOD, b"PK\1\2", 20, (10**6).to_bytes(4, "little")),
    "name-longer-than-the-directory": lambda: patched(_GOOD, b"PK\1\2", 28, b"\xff\xff"),
    "no-record": lambda: patched(_GOOD, b"PK\1\2", 0, b"PKxx"),
    "zip64-without-its-end": lambda: patched(_GOOD, b"PK\5\6", 16, b"\xff" * 4),
    "zip64-end-elsewhere": lambda: _GOOD[:-22] + b"PK\6\7" + bytes(16) + _GOOD[-22:],
    "zip64-count-lies": lambda: (
        _GOOD[:-22]
        + layout.END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, 2**63, 2**63, 94, len(_GOOD) - 116)
        + layout.LOCATOR64.pack(b"PK\6\7", 0, 0, 1)
        + _GOOD[-22:]
    ),
    "zip64-directory-size-lies": lambda: (
        _GOOD[:-22]
        + layout.END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, 2**40, 0)
        + layout.LOCATOR64.pack(b"PK\6\7", 0, 0, 1)
        + _GOOD[-22:]
    ),
    "overlapping": lambda: overlapping(1000),
    "one-inside-another": quoted,
}
"""Archives that are refused as a whole."""

REFUSED_MEMBERS: Mapping[str, Callable[[], bytes]] = {
    "encrypted": lambda: patched(patched(_GOOD, b"PK\1\2", 8, b"\1\0"), b"PK\3\4", 6, b"\1\0"),
    "encrypted-says-one-header": lambda: patched(_GOOD, b"PK\3\4", 6, b"\1\0"),
    "unknown-method": lambda: patched(_GOOD, b"PK\1\2", 10, b"\x0e\0"),
    "two-methods": lambda: patched(_GOOD, b"PK\3\4", 8, b"\x08\0"),
    "two-sizes": lambda: patched(_GOOD, b"PK\1\2", 24, (4).to_bytes(4, "little")),
    "no-header": lambda: patched(_GOOD, b"PK\3\4", 0, b"PKxx"),
    "header-that-reaches-into-the-directory": lambda: patched(_GOOD, b"PK\3\4", 28, b"\xff\xff"),
    "checksum": lambda: patched(_GOOD, b"PK\1\2", 16, bytes(4)),
    "deflate-checksum": lambda: deflated(b"x" * 100, crc32=1),
    "deflate-more-than-declared": lambda: deflated(b"x" * 10_000, declared=9_999),
    "deflate-less-than-declared": lambda: deflated(b"x" * 10_000, declared=10_001),
    "deflate-garbage": lambda: deflated(b"", declared=5, packed=b"\xff" * 50),
    "deflate-cut": lambda: deflated(b"", declared=1000, packed=b"\x4b"),
    "deflate-with-a-tail": lambda: deflated(b"", declared=0, packed=b"\x03\x00" + b"tail"),
    "deflate-beyond-what-it-can": lambda: deflated(b"x" * 1000, declared=GIBI),
    "bomb": lambda: deflated(b"", declared=GIBI, packed=bytes(GIBI // 1000)),
}
"""Archives whose first member, `a`, is refused."""

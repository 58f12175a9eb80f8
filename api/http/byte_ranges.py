"""Byte ranges as HTTP writes them."""

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


class ByteRange(NamedTuple):
    """A part of a file that exists."""

    start: int
    length: int


class UnsatisfiableRange(NamedTuple):
    """A well-formed range that holds no byte of the file."""


def parse_range(text: str, size_bytes: int) -> ByteRange | UnsatisfiableRange | None:
    """Read a Range header; None when it is malformed or has several parts, and is to be ignored."""
    found = _RANGE.fullmatch(text.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size_bytes)
        return ByteRange(size_bytes - length, length) if length else UnsatisfiableRange()
    start = int(found[1])
    end = int(found[2]) if found[2] else size_bytes - 1
    if found[2] and end < start:
        return None
    if start >= size_bytes:
        return UnsatisfiableRange()
    return ByteRange(start, min(end, size_bytes - 1) - start + 1)

"""The Range header of RFC 9110, for single ranges of bytes."""

import re

from domain.errors import RangeNotSatisfiableError

_SINGLE = re.compile(r"bytes[ \t]*=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.ASCII | re.IGNORECASE)
_LARGE = 10**18
_LARGE_DIGITS = 18


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Tell which part of a body a Range header asks for, as start and length; None for the whole.

    As the RFC allows, what is malformed, has several ranges or another unit is ignored. An empty body has no parts but
    its whole.

    Raises:
        RangeNotSatisfiableError: The range begins behind the end, or is the last zero bytes.
    """
    match = _SINGLE.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(_number(suffix), size_bytes)
        if _number(suffix) == 0:
            raise _beyond(size_bytes)
        return (size_bytes - length, length) if size_bytes else None
    start = _number(first)
    end = _number(last) if last else _LARGE
    if end < start:
        return None
    if start >= size_bytes:
        raise _beyond(size_bytes)
    return start, min(end + 1, size_bytes) - start


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return _LARGE if len(digits) > _LARGE_DIGITS else int(digits or "0")


def _beyond(size_bytes: int) -> RangeNotSatisfiableError:
    return RangeNotSatisfiableError(f"The requested range lies outside the file, which has {size_bytes} bytes.")

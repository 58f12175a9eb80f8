"""Normal forms of JSON values: what filters compare, and what indexes keep."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

MAX_KEYWORD_BYTES: Final = 1_024
"""Longest text, in UTF-8, that can be filtered by and ordered by; also the longest path and keyword."""

MAX_CANONICAL_DEPTH: Final = 64
"""Deepest value that can be compared as a whole."""

SEPARATOR: Final = "\x1f"
"""Stands between the values of a keyword text; `fold` removes it from values and keywords."""

_FORBIDDEN: Final = str.maketrans({"\x00": "\ufffd", SEPARATOR: "\ufffd"})
_INT64: Final = range(-(2**63), 2**63)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")

Stored = str | int | float | bytes
"""A scalar as indexes keep it: numbers sort before texts, and texts before the bytes that stand for booleans."""

FALSE: Final = b"\x00"
TRUE: Final = b"\x01"
NULL: Final = b"\xff"
"""Booleans and null as bytes, so that they equal no number and no text."""


class NotComparableError(ValueError):
    """A value is nested too deeply to be compared as a whole."""


def fits(text: str) -> bool:
    """Tell whether a text is short enough to be filtered by."""
    if len(text) > MAX_KEYWORD_BYTES:
        return False
    return text.isascii() or (is_encodable(text) and len(text.encode()) <= MAX_KEYWORD_BYTES)


def is_encodable(text: str) -> bool:
    """Tell whether a text is Unicode: half a surrogate pair, which JSON never gives, is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def number_of(value: int | float) -> int | float:
    """Bring a number into the range of indexes: integers beyond 64 bits become floats, or infinities."""
    if isinstance(value, float):
        return value
    if value in _INT64:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def stored(value: Any) -> Stored:  # noqa: ANN401 - Any JSON scalar.
    """Give the stored form of a JSON scalar.

    Equal stored forms are what equality means in filters: texts are compared exactly, 1 equals 1.0, and booleans and
    null equal only themselves. NaN, which JSON never gives, is null.
    """
    if value is None or value != value:
        return NULL
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, str):
        return value
    return number_of(value)


def fold(text: str) -> str:
    """Give the form in which patterns and keywords are compared, so that case does not matter.

    Case folding works on each character alone, so a part of a text folds to a part of the folded text.
    """
    folded = text.casefold()
    return folded.translate(_FORBIDDEN) if "\x00" in folded or SEPARATOR in folded else folded


def text_of(value: float) -> str:
    """Write a number or boolean as JSON."""
    return _ENCODER.encode(value).decode()


def canonical(value: Any) -> str:  # noqa: ANN401 - Any JSON value.
    """Give a text that is the same for equal JSON values: sorted keys, 1 for 1.0; a digest where it is long.

    Raises:
        NotComparableError: The value is nested too deeply, or no JSON.
    """
    try:
        text = _ENCODER.encode(_normal(value, 0)).decode()
    except UnicodeEncodeError as error:
        raise NotComparableError("A text that is no Unicode cannot be compared") from error
    if fits(text):
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _normal(value: Any, depth: int) -> Any:  # noqa: ANN401 - As `canonical`.
    if depth > MAX_CANONICAL_DEPTH:
        raise NotComparableError(f"A value nested more than {MAX_CANONICAL_DEPTH} deep cannot be compared")
    if isinstance(value, Mapping):
        return {str(key): _normal(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_normal(item, depth + 1) for item in value]
    if isinstance(value, float) and value.is_integer() and int(value) in _INT64:
        return int(value)
    return value

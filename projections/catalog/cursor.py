"""Cursors: where a page ended, opaque to clients."""

import base64
import binascii
from typing import Final

import msgspec

from domain.errors import InvalidArgumentError
from domain.filters.order import Order
from domain.filters.tree import ContentField
from domain.filters.values import FALSE, TRUE, Stored, fits

MAX_BYTES: Final = 8_192
"""Longest cursor: a path and a text of 1,024 bytes each, encoded, and some numbers."""

_INT64: Final = range(-(2**63), 2**63)


class After(msgspec.Struct, frozen=True):
    """The page goes on behind this document; `value` is what it is ordered by, None where it has no such field."""

    value: Stored | None
    doc: int


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    epoch: str
    order: str
    kind: str
    value: str
    doc: int


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_Wire)


def encode_cursor(after: After, order: Order, epoch: str) -> str:
    """Write a cursor, which is good for this order and this epoch of the log alone."""
    kind, value = _written(after.value)
    data = _ENCODER.encode(_Wire(epoch, _name(order), kind, value, after.doc))
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_cursor(text: str, order: Order, epoch: str) -> After:
    """Read a cursor.

    Raises:
        InvalidArgumentError: It is none, or one of another order or another log.
    """
    wire = _decode(text)
    if wire.epoch != epoch:
        raise InvalidArgumentError("The cursor is from before the service was restored; begin again.")
    if wire.order != _name(order):
        raise InvalidArgumentError("The cursor belongs to another order.")
    if wire.doc not in _INT64:
        raise InvalidArgumentError("The cursor is not valid.")
    return After(_read(wire.kind, wire.value), wire.doc)


def _decode(text: str) -> _Wire:
    if len(text) > MAX_BYTES or not text.isascii():
        raise InvalidArgumentError("The cursor is not valid.")
    try:
        return _DECODER.decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidArgumentError("The cursor is not valid.") from error


def _name(order: Order) -> str:
    field = order.field.path if isinstance(order.field, ContentField) else order.field.name.value
    return field + (">" if order.is_descending else "<")


def _written(value: Stored | None) -> tuple[str, str]:
    if value is None:
        return "missing", ""
    if isinstance(value, bytes):
        return "boolean", "true" if value == TRUE else "false"
    if isinstance(value, str):
        return "text", value
    return ("integer" if isinstance(value, int) else "number"), repr(value)


def _read(kind: str, value: str) -> Stored | None:
    try:
        match kind:
            case "missing":
                return None
            case "boolean" if value in ("true", "false"):
                return TRUE if value == "true" else FALSE
            case "text" if fits(value):
                return value
            case "integer" if len(value) < 24 and int(value) in _INT64:
                return int(value)
            case "number" if len(value) < 32 and float(value) == float(value):  # NaN differs from itself.
                return float(value)
    except ValueError as error:
        raise InvalidArgumentError("The cursor is not valid.") from error
    raise InvalidArgumentError("The cursor is not valid.")

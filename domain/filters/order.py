"""Parse `order_by`."""

import re
from typing import Final

import msgspec

from domain.errors import InvalidArgumentError
from domain.filters.tree import Builtin, BuiltinField, ContentField, Field
from domain.filters.values import fits

_SORTABLE: Final = {
    field.value: Builtin(field)
    for field in (
        BuiltinField.ID,
        BuiltinField.CREATED_AT,
        BuiltinField.LAST_MODIFIED,
        BuiltinField.VIEW_COUNT,
        BuiltinField.DOWNLOAD_COUNT,
    )
}
_PATH: Final = re.compile(r"(manifest|config)\.[A-Za-z0-9_.\-]+", re.ASCII)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """By which field a list is ordered, and which way.

    Numbers come first, in numeric order, then texts by code point, then false and true; descending reverses all that.
    Artifacts without the field, or with null there, come last either way. Of an array, the first element that is
    neither null nor an object counts. Ties are ordered by creation, in the direction of the order.
    """

    field: Field
    is_descending: bool = False


DEFAULT_ORDER: Final = Order(field=Builtin(BuiltinField.ID))
"""The order of creation."""


def parse_order(text: str | None) -> Order:
    """Parse `field`, `field<` (ascending), `field>` or `-field` (descending); by creation when there is none.

    Raises:
        InvalidArgumentError: The field is unknown or cannot be ordered by.
    """
    if not text:
        return DEFAULT_ORDER
    is_descending = text.startswith("-") or text.endswith(">")
    name = text.removeprefix("-") if text.startswith("-") else text[:-1] if text[-1] in "<>" else text
    if name in _SORTABLE:
        return Order(field=_SORTABLE[name], is_descending=is_descending)
    is_grant = name == "config.permissions" or name.startswith("config.permissions.")
    if not _PATH.fullmatch(name) or not fits(name) or is_grant:
        raise InvalidArgumentError(f"Invalid order_by field: {text[:100]}")
    return Order(field=ContentField(name), is_descending=is_descending)

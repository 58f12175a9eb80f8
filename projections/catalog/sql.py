"""Small pieces that queries are put together from: static text, with every value bound."""

from typing import Final

import msgspec

TRUE: Final = "1"
FALSE: Final = "0"


class Binder:
    """Collects the values of one statement under names."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def bind(self, value: object) -> str:
        """Give the placeholder of a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def bind_all(self, values: tuple[object, ...]) -> str:
        """Give the placeholders of several values, for `IN`."""
        return ", ".join(self.bind(value) for value in values)


class Source(msgspec.Struct, frozen=True):
    """Statements that together give the `doc` of every document that a condition can hold for, and maybe of others."""

    selects: tuple[str, ...]


def both(*parts: str) -> str:
    """Join conditions by "and"; constants fold."""
    real = [part for part in parts if part != TRUE]
    if FALSE in real:
        return FALSE
    return TRUE if not real else real[0] if len(real) == 1 else f"({' AND '.join(real)})"


def either(*parts: str) -> str:
    """Join conditions by "or"; constants fold."""
    real = [part for part in parts if part != FALSE]
    if TRUE in real:
        return TRUE
    return FALSE if not real else real[0] if len(real) == 1 else f"({' OR '.join(real)})"


def negated(part: str) -> str:
    """Negate a condition; constants fold."""
    return FALSE if part == TRUE else TRUE if part == FALSE else f"NOT {part}"


def constant(value: bool) -> str:
    """Write a known answer."""
    return TRUE if value else FALSE

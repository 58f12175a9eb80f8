"""Parse conditions on the manifest: fields, `$and`, `$or`, and the operators `$like`, `$in` and `$all`."""

import math
from collections.abc import Mapping
from typing import Any, Final

from domain.errors import InvalidArgumentError
from domain.filters.tree import And, ContentField, Filter, Like, OneOf, Or
from domain.filters.values import fits, fold, stored

MAX_DEPTH: Final = 32
"""Deepest nesting of a filter."""

MAX_NODES: Final = 512
"""Conditions and values in one filter."""

MAX_WILDCARDS: Final = 16
"""Wildcards in one pattern, so that matching stays cheap."""

_OPERATORS: Final = ("$like", "$in", "$all")


class Budget:
    """Counts what a filter holds, so that nobody can send one that never ends."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def take(self, key: str, count: int = 1) -> None:
        """Take from the budget.

        Raises:
            InvalidArgumentError: The filter is too large.
        """
        self._left -= count
        if self._left < 0:
            raise InvalidArgumentError(f"filters: more than {MAX_NODES} conditions, at {key[:100]}")


def parse_manifest(value: Any, budget: Budget) -> Filter | None:  # noqa: ANN401 - As the caller wrote it.
    """Parse the value of the key `manifest`; None when it holds no condition.

    Raises:
        InvalidArgumentError: An operator, a type or a bound is wrong; names the key.
    """
    return _group(value, "manifest", budget, 0)


def _group(value: Any, prefix: str, budget: Budget, depth: int) -> Filter | None:  # noqa: ANN401 - As above.
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"Invalid filter key: {prefix} must be an object")
    if depth > MAX_DEPTH:
        raise InvalidArgumentError(f"filters: nested more than {MAX_DEPTH} deep")
    parts: list[Filter] = []
    for key, item in value.items():
        name = f"{prefix}.{key}"
        budget.take(name)
        if key in ("$and", "$or"):
            groups = _groups(item, prefix, name, budget, depth)
            parts.append(And(groups) if key == "$and" else Or(groups))
        elif not isinstance(key, str) or key.startswith("$"):
            raise InvalidArgumentError(f"Invalid filter key: {name}")
        else:
            condition = _field(name, item, budget, depth)
            if condition is not None:
                parts.append(condition)
    return None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))


def _groups(value: Any, prefix: str, name: str, budget: Budget, depth: int) -> tuple[Filter, ...]:  # noqa: ANN401
    if not isinstance(value, list | tuple) or not value:
        raise InvalidArgumentError(f"Invalid filter key: {name} must be a list of objects")
    # An empty object says nothing, which is true.
    return tuple(_group(item, prefix, budget, depth + 1) or And(()) for item in value)


def _field(name: str, value: Any, budget: Budget, depth: int) -> Filter | None:  # noqa: ANN401 - As above.
    field = ContentField(name)
    if isinstance(value, Mapping):
        if not any(isinstance(key, str) and key in _OPERATORS for key in value):
            return _group(value, name, budget, depth + 1)
        parts = tuple(_operator(field, key, item, budget) for key, item in value.items())
        return parts[0] if len(parts) == 1 else And(parts)
    if isinstance(value, list | tuple):
        return _operator(field, "$all", value, budget)
    if isinstance(value, str) and "*" in value:
        return _like(field, value, "*")
    return OneOf(field, (_scalar(name, value),))


def _operator(field: ContentField, key: Any, value: Any, budget: Budget) -> Filter:  # noqa: ANN401 - As above.
    name = f"{field.path}.{key}"
    if key == "$like":
        if not isinstance(value, str):
            raise InvalidArgumentError(f"Invalid filter key: {name} must be a text")
        return _like(field, value, "*%")
    if key not in _OPERATORS:
        raise InvalidArgumentError(f"Invalid filter key: {name}")
    if not isinstance(value, list | tuple):
        raise InvalidArgumentError(f"Invalid filter key: {name} must be a list")
    budget.take(name, len(value))
    values = tuple(_scalar(name, item) for item in value)
    if key == "$in":
        return OneOf(field, values)
    parts = tuple(OneOf(field, (item,)) for item in values)
    return parts[0] if len(parts) == 1 else And(parts)


def _scalar(name: str, value: Any) -> Any:  # noqa: ANN401 - As above.
    if value is not None and not isinstance(value, str | int | float):
        raise InvalidArgumentError(f"Invalid filter key: {name} must be a text, a number, true, false or null")
    result = stored(value)
    if isinstance(value, float) and math.isnan(value):
        raise InvalidArgumentError(f"Invalid filter key: {name} must be a number")
    return result


def _like(field: ContentField, pattern: str, wildcards: str) -> Filter:
    if not fits(pattern):
        raise InvalidArgumentError(f"Invalid filter key: {field.path}: the pattern is too long")
    pieces = [""]
    for character in pattern:
        if character not in wildcards:
            pieces[-1] += character
        elif len(pieces) < 2 or pieces[-1]:
            # Wildcards in a row are one.
            pieces.append("")
    if len(pieces) - 1 > MAX_WILDCARDS:
        raise InvalidArgumentError(f"Invalid filter key: {field.path}: more than {MAX_WILDCARDS} wildcards")
    return Like(field, tuple(fold(piece) for piece in pieces))

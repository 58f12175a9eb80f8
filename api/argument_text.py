"""Reads an argument from text by its declared type, as a query string gives it."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from api.argument_types import Argument
from domain.errors import InvalidTypeError

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def read_text(argument: Argument, texts: Sequence[str]) -> Any:  # noqa: ANN401 - The value of any parameter.
    """Read one argument; several texts make a list where the parameter takes lists.

    A text that could be more than one thing is the first of these that the parameter takes and that fits: a boolean,
    a JSON list, a JSON object, plain text, a number. So a version named `1` stays text where a version may be text.

    Raises:
        InvalidTypeError: The text fits nothing that the parameter takes.
    """
    if len(texts) > 1:
        if not argument.takes_lists:
            raise InvalidTypeError(f"Argument '{argument.name}' was given {len(texts)} times and takes one value")
        return [_single(argument, text) for text in texts]
    value = _single(argument, texts[0])
    is_only_list = argument.takes_lists and not (
        argument.takes_text or argument.takes_numbers or argument.takes_booleans or argument.takes_objects
    )
    return [value] if is_only_list and not isinstance(value, list) and value is not None else value


def _single(argument: Argument, text: str) -> Any:  # noqa: ANN401 - The value of any parameter.
    stripped = text.strip()
    if stripped in {"null", "None"} and not argument.is_required:
        return None
    if argument.takes_booleans:
        word = stripped.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    if argument.takes_lists and stripped.startswith("["):
        found = _json(stripped)
        if isinstance(found, list):
            return found
    if argument.takes_objects and stripped.startswith(("{", "[")):
        found = _json(stripped)
        if found is not None:
            return found
    if argument.takes_text or (argument.takes_lists and not argument.takes_numbers):
        return text
    if argument.takes_numbers:
        return _number(argument, stripped)
    expected = "true or false" if argument.takes_booleans else "JSON"
    raise InvalidTypeError(f"Argument '{argument.name}': expected {expected}")


def _json(text: str) -> Any:  # noqa: ANN401 - Any JSON value, None when it is not JSON.
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        # The standard library knows NaN and Infinity.
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(argument: Argument, text: str) -> int | float:
    try:
        if argument.takes_integers:
            return int(text)
        return float(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        kind = "an integer" if argument.takes_integers else "a number"
        raise InvalidTypeError(f"Argument '{argument.name}': expected {kind}") from None
    return number

"""Binds the arguments of a call to the parameters of its method, the same way for every transport."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

from api.argument_text import read_text
from api.argument_types import Argument, arguments_of
from application.methods import Command, Method
from domain.errors import InvalidTypeError

Parameters = TypeVar("Parameters", bound=Command)


def bind(method: Method, arguments: Mapping[str, Any]) -> Command:
    """Bind keyword arguments that already have their types.

    A null for an optional argument is the default, except for those of `keep_null`.

    Raises:
        InvalidTypeError: An argument is unknown, missing, of a wrong type or out of range; the text names it.
    """
    return bind_struct(method.name, method.parameters, arguments, method.ignored, method.keep_null)


def bind_text(method: Method, arguments: Mapping[str, Sequence[str]]) -> Command:
    """Bind arguments that are text, as in a query string, by the declared types of the parameters.

    Raises:
        InvalidTypeError: As for `bind`, or an argument was given more than once and takes one value.
    """
    return bind(method, read_texts(method.parameters, arguments))


def bind_positional(method: Method, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Command:
    """Bind positional and keyword arguments; the order of the parameters is that of the struct's fields.

    Raises:
        InvalidTypeError: As for `bind`, or there are too many arguments, or one was given twice.
    """
    names = method.parameters.__struct_fields__
    if len(args) > len(names):
        raise InvalidTypeError(
            f"{method.name}() takes at most {len(names)} positional arguments but {len(args)} were given"
        )
    arguments = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name in arguments:
            raise InvalidTypeError(f"{method.name}() got multiple values for argument '{name}'")
        arguments[name] = value
    return bind(method, arguments)


def bind_query(name: str, parameters: type[Parameters], arguments: Mapping[str, Sequence[str]]) -> Parameters:
    """Bind the query of a request that is no method to a struct of its own; `name` stands in the errors.

    Raises:
        InvalidTypeError: As for `bind_text`.
    """
    return bind_struct(name, parameters, read_texts(parameters, arguments))


def bind_struct(
    name: str,
    parameters: type[Parameters],
    arguments: Mapping[str, Any],
    ignored: Sequence[str] = (),
    keep_null: Sequence[str] = (),
) -> Parameters:
    """Bind keyword arguments to a struct, as `bind` does for a method."""
    known = _arguments(parameters)
    values: dict[str, Any] = {}
    for key, value in arguments.items():
        argument = known.get(key)
        if argument is None:
            if key in ignored:
                continue
            raise InvalidTypeError(f"{name}() got an unexpected keyword argument '{key}'")
        if value is None and not argument.is_required and key not in keep_null:
            continue
        values[key] = value
    try:
        return msgspec.convert(values, parameters)
    except msgspec.ValidationError as error:
        return _explain(known, values, parameters, error)


def read_texts(parameters: type[Command], arguments: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Read arguments that are text by the declared types of a struct; unknown ones are left for the binding to refuse.

    Raises:
        InvalidTypeError: A text fits nothing that the parameter takes, or was given more than once.
    """
    known = _arguments(parameters)
    values: dict[str, Any] = {}
    for name, texts in arguments.items():
        argument = known.get(name)
        if argument is None:
            # What is unknown is refused later, in the same words as for every other transport.
            values[name] = texts
        elif argument.is_required or argument.takes_empty_text or list(texts) != [""]:
            values[name] = read_text(argument, texts)
    return values


@cache
def _arguments(parameters: type[Command]) -> Mapping[str, Argument]:
    return arguments_of(parameters)


def _explain(
    known: Mapping[str, Argument], values: dict[str, Any], parameters: type[Parameters], error: msgspec.ValidationError
) -> Parameters:
    """Bind what a strict conversion refused only for writing an integer as 3.0; else say what is wrong."""
    for argument in known.values():
        value = values.get(argument.name)
        if isinstance(value, float) and argument.takes_integers and value.is_integer():
            values[argument.name] = int(value)
        elif value is None and argument.is_required:
            raise InvalidTypeError(f"Missing required argument: '{argument.name}'") from None
    try:
        return msgspec.convert(values, parameters)
    except msgspec.ValidationError as refused:
        reason, _, place = str(refused).partition(" - at `$.")
        name = place.split("`", maxsplit=1)[0]
        culprit = known.get(name.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0])
        if culprit is None:
            raise InvalidTypeError(reason) from error
        allowed = f"; allowed is {culprit.range_text}" if culprit.range_text else ""
        raise InvalidTypeError(f"Argument '{name}': {reason[0].lower()}{reason[1:]}{allowed}") from None

"""Reads the settings from environment variables."""

import difflib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from adapters.key_ring import KeyRingError, parse_key_ring
from application.settings import PREFIX, Settings, find_mistake, variable_name


class SettingsError(ValueError):
    """A setting has a value that the service cannot run with; the text names the variable."""


def load_settings(environment: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Settings:
    """Read and check the settings; `overrides` are options of the command line by field name, None means not given.

    Raises:
        SettingsError: A variable is unknown, or a value is of the wrong type, out of range or not supported.
    """
    fields = {variable_name(name): name for name in Settings.__struct_fields__}
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in fields:
            raise SettingsError(f"{variable} is not a setting{_suggestion(variable, fields)}")
        values[fields[variable]] = text
    values.update({name: value for name, value in (overrides or {}).items() if value is not None})
    for name, value in values.items():
        _check(name, value)
    settings = _convert(values)
    mistake = find_mistake(settings)
    if mistake is not None:
        field, reason = mistake
        raise SettingsError(f"{variable_name(field)} {reason}")
    if settings.secret_keys is not None:
        try:
            parse_key_ring(settings.secret_keys)
        except KeyRingError as error:
            raise SettingsError(f"{variable_name('secret_keys')}: {error}") from None
    return settings


def _check(name: str, value: object) -> None:
    # Each value is converted alone, so that the error can name its variable.
    try:
        _convert({name: value})
    except msgspec.ValidationError as error:
        reason = str(error).split(" - at ", maxsplit=1)[0]
        raise SettingsError(f"{variable_name(name)}: {reason[0].lower()}{reason[1:]}") from None


def _convert(values: Mapping[str, object]) -> Settings:
    return msgspec.convert(values, Settings, strict=False, dec_hook=_read_path)


def _read_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path) and str(value):
        return Path(value)
    raise ValueError("expected the path of a directory")


def _suggestion(variable: str, known: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(variable, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""

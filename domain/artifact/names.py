"""Names: aliases and their patterns, and names of versions."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from domain.errors import InvalidArgumentError

MAX_ALIAS_CHARACTERS = 64
MAX_EXPANDED_ALIAS_CHARACTERS = 255
MAX_VERSION_NAME_CHARACTERS = 128
RESERVED_ALIASES = frozenset({"-", "~", "_"})
RESERVED_VERSION_NAMES = frozenset({"new", "stage", "latest", "committed"})

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_UUID_CHARACTERS = 36
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_OUTSIDE = re.compile(r"[^A-Za-z0-9._-]")

RandomChoice = Callable[[int], int]
"""Gives a number from 0 to its argument - 1."""


def is_uuid(text: str) -> bool:
    """Tell whether a text has the shape of a UUID."""
    return len(text) == _UUID_CHARACTERS and _UUID.fullmatch(text) is not None


def is_pattern(alias: str) -> bool:
    """Tell whether an alias holds placeholders."""
    return "{" in alias and "}" in alias


def check_typed_alias(alias: str) -> str:
    """Check an alias or pattern as the caller typed it, and return it without surrounding space.

    Raises:
        InvalidArgumentError: It is empty, reserved, too long, UUID-shaped, or has characters outside the allowed set.
    """
    alias = alias.strip()
    if alias in RESERVED_ALIASES:
        raise InvalidArgumentError(f"Alias '{alias}' is reserved, please choose a different alias.")
    if len(alias) > MAX_ALIAS_CHARACTERS:
        raise InvalidArgumentError(
            f"Alias is too long ({len(alias)} characters); the maximum is {MAX_ALIAS_CHARACTERS} characters."
        )
    if is_pattern(alias):
        check_expanded_alias(_PLACEHOLDER.sub("x", alias))
    else:
        check_expanded_alias(alias)
        if is_uuid(alias):
            raise InvalidArgumentError("Alias should be a human readable string, it cannot be a UUID.")
    return alias


def check_expanded_alias(alias: str) -> str:
    """Check the characters of an alias after its pattern was expanded."""
    if not _ALIAS.fullmatch(alias) or len(alias) > MAX_EXPANDED_ALIAS_CHARACTERS:
        raise InvalidArgumentError(
            f"Invalid alias '{alias}': it must consist of letters, digits, '-', '_' and '.', "
            "and begin with a letter or digit."
        )
    return alias


def expand_alias(
    pattern: str,
    *,
    artifact_id: UUID,
    now: int,
    user_id: str,
    id_parts: Mapping[str, Any],
    choose: RandomChoice,
    random_uuid: Callable[[], UUID],
) -> str:
    """Fill the placeholders of an alias pattern.

    `{uuid}` is the artifact's own id, `{timestamp}` milliseconds since the epoch (`now` is in microseconds),
    `{user_id}` the caller with every character outside the alias set as `-`; a name of the parent's `id_parts` gives a
    random element of its list, or its text; any other name gives a random UUID.

    Raises:
        InvalidArgumentError: A Zenodo placeholder was used, or a part does not make an alias.
    """

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "uuid":
            return str(artifact_id)
        if name == "timestamp":
            return str(now // 1000)
        if name == "user_id":
            return _OUTSIDE.sub("-", user_id)
        if name in {"zenodo_id", "zenodo_conceptrecid"}:
            raise InvalidArgumentError(f"The placeholder '{{{name}}}' needs publishing to Zenodo to be configured.")
        part = id_parts.get(name)
        if isinstance(part, str):
            return part
        if isinstance(part, Sequence) and part:
            return str(part[choose(len(part))])
        return str(random_uuid())

    return check_expanded_alias(_PLACEHOLDER.sub(fill, pattern))


def check_version_name(name: str) -> str:
    """Check the name of a new version.

    Raises:
        InvalidArgumentError: It is empty, reserved, too long, or has control characters or slashes.
    """
    if name in RESERVED_VERSION_NAMES:
        raise InvalidArgumentError(f"Invalid version '{name}': this name is reserved.")
    if not name or len(name) > MAX_VERSION_NAME_CHARACTERS or not name.isprintable() or "/" in name:
        raise InvalidArgumentError(
            f"Invalid version name {name!r}: it must have 1 to {MAX_VERSION_NAME_CHARACTERS} printable characters "
            "and no slash."
        )
    return name


def next_version_name(index: int, taken: Collection[str]) -> str:
    """Give the default name of a new version: `v{index}`, or the next one that is free."""
    while f"v{index}" in taken:
        index += 1
    return f"v{index}"

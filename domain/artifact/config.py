"""The configuration of an artifact: which keys the service keeps, and which decide access."""

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.artifact.ttl import MAX_TTL_SECONDS, TTL_KEY, is_ttl
from domain.artifact.view import check_view
from domain.errors import InvalidArgumentError
from domain.events import JsonObject
from domain.permissions import ACCESS_KEYS, OPERATIONS_OF

SERVICE_KEYS = ("is_collection", "zenodo")
"""Keys that the service sets; what a caller gives for them is replaced by what is there."""
COMPUTED_KEYS = ("child_count", "vector_count", "download_weights")
"""Keys that are added to answers and never stored in the configuration."""
CREATION_KEYS = ("storage", "git_default_branch")
"""Keys that are fixed when the artifact is created."""


MAX_SUBJECTS = 1_000
MAX_OPERATIONS = 100
"""Operations that one entry may list."""
_SWITCHES = ("inherit_writes", "private_children", "recipient_can_delete")


def check_config(config: Mapping[str, Any]) -> None:
    """Check the keys of a configuration that the service itself reads.

    Raises:
        InvalidArgumentError: One has another shape than it needs; the text names it.
    """
    _check_permissions(config.get("permissions", {}))
    for key in _SWITCHES:
        if key in config and not isinstance(config[key], bool):
            raise InvalidArgumentError(f"config.{key} must be true or false.")
    if not isinstance(config.get("recipient_field", ""), str):
        raise InvalidArgumentError("config.recipient_field must be the name of a field.")
    if not is_ttl(config.get(TTL_KEY, 0)):
        raise InvalidArgumentError(f"config.{TTL_KEY} must be whole seconds, 0 to {MAX_TTL_SECONDS}; 0 is never.")
    fields = config.get("list_fields")
    if fields is not None and not (isinstance(fields, list) and all(isinstance(field, str) for field in fields)):
        raise InvalidArgumentError("config.list_fields must be a list of names of fields.")
    check_view(config)


def _check_permissions(permissions: Any) -> None:  # noqa: ANN401 - Whatever the caller gave.
    """Check the shape of `config.permissions`: subject to level, or to a list of operations."""
    if not isinstance(permissions, dict):
        raise InvalidArgumentError("permissions must be an object that maps users to levels.")
    if len(permissions) > MAX_SUBJECTS:
        raise InvalidArgumentError(f"permissions can name {MAX_SUBJECTS} users at most.")
    for subject, entry in permissions.items():
        is_list = isinstance(entry, list) and len(entry) <= MAX_OPERATIONS
        if is_list and all(isinstance(item, str) for item in entry):
            continue
        if isinstance(entry, str) and entry in OPERATIONS_OF:
            continue
        raise InvalidArgumentError(
            f"Invalid permission {str(entry)[:MAX_OPERATIONS]!r} for {subject!r}: "
            "it must be a level or a list of operations."
        )


def with_creators(config: JsonObject, creators: tuple[str, ...]) -> JsonObject:
    """Give the creators everything on what they create."""
    if not creators:
        return config
    permissions = {**config.get("permissions", {}), **dict.fromkeys(creators, "*")}
    return {**config, "permissions": permissions}


def new_config(given: Mapping[str, Any]) -> JsonObject:
    """Make the configuration of a new artifact."""
    config = {key: value for key, value in given.items() if key not in (*COMPUTED_KEYS, *SERVICE_KEYS)}
    config.setdefault("permissions", {})
    check_config(config)
    return config


def replaced_config(
    current: JsonObject, given: Mapping[str, Any] | None, permissions: Mapping[str, Any] | None
) -> JsonObject | None:
    """Make the configuration that an edit leaves, or None when the edit gives none.

    Everything is replaced, except the access keys that are not given and what the service keeps.
    """
    if given is None and permissions is None:
        return None
    base = current if given is None else given
    config = {key: value for key, value in base.items() if key not in (*COMPUTED_KEYS, *SERVICE_KEYS)}
    if permissions is not None:
        config["permissions"] = dict(permissions)
    kept = (*SERVICE_KEYS, *(key for key in (*ACCESS_KEYS, *CREATION_KEYS) if key not in config))
    config.update({key: current[key] for key in kept if key in current})
    config.setdefault("permissions", {})
    check_config(config)
    return config


def changes_access(current: JsonObject, changed: JsonObject) -> bool:
    """Tell whether a configuration decides access in another way than the current one."""
    # As JSON, because in Python 1 equals true, and no value is not the same as null.
    return _access_of(current) != _access_of(changed)


def names_access(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration says anything about who has access."""
    return any(config.get(key) for key in ACCESS_KEYS)


def _access_of(config: JsonObject) -> bytes:
    return msgspec.json.encode({key: config[key] for key in ACCESS_KEYS if key in config}, order="sorted")

"""The configuration of an artifact: which keys the service keeps, and which decide access."""

from collections.abc import Mapping
from typing import Any

from domain.errors import InvalidArgumentError
from domain.events import JsonObject
from domain.permissions import ACCESS_KEYS, OPERATIONS_OF

SERVICE_KEYS = ("is_collection", "zenodo")
"""Keys that the service sets; what a caller gives for them is replaced by what is there."""
COMPUTED_KEYS = ("child_count", "vector_count", "download_weights")
"""Keys that are added to answers and never stored in the configuration."""
CREATION_KEYS = ("storage", "git_default_branch")
"""Keys that are fixed when the artifact is created."""


def check_permissions(permissions: Any) -> None:  # noqa: ANN401 - Whatever the caller gave.
    """Check the shape of `config.permissions`: subject to level, or to a list of operations.

    Raises:
        InvalidArgumentError: It has another shape, or an unknown level.
    """
    if not isinstance(permissions, dict):
        raise InvalidArgumentError("permissions must be an object that maps users to levels.")
    for subject, entry in permissions.items():
        if isinstance(entry, list) and all(isinstance(item, str) for item in entry):
            continue
        if isinstance(entry, str) and entry in OPERATIONS_OF:
            continue
        raise InvalidArgumentError(
            f"Invalid permission {entry!r} for {subject!r}: it must be a level or a list of operations."
        )


def with_creators(config: JsonObject, creators: tuple[str, ...]) -> JsonObject:
    """Give the creators everything on what they create."""
    if not creators:
        return config
    permissions = {**config.get("permissions", {}), **dict.fromkeys(creators, "*")}
    return {**config, "permissions": permissions}


def new_config(given: Mapping[str, Any] | None, permissions: Mapping[str, Any] | None) -> JsonObject:
    """Make the configuration of a new artifact from `config` and the `permissions` argument, which wins."""
    config = {key: value for key, value in (given or {}).items() if key not in (*COMPUTED_KEYS, *SERVICE_KEYS)}
    if permissions is not None:
        config["permissions"] = dict(permissions)
    config.setdefault("permissions", {})
    check_permissions(config["permissions"])
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
    check_permissions(config.setdefault("permissions", {}))
    return config


def changes_access(current: JsonObject, changed: JsonObject) -> bool:
    """Tell whether a configuration decides access in another way than the current one."""
    return any(current.get(key) != changed.get(key) for key in ACCESS_KEYS)

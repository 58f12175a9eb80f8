"""`config.draft_ttl`: after how long without activity drafts in a collection expire."""

from collections.abc import Mapping
from typing import Any

TTL_KEY = "draft_ttl"
MAX_TTL_SECONDS = 100 * 366 * 86_400
"""A century: the longest time after which a draft can expire."""


def is_ttl(value: Any) -> bool:  # noqa: ANN401 - Whatever the caller gave.
    """Tell whether a value can be a `draft_ttl`: whole seconds, 0 for never."""
    return type(value) is int and 0 <= value <= MAX_TTL_SECONDS


def own_ttl_seconds(config: Mapping[str, Any]) -> int | None:
    """Give the `draft_ttl` of a configuration; None when it says nothing, or nothing that can be meant."""
    value = config.get(TTL_KEY)
    return value if is_ttl(value) else None

"""What of an artifact can be filtered by, ordered by and searched: one extraction for every backend."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from domain.artifact.state import Artifact, effective
from domain.events import JsonObject
from domain.filters.tree import BuiltinField
from domain.filters.values import (
    NULL,
    SEPARATOR,
    NotComparableError,
    Stored,
    canonical,
    fits,
    fold,
    stored,
    text_of,
)

MAX_LEAVES: Final = 1_000
"""Scalars of manifest and configuration, in the order in which they are written, that can be filtered by."""

CONFIG_WHOLE: Final = "config="
"""Begins the path at which the canonical text of a whole key of the configuration is kept."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows of an artifact: the committed values, or those of the draft it still is.

    The configuration of a stage takes effect at commit, that of a draft included.
    """

    type: str | None
    manifest: JsonObject
    config: JsonObject


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that filters, orders and keywords look at.

    `values` maps a path to its distinct values, in the order in which they are written. `text` holds the folded values
    of the manifest, each followed by a separator. `grants` maps a subject to the canonical text of its entry.
    `unindexed` counts the scalars that are beyond a bound and cannot be filtered by.
    """

    values: Mapping[str, tuple[Stored, ...]]
    text: str
    grants: Mapping[str, str]
    unindexed: int


def listed(artifact: Artifact) -> Listed:
    """Give what a list shows of an artifact."""
    if artifact.is_committed or artifact.stage is None:
        return Listed(type=artifact.type, manifest=artifact.manifest, config=artifact.config)
    draft = effective(artifact)
    return Listed(
        type=draft.type if isinstance(draft.type, str) else None,
        manifest=draft.manifest if isinstance(draft.manifest, dict) else {},
        config=artifact.config,
    )


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Any JSON value.
    """Walk the scalars of a JSON value in the order in which they are written, at any depth."""
    pending: list[tuple[str, Any]] = [(path, value)]
    while pending:
        at, item = pending.pop()
        if isinstance(item, dict):
            pending.extend((f"{at}.{key}", inner) for key, inner in reversed(list(item.items())))
        elif isinstance(item, list | tuple):
            pending.extend((at, inner) for inner in reversed(item))
        else:
            yield at, item


def facets(artifact: Artifact) -> Facets:
    """Extract what can be filtered by, within the bounds."""
    shown = listed(artifact)
    values: dict[str, dict[Stored, None]] = {}
    count = unindexed = 0
    text: list[str] = []
    config = {key: item for key, item in shown.config.items() if key != "permissions"}
    for section, content in (("manifest", shown.manifest), ("config", config)):
        for path, leaf in leaves(content, section):
            if section == "manifest" and leaf is not None:
                text.append(fold(leaf if isinstance(leaf, str) else text_of(leaf)))
            if count == MAX_LEAVES or not fits(path) or (isinstance(leaf, str) and not fits(leaf)):
                unindexed += 1
                continue
            count += 1
            values.setdefault(path, {}).setdefault(stored(leaf))
    for key, item in config.items():
        whole = _canonical_or_none(item)
        if whole is not None and fits(CONFIG_WHOLE + key):
            values[CONFIG_WHOLE + key] = {whole: None}
    for name, builtin in _builtins(artifact, shown):
        if fits(builtin):
            values[name] = {builtin: None}
    entries = artifact.config.get("permissions")
    grants = {
        str(subject): _canonical_or_none(entry) or ""
        for subject, entry in (entries.items() if isinstance(entries, Mapping) else ())
    }
    return Facets(
        values={path: tuple(found) for path, found in values.items()},
        text="".join(item + SEPARATOR for item in text) + SEPARATOR,
        grants=grants,
        unindexed=unindexed,
    )


def count_unindexed(artifact: Artifact) -> int:
    """Count the scalars of an artifact that are kept, but cannot be filtered by: the answer to a command says so."""
    return facets(artifact).unindexed


def sort_value(found: tuple[Stored, ...]) -> Stored | None:
    """Give the value that an artifact is ordered by: the first that is not null."""
    return next((value for value in found if value != NULL), None)


def _builtins(artifact: Artifact, shown: Listed) -> Iterator[tuple[str, str]]:
    if shown.type is not None:
        yield BuiltinField.TYPE.value, shown.type
    yield BuiltinField.ALIAS.value, artifact.alias
    yield BuiltinField.CREATED_BY.value, artifact.created_by


def _canonical_or_none(value: Any) -> str | None:  # noqa: ANN401 - Any JSON value.
    try:
        return canonical(value)
    except NotComparableError:
        return None

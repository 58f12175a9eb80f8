"""Renders the record of an artifact, the shape that every method answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from application.ports.statistics import Counts
from domain.artifact.chain import Chain
from domain.artifact.state import Artifact, VersionEntry, effective
from domain.events import JsonObject
from domain.filters import count_unindexed
from domain.filters.values import MAX_KEYWORD_BYTES
from domain.permissions import expanded_names, visible_permissions
from domain.stage.state import Stage

MAX_VERSIONS = 1000
"""Versions in a record, the newest ones; the query `versions` gives all."""
_MICRO = 1_000_000


def seconds(microseconds: int) -> int:
    """Turn microseconds into whole seconds since the epoch, as records show times."""
    return microseconds // _MICRO


def is_collection(artifact: Artifact) -> bool:
    """Tell whether an artifact is a collection by its type, or because it has had a child."""
    return artifact.type in {"collection", "vector-collection"} or bool(artifact.config.get("is_collection"))


def _config(chain: Chain, config: JsonObject, children: int | None) -> JsonObject:
    artifact = chain.artifact
    shown = dict(config)
    shown["permissions"] = visible_permissions(chain.viewer, chain.nodes, config.get("permissions"))
    if artifact.download_weights:
        shown["download_weights"] = {path: weight / 1000 for path, weight in artifact.download_weights.items()}
    if is_collection(artifact):
        shown["is_collection"] = True
        if children is not None:
            shown["child_count"] = children
    return shown


def staging_list(artifact: Artifact, stage: Stage | None) -> list[JsonObject] | None:
    """List the staged files in the order in which they came, the removals, and the intent."""
    if artifact.stage is None:
        return None
    entries: list[JsonObject] = []
    if stage is not None:
        for path, staged in sorted(stage.files.items(), key=lambda item: item[1].place):
            entry: JsonObject = {"path": path}
            if staged.weight_milli:
                entry["download_weight"] = staged.weight_milli / 1000
            entries.append(entry)
        entries += [{"path": path, "_remove": True} for path in sorted(stage.removed)]
    intent = "new_version" if artifact.stage.intent.is_new_version else "edit_version"
    return [*entries, {"_intent": intent}]


def render(
    chain: Chain,
    counts: Counts,
    *,
    children: int | None = None,
    entry: VersionEntry | None = None,
    manifest: JsonObject | None = None,
    staged: bool = False,
    shows_staging: bool = False,
    stage: Stage | None = None,
) -> JsonObject:
    """Render the record of `chain.artifact` for its viewer.

    `entry` and `manifest` are those of an older version. With `staged` the values are those that a commit would leave.
    With `shows_staging`, `staging` tells the files of `stage`. `children` is the number of children of a collection.
    """
    artifact = chain.artifact
    content = effective(artifact) if staged else None
    shown_manifest = artifact.manifest if manifest is None else manifest
    config, kind = artifact.config, artifact.type
    if content is not None:
        if manifest is None and content.manifest is not UNSET:
            shown_manifest = content.manifest
        config = config if content.config is UNSET else content.config
        kind = kind if content.type is UNSET else content.type
    shown_config = _config(chain, config, children)
    version = entry or artifact.latest
    parent = chain.parent
    return {
        "id": artifact.full_id,
        "_id": str(artifact.id),
        "workspace": artifact.workspace,
        "alias": artifact.alias,
        "parent_id": parent.full_id if parent else None,
        "type": kind,
        "manifest": shown_manifest,
        "config": shown_config,
        "_permissions": {subject: expanded_names(level) for subject, level in shown_config["permissions"].items()},
        "versions": [version_record(entry) for entry in artifact.versions[-MAX_VERSIONS:]],
        "staging": staging_list(artifact, stage) if shows_staging else None,
        "file_count": version.tree.file_count if version and version.tree else 0,
        "created_at": seconds(artifact.created_at),
        "last_modified": seconds(artifact.last_modified),
        "created_by": artifact.created_by,
        "download_count": counts.downloads_milli / 1000,
        "view_count": float(counts.views),
    }


def version_record(entry: VersionEntry) -> JsonObject:
    """Render one version."""
    return {"version": entry.name, "comment": entry.comment, "created_at": seconds(entry.created_at)}


def pick_fields(record: JsonObject, fields: Sequence[str]) -> JsonObject:
    """Give only these fields of a record; a dot reaches into an object. Unknown fields are left out."""
    picked: JsonObject = {}
    for field in fields:
        source: Any = record
        target = picked
        names = field.split(".")
        for depth, name in enumerate(names):
            if not isinstance(source, Mapping) or name not in source:
                break
            source = source[name]
            if depth == len(names) - 1:
                target[name] = source
            else:
                inner = target.setdefault(name, {})
                if not isinstance(inner, dict) or inner is source:
                    break
                target = inner
    return picked


def note_unindexed(record: JsonObject, artifact: Artifact) -> JsonObject:
    """Tell in the answer to a command how many values are kept but cannot be filtered by, if there are any."""
    size = len(msgspec.json.encode((artifact.manifest, artifact.config)))
    if size > MAX_KEYWORD_BYTES and (count := count_unindexed(artifact)):
        record["_unindexed"] = count
    return record

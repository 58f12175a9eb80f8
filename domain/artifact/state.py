"""State of an artifact, and its fold."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from immutables import Map
from msgspec import UNSET, UnsetType

from domain.artifact.events import (
    ArtifactCommitted,
    ArtifactCreated,
    ArtifactDeleted,
    ArtifactEdited,
    DownloadWeightSet,
    FilesLent,
    MarkedAsCollection,
    ParentSet,
    SecretsChanged,
    StagedContent,
    StageDiscarded,
    StageEdited,
    StageIntent,
    StageOpened,
    StoreLocation,
    VersionDeleted,
)
from domain.artifact.store_secrets import STORE_SECRETS
from domain.events import Event, EventMeta, JsonObject
from domain.trees import TreeRoot


class VersionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One committed version.

    `index` is stable for ever. `manifest_at` is the stream version of the event that holds this version's manifest, so
    that the state carries only the newest one. `created_at` is in microseconds.
    """

    name: str
    index: int
    comment: str | None
    created_at: int
    manifest_at: int
    tree: TreeRoot | None = None


class OpenStage(msgspec.Struct, frozen=True, kw_only=True):
    """The stage that is open; its files are in the stream `stage_id`."""

    stage_id: UUID
    intent: StageIntent
    content: StagedContent
    opened_at: int
    opened_by: str


class OwnStore(msgspec.Struct, frozen=True, kw_only=True):
    """A store that files of the artifact may lie in, with the newest secrets that were set for it, as ciphertext."""

    location: StoreLocation
    sealed: Mapping[str, bytes]


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact as its events left it. Times are in microseconds, weights in thousandths.

    `manifest`, `config` and `type` are the committed values; those of a never-committed draft are what it was created
    with, and its stage holds what has been edited since. `secrets` are ciphertext by name.
    `stores` are those of its own that it has had, by id; `store` is the one for new files.
    `borrowers` are artifacts that began with files of this one.
    A deleted artifact keeps its versions, and the objects that they name, unless it `has_given_up_files`.
    """

    id: UUID
    version: int
    workspace: str
    alias: str
    parent_id: UUID | None
    type: str | None
    manifest: JsonObject
    config: JsonObject
    created_by: str
    created_at: int
    last_modified: int
    versions: tuple[VersionEntry, ...] = ()
    next_index: int = 0
    stage: OpenStage | None = None
    download_weights: "Map[str, int]" = msgspec.field(default_factory=Map)
    secrets: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    store: str | None = None
    stores: Mapping[str, OwnStore] = msgspec.field(default_factory=dict)
    borrowers: frozenset[UUID] = frozenset()
    is_deleted: bool = False
    has_given_up_files: bool = False

    @property
    def latest(self) -> VersionEntry | None:
        """The version with the highest place in the list, or None before the first commit."""
        return self.versions[-1] if self.versions else None

    @property
    def is_committed(self) -> bool:
        """Whether there is at least one version."""
        return bool(self.versions)

    @property
    def full_id(self) -> str:
        """`workspace/alias`."""
        return f"{self.workspace}/{self.alias}"


def merge_content(older: StagedContent, newer: StagedContent) -> StagedContent:
    """Lay the set fields of `newer` over `older`."""
    return StagedContent(
        manifest=older.manifest if newer.manifest is UNSET else newer.manifest,
        config=older.config if newer.config is UNSET else newer.config,
        type=older.type if newer.type is UNSET else newer.type,
    )


def given_json(value: JsonObject | UnsetType) -> JsonObject:
    """Give a field of content that is set; an empty object when it is not."""
    return value if isinstance(value, dict) else {}


def effective(state: Artifact) -> StagedContent:
    """Give the values that a commit of the open stage would leave, all of them set."""
    committed = StagedContent(manifest=state.manifest, config=state.config, type=state.type)
    return merge_content(committed, state.stage.content) if state.stage else committed


def _applied(content: StagedContent) -> dict[str, Any]:
    fields = {"manifest": content.manifest, "config": content.config, "type": content.type}
    return {name: value for name, value in fields.items() if value is not UNSET}


def _created(payload: ArtifactCreated, meta: EventMeta, artifact_id: UUID) -> Artifact:
    versions: tuple[VersionEntry, ...] = ()
    stage = None
    if payload.stage_id is None:
        versions = (
            VersionEntry(
                name=payload.version_name or "v0",
                index=0,
                comment=meta.comment or (None if payload.duplicate_of else "Initial version"),
                created_at=meta.recorded_at,
                manifest_at=meta.stream_version,
                tree=payload.tree,
            ),
        )
    else:
        stage = OpenStage(
            stage_id=payload.stage_id,
            intent=StageIntent(is_new_version=True, index=0),
            content=StagedContent(),
            opened_at=meta.recorded_at,
            opened_by=meta.author,
        )
    return Artifact(
        id=artifact_id,
        version=meta.stream_version,
        workspace=payload.workspace,
        alias=payload.alias,
        parent_id=payload.parent_id,
        type=payload.type,
        manifest=payload.manifest,
        config=payload.config,
        created_by=meta.author,
        created_at=meta.recorded_at,
        last_modified=meta.recorded_at,
        versions=versions,
        next_index=len(versions),
        stage=stage,
        download_weights=Map(payload.download_weights),
    )


def _edited(state: Artifact, payload: ArtifactEdited, meta: EventMeta) -> dict[str, Any]:
    changes = _applied(payload.content)
    has_manifest = payload.content.manifest is not UNSET
    if payload.new_version_name is not None:
        latest = state.latest
        entry = VersionEntry(
            name=payload.new_version_name,
            index=payload.version_index,
            comment=meta.comment,
            created_at=meta.recorded_at,
            manifest_at=meta.stream_version if has_manifest or latest is None else latest.manifest_at,
            tree=payload.tree,
        )
        return {**changes, "versions": (*state.versions, entry), "next_index": payload.version_index + 1}
    if state.latest is not None and payload.version_index != state.latest.index:
        changes.pop("manifest", None)
    versions = tuple(
        msgspec.structs.replace(
            entry,
            comment=meta.comment or entry.comment,
            manifest_at=meta.stream_version if has_manifest else entry.manifest_at,
        )
        if entry.index == payload.version_index
        else entry
        for entry in state.versions
    )
    return {**changes, "versions": versions}


def _committed(state: Artifact, payload: ArtifactCommitted, meta: EventMeta) -> dict[str, Any]:
    changes = _applied(payload.content)
    if payload.is_new_version:
        entry = VersionEntry(
            name=payload.version_name,
            index=payload.version_index,
            comment=meta.comment,
            created_at=meta.recorded_at,
            manifest_at=meta.stream_version,
            tree=payload.tree,
        )
        versions = (*state.versions, entry)
    else:
        if state.latest is not None and payload.version_index != state.latest.index:
            changes.pop("manifest", None)
        versions = tuple(
            msgspec.structs.replace(
                entry,
                comment=meta.comment or entry.comment,
                manifest_at=entry.manifest_at if payload.content.manifest is UNSET else meta.stream_version,
                tree=payload.tree,
            )
            if entry.index == payload.version_index
            else entry
            for entry in state.versions
        )
    weights = state.download_weights
    if payload.download_weights:
        weights = weights.update(payload.download_weights)
    return {
        **changes,
        "versions": versions,
        "next_index": max(state.next_index, payload.version_index + 1),
        "stage": None,
        "download_weights": weights,
    }


def _version_deleted(state: Artifact, payload: VersionDeleted) -> dict[str, Any]:
    versions = tuple(entry for entry in state.versions if entry.index != payload.version_index)
    manifest = state.manifest if payload.manifest is UNSET else payload.manifest
    return {"versions": versions, "manifest": manifest}


def _secrets_changed(state: Artifact, payload: SecretsChanged) -> dict[str, Any]:
    kept = {name: sealed for name, sealed in state.secrets.items() if name not in payload.removed}
    secrets = {**kept, **payload.sealed}
    location = payload.store
    if location is UNSET:
        return {"secrets": secrets}
    if location is None:
        return {"secrets": secrets, "store": None}
    sealed = {name: value for name, value in secrets.items() if name in STORE_SECRETS}
    stores = {**state.stores, location.id: OwnStore(location=location, sealed=sealed)}
    return {"secrets": secrets, "store": location.id, "stores": stores}


def evolve(state: Artifact | None, payload: Event, meta: EventMeta, artifact_id: UUID) -> Artifact | None:
    """Fold one event of an artifact's stream; a stream that does not begin with a creation is no artifact's."""
    if isinstance(payload, ArtifactCreated):
        return _created(payload, meta, artifact_id)
    if state is None:
        return None
    changes: dict[str, Any]
    match payload:
        case ArtifactEdited():
            changes = _edited(state, payload, meta)
        case StageOpened():
            stage = OpenStage(
                stage_id=payload.stage_id,
                intent=payload.intent,
                content=payload.content,
                opened_at=meta.recorded_at,
                opened_by=meta.author,
            )
            changes = {"stage": stage}
        case StageEdited() if state.stage is not None:
            content = merge_content(state.stage.content, payload.content)
            changes = {"stage": msgspec.structs.replace(state.stage, intent=payload.intent, content=content)}
        case ArtifactCommitted():
            changes = _committed(state, payload, meta)
        case VersionDeleted():
            changes = _version_deleted(state, payload)
        case StageDiscarded():
            changes = {"stage": None}
        case DownloadWeightSet():
            weights = state.download_weights
            if payload.weight_milli:
                weights = weights.set(payload.path, payload.weight_milli)
            elif payload.path in weights:
                weights = weights.delete(payload.path)
            changes = {"download_weights": weights}
        case ParentSet():
            changes = {"parent_id": payload.parent_id}
        case SecretsChanged():
            changes = _secrets_changed(state, payload)
        case FilesLent():
            # What others do with its files changes nothing that the artifact shows.
            borrowers = state.borrowers | {payload.borrower}
            return msgspec.structs.replace(state, version=meta.stream_version, borrowers=borrowers)
        case MarkedAsCollection():
            config = {**state.config, "is_collection": True}
            return msgspec.structs.replace(state, version=meta.stream_version, config=config)
        case ArtifactDeleted():
            # What takes over the alias of an artifact does not take over its files.
            gave_up = payload.delete_files or payload.replaced_by is not None
            changes = {"is_deleted": True, "stage": None, "has_given_up_files": gave_up}
        case _:
            raise ValueError(f"{type(payload).__name__} does not belong to an artifact")
    return msgspec.structs.replace(state, version=meta.stream_version, last_modified=meta.recorded_at, **changes)

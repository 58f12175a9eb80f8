"""Events of an artifact's stream."""

from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from domain.events import Event, JsonObject, event
from domain.trees import TreeRoot


class StagedContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a stage will put in place of the committed values; unset fields keep the committed ones."""

    manifest: JsonObject | UnsetType = UNSET
    config: JsonObject | UnsetType = UNSET
    type: str | UnsetType | None = UNSET


class StageIntent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a commit will do: make a new version, or update the version of this index.

    `index` is given once and never reused.
    """

    is_new_version: bool
    index: int


@event("artifact.created")
class ArtifactCreated(Event, frozen=True, kw_only=True):
    """An artifact began: committed with a first version, or as a draft with an open stage.

    `replaces` is the artifact whose alias this one took over by `overwrite`. One that is a copy of `duplicate_of` has
    that artifact's files, which lie where they are, as `tree`.
    """

    workspace: str
    alias: str
    parent_id: UUID | None = None
    type: str | None = None
    manifest: JsonObject
    config: JsonObject
    version_name: str | None = None
    stage_id: UUID | None = None
    replaces: UUID | None = None
    download_weights: dict[str, int] = msgspec.field(default_factory=dict)
    duplicate_of: UUID | None = None
    tree: TreeRoot | None = None


@event("artifact.files_lent")
class FilesLent(Event, frozen=True, kw_only=True):
    """Another artifact began with files of this one: its objects stay as long as the borrower names them."""

    borrower: UUID


@event("artifact.marked_as_collection")
class MarkedAsCollection(Event, frozen=True, kw_only=True):
    """The artifact got its first child without having been created as a collection."""


@event("artifact.edited")
class ArtifactEdited(Event, frozen=True, kw_only=True):
    """A committed artifact was changed in place, without a stage.

    `version_index` is the version whose manifest and comment changed. With `new_version_name` a version was added,
    starting with the files of `tree` (none unless copied).
    """

    content: StagedContent
    version_index: int
    new_version_name: str | None = None
    tree: TreeRoot | None = None


@event("artifact.stage_opened")
class StageOpened(Event, frozen=True, kw_only=True):
    """A committed artifact got a stage. `stage_id` names the stream of its files."""

    stage_id: UUID
    intent: StageIntent
    content: StagedContent


@event("artifact.stage_edited")
class StageEdited(Event, frozen=True, kw_only=True):
    """The manifest, config, type or intent of the open stage changed."""

    stage_id: UUID
    intent: StageIntent
    content: StagedContent


@event("artifact.committed")
class ArtifactCommitted(Event, frozen=True, kw_only=True):
    """The stage became a version: a new one, or a new state of the version with this index.

    The difference to what was there before follows from the two trees.
    """

    stage_id: UUID
    version_index: int
    version_name: str
    is_new_version: bool
    content: StagedContent
    tree: TreeRoot | None = None
    download_weights: dict[str, int] = msgspec.field(default_factory=dict)


@event("artifact.discarded")
class StageDiscarded(Event, frozen=True, kw_only=True):
    """The stage ended without a commit. `reason` is "requested" or "expired"."""

    stage_id: UUID
    reason: str = "requested"


@event("artifact.download_weight_set")
class DownloadWeightSet(Event, frozen=True, kw_only=True):
    """The weight of one path changed, in thousandths; 0 removed it."""

    path: str
    weight_milli: int


@event("artifact.parent_set")
class ParentSet(Event, frozen=True, kw_only=True):
    """The artifact went into another collection, or to the top level (null), with all that is below it."""

    parent_id: UUID | None


class StoreLocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a store of an artifact's own is. Endpoint and bucket are the service's own where they are None.

    `id` is what the files in it carry.
    """

    id: str
    endpoint_url: str | None = None
    bucket: str | None = None
    prefix: str = ""


@event("artifact.secrets_changed")
class SecretsChanged(Event, frozen=True, kw_only=True):
    """Secrets were set or removed. `sealed` holds ciphertext by name, which goes to no reader and to no other system.

    All secrets are in this one type of event, those given at creation too. `store` is where new files go from then on
    (null: no store of the artifact's own), when secrets were among them that say so.
    """

    sealed: dict[str, bytes] = msgspec.field(default_factory=dict)
    removed: tuple[str, ...] = ()
    store: StoreLocation | UnsetType | None = UNSET


@event("artifact.version_deleted")
class VersionDeleted(Event, frozen=True, kw_only=True):
    """One version is gone; its index is never given again, and the others stay as they are.

    `manifest` is set when it was the latest: that of the version before, which is the latest now.
    """

    version_index: int
    version_name: str
    manifest: JsonObject | UnsetType = UNSET


@event("artifact.deleted")
class ArtifactDeleted(Event, frozen=True, kw_only=True):
    """The artifact is gone from every read; its history stays. `replaced_by` tells an overwrite."""

    delete_files: bool = False
    reason: str = "requested"
    replaced_by: UUID | None = None

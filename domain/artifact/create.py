"""The decision to create an artifact."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from domain.alias import Alias, AliasClaimed
from domain.artifact.chain import Chain, check_depth
from domain.artifact.delete import end_of_life
from domain.artifact.events import ArtifactCreated, MarkedAsCollection
from domain.artifact.schema import check_against_schema
from domain.artifact.secrets import SecretsChange, secrets_changed
from domain.errors import AlreadyExistsError, InvalidArgumentError, NotEmptyError
from domain.events import Emit, Event, JsonObject, Outcome
from domain.ids import StreamId, StreamKey, alias_key, artifact_key, children_counter, stage_key
from domain.permissions import may_create, may_overwrite, require
from domain.stage.events import StageStarted
from domain.stage.state import stage_prefix
from domain.trees import TreeRoot


class CreateArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """A new artifact whose arguments were checked and whose ids and alias were chosen.

    `stage_id` is set for a draft. `version_name` names the first version of one that is created committed. `secrets`
    have been encrypted. A copy of another artifact begins with the files of `tree`.
    """

    artifact_id: UUID
    workspace: str
    alias: str
    type: str | None
    manifest: JsonObject
    config: JsonObject
    version_name: str | None = None
    stage_id: UUID | None = None
    overwrite: bool = False
    download_weights: Mapping[str, int] = msgspec.field(default_factory=dict)
    secrets: SecretsChange | None = None
    duplicate_of: UUID | None = None
    tree: TreeRoot | None = None


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """The artifact that has the alias now, and how many children it has."""

    chain: Chain
    children: int


def decide_create(new: CreateArtifact, parents: Chain, alias: Alias | None, replaced: Replaced | None) -> Outcome:
    """Create an artifact at top level or in a collection, committed or as a draft.

    `parents` begins at the collection and is empty at top level; its viewer is that of the workspace.

    Raises:
        PermissionDeniedError: The caller may not create there, or not replace what has the alias.
        AlreadyExistsError: The alias is taken and `overwrite` was not given.
        NotEmptyError: What has the alias has children.
        TooLargeError: The secrets are too large together.
        SchemaViolationError: The manifest does not conform to the schema of the collection.
    """
    check_depth(parents)
    is_draft = new.stage_id is not None
    parent = parents.artifacts[0] if parents.artifacts else None
    require(may_create(parents.viewer, is_draft=is_draft, parent_chain=parents.nodes, workspace=new.workspace))
    if parent is not None and not is_draft and (schema := parent.config.get("collection_schema")):
        check_against_schema(schema, new.manifest)
    events: list[Emit] = []
    advances: dict[StreamId, int] = {}
    holder = alias.artifact_id if alias else None
    if holder is not None:
        if not new.overwrite or replaced is None:
            raise AlreadyExistsError(_taken(new, parent.id if parent else None, replaced))
        events += _replace(new, parents, replaced, advances)
    key = artifact_key(new.artifact_id)
    created = ArtifactCreated(
        workspace=new.workspace,
        alias=new.alias,
        parent_id=parent.id if parent else None,
        type=new.type,
        manifest=new.manifest,
        config=new.config,
        version_name=new.version_name,
        stage_id=new.stage_id,
        replaces=holder,
        download_weights=dict(new.download_weights),
        duplicate_of=new.duplicate_of,
        tree=new.tree if new.stage_id is None else None,
    )
    claimed = AliasClaimed(workspace=new.workspace, alias=new.alias, artifact_id=new.artifact_id)
    events += [
        _emit(new, key, created),
        _emit(new, alias_key(new.workspace, new.alias), claimed),
    ]
    secrets = secrets_changed(None, new.secrets) if new.secrets is not None else None
    if secrets is not None:
        events.append(_emit(new, key, secrets))
    if new.stage_id is not None:
        prefix = stage_prefix(new.artifact_id, 0, new.stage_id)
        started = StageStarted(artifact_id=new.artifact_id, index=0, prefix=prefix, base=new.tree)
        events.append(_emit(new, stage_key(new.stage_id), started))
    if parent is not None:
        counter = children_counter(parent.id)
        advances[counter] = advances.get(counter, 0) + 1
        if not parent.config.get("is_collection"):
            marked = Emit(
                key=artifact_key(parent.id),
                event=MarkedAsCollection(),
                workspace=parent.workspace,
                artifact_id=parent.id,
            )
            events.append(marked)
    return Outcome(events=tuple(events), advances=advances)


def _emit(new: CreateArtifact, key: StreamKey, event: Event) -> Emit:
    return Emit(key=key, event=event, workspace=new.workspace, artifact_id=new.artifact_id)


def _taken(new: CreateArtifact, parent_id: UUID | None, replaced: Replaced | None) -> str:
    name = f"{new.workspace}/{new.alias}"
    if replaced is None or replaced.chain.artifact.parent_id == parent_id:
        return (
            f"Artifact with alias '{new.alias}' already exists, please choose a different alias "
            f"or remove the existing artifact (ID: {name})."
        )
    return (
        f"Artifact with alias '{new.alias}' already exists under a different parent artifact, "
        f"please choose a different alias or remove the existing artifact (ID: {name})."
    )


def _replace(new: CreateArtifact, parents: Chain, replaced: Replaced, advances: dict[StreamId, int]) -> list[Emit]:
    old = replaced.chain.artifact
    if any(parent.id == old.id for parent in parents.artifacts):
        raise InvalidArgumentError(
            "An artifact cannot be its own parent: what has the alias is above the new artifact."
        )
    require(may_overwrite(replaced.chain.viewer, replaced.chain.nodes))
    if replaced.children:
        raise NotEmptyError(
            f"Cannot overwrite artifact '{old.full_id}' as it has {replaced.children} child artifacts. "
            "Remove the child artifacts first, or choose a different alias."
        )
    return end_of_life(old, advances, replaced_by=new.artifact_id, releases_alias=False)

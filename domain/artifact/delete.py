"""The decision to delete an artifact."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import UNSET

from domain.alias import AliasReleased
from domain.artifact.chain import Chain
from domain.artifact.events import ArtifactDeleted, VersionDeleted
from domain.artifact.state import Artifact, VersionEntry
from domain.errors import InvalidStateError, NotEmptyError, StaleFactsError
from domain.events import Emit, Event, JsonObject, Outcome
from domain.ids import StreamId, StreamKey, alias_key, artifact_key, children_counter, stage_key
from domain.permissions import may_delete, may_delete_version, require
from domain.stage.events import StageEnded


def end_of_life(
    artifact: Artifact,
    advances: dict[StreamId, int],
    *,
    delete_files: bool = False,
    replaced_by: UUID | None = None,
    reason: str = "requested",
    releases_alias: bool = True,
) -> list[Emit]:
    """List the events that end an artifact, and count it out of its parent in `advances`."""

    def emit(key: StreamKey, event: Event) -> Emit:
        return Emit(key=key, event=event, workspace=artifact.workspace, artifact_id=artifact.id)

    deleted = ArtifactDeleted(
        delete_files=delete_files, reason="replaced" if replaced_by else reason, replaced_by=replaced_by
    )
    events = [emit(artifact_key(artifact.id), deleted)]
    if releases_alias:
        released = AliasReleased(artifact_id=artifact.id)
        events.append(emit(alias_key(artifact.workspace, artifact.alias), released))
    if artifact.stage is not None:
        events.append(emit(stage_key(artifact.stage.stage_id), StageEnded(outcome="deleted")))
    if artifact.parent_id is not None:
        counter = children_counter(artifact.parent_id)
        advances[counter] = advances.get(counter, 0) - 1
    return events


def decide_delete(chain: Chain, *, children: int, delete_files: bool) -> Outcome:
    """Delete a whole artifact; its alias is free again, its history stays.

    `children` is 0 where those do not matter, because they are to be deleted as well: from now on nothing below it can
    be read or changed, and nothing can come into it.

    Raises:
        PermissionDeniedError: The caller may not delete it, or not take it out of its collection.
        NotEmptyError: It has children.
    """
    artifact = chain.artifact
    require(may_delete(chain.viewer, chain.nodes))
    if children:
        raise NotEmptyError(
            f"Artifact '{artifact.full_id}' has {children} child artifacts. "
            "Delete them first, or delete it with recursive=True."
        )
    advances: dict[StreamId, int] = {}
    events = end_of_life(artifact, advances, delete_files=delete_files)
    return Outcome(events=tuple(events), advances=advances)


def decide_delete_below(artifacts: Sequence[Artifact], parents: Mapping[UUID, Artifact]) -> Outcome:
    """Delete what is in collections that were deleted with all that is below them.

    What is deleted already, or is in a living collection by now, stays as it is. Files are given up where those of the
    collection were.
    """
    advances: dict[StreamId, int] = {}
    events: list[Emit] = []
    for artifact in artifacts:
        parent = parents.get(artifact.parent_id) if artifact.parent_id is not None else None
        if artifact.is_deleted or parent is None or not parent.is_deleted:
            continue
        gives_up = parent.has_given_up_files
        events += end_of_life(artifact, advances, delete_files=gives_up, reason="collection deleted")
    return Outcome(events=tuple(events), advances=advances)


def decide_delete_version(
    chain: Chain, version: VersionEntry, *, at_version: int, manifest_before: JsonObject | None
) -> Outcome:
    """Delete one version; the others keep index, manifest and files.

    `version` was found at `at_version` of the artifact; `manifest_before` is the manifest of the one before it.

    Raises:
        PermissionDeniedError: The caller may not commit, or not change committed artifacts of the collection.
        InvalidStateError: It is the only version, or the open stage is to change it.
    """
    artifact = chain.artifact
    require(may_delete_version(chain.viewer, chain.nodes))
    if artifact.version != at_version:
        raise StaleFactsError
    if len(artifact.versions) == 1:
        raise InvalidStateError(
            f"Cannot delete the only version '{version.name}' of artifact '{artifact.full_id}'; delete the artifact."
        )
    stage = artifact.stage
    if stage is not None and not stage.intent.is_new_version and stage.intent.index == version.index:
        raise InvalidStateError(
            f"Cannot delete version '{version.name}' while changes of it are staged; commit or discard them first."
        )
    is_latest = version == artifact.latest
    deleted = VersionDeleted(
        version_index=version.index,
        version_name=version.name,
        manifest=UNSET if not is_latest or manifest_before is None else manifest_before,
    )
    emit = Emit(key=artifact_key(artifact.id), event=deleted, workspace=artifact.workspace, artifact_id=artifact.id)
    return Outcome(events=(emit,))

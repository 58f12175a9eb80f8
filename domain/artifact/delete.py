"""The decision to delete an artifact."""

from uuid import UUID

from domain.alias import AliasReleased
from domain.artifact.chain import Chain
from domain.artifact.events import ArtifactDeleted
from domain.artifact.state import Artifact
from domain.errors import NotEmptyError
from domain.events import Emit, Event, Outcome
from domain.ids import StreamId, StreamKey, alias_key, artifact_key, children_counter, stage_key
from domain.permissions import may_delete, require
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
    """Delete a whole artifact that has no children; its alias is free again, its history stays.

    Raises:
        PermissionDeniedError: The caller may not delete it, or not take it out of its collection.
        NotEmptyError: It has children.
    """
    artifact = chain.artifact
    require(may_delete(chain.viewer, chain.nodes))
    if children:
        raise NotEmptyError(f"Artifact '{artifact.full_id}' has {children} child artifacts. Delete them first.")
    advances: dict[StreamId, int] = {}
    events = end_of_life(artifact, advances, delete_files=delete_files)
    return Outcome(events=tuple(events), advances=advances)

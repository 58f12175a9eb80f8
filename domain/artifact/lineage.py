"""The decision to move an artifact into another collection."""

from domain.artifact.chain import Chain, check_depth
from domain.artifact.events import MarkedAsCollection, ParentSet
from domain.artifact.schema import check_against_schema
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError
from domain.events import Emit, Event, Outcome
from domain.ids import StreamId, artifact_key, children_counter
from domain.permissions import Operation, may, may_read_version, may_set_parent, require


def decide_set_parent(chain: Chain, parents: Chain, *, levels_below: int) -> Outcome:
    """Move an artifact, with all that is below it, into the collection at which `parents` begins, or to the top level.

    `levels_below` is how many levels of artifacts are below it. Where it is there already nothing happens.

    Raises:
        PermissionDeniedError: The caller may not read it, take it out, or put it there.
        InvalidArgumentError: The collection is the artifact or below it, in another workspace, or too deep.
        SchemaViolationError: The committed manifest does not conform to the schema of the collection.
    """
    artifact = chain.artifact
    parent = parents.artifacts[0] if parents.artifacts else None
    require(may_read_version(chain.viewer, Operation.READ, chain.nodes))
    if parent is not None and parent.workspace != artifact.workspace:
        # Only who may see the collection is told where it is.
        require(may(parents.viewer, Operation.READ, parents.nodes))
        raise InvalidArgumentError(
            f"Cannot move artifact to a different workspace. "
            f"Artifact is in '{artifact.workspace}' but parent is in '{parent.workspace}'"
        )
    require(may_set_parent(chain.viewer, chain.nodes, parents.nodes, artifact.workspace))
    if artifact.parent_id == (parent.id if parent else None):
        return Outcome()
    if parent is not None:
        _check_parent(artifact, parents, parent, levels_below)
    events = [_emit(artifact, ParentSet(parent_id=parent.id if parent else None))]
    advances: dict[StreamId, int] = {}
    if artifact.parent_id is not None:
        advances[children_counter(artifact.parent_id)] = -1
    if parent is not None:
        advances[children_counter(parent.id)] = 1
        if not parent.config.get("is_collection"):
            events.append(_emit(parent, MarkedAsCollection()))
    return Outcome(events=tuple(events), advances=advances)


def _check_parent(artifact: Artifact, parents: Chain, parent: Artifact, levels_below: int) -> None:
    if parent.id == artifact.id:
        raise InvalidArgumentError("An artifact cannot be its own parent")
    if any(above.id == artifact.id for above in parents.artifacts):
        raise InvalidArgumentError("Cannot set parent: this would create a circular dependency")
    check_depth(parents, levels_below)
    schema = parent.config.get("collection_schema")
    if schema and artifact.is_committed:
        check_against_schema(schema, artifact.manifest)


def _emit(artifact: Artifact, event: Event) -> Emit:
    return Emit(key=artifact_key(artifact.id), event=event, workspace=artifact.workspace, artifact_id=artifact.id)

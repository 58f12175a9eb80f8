"""Deletes what is in a collection that was deleted with all that is below it, batch by batch.

The collection was closed first: nothing below it can be read or changed any more, and nothing can come into it. So each
batch can be an append of its own, several may work on the same tree, and whoever stops half-way leaves the rest to the
janitor, which finds it by what is still in a deleted collection.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from uuid import UUID

from application.context import CallContext
from application.services import Services
from application.targets import MAX_ATTEMPTS, unit_of
from application.units import States
from domain.artifact.delete import decide_delete_below
from domain.artifact.state import Artifact
from domain.errors import ConflictError, StaleFactsError, UnavailableError
from domain.events import Outcome
from domain.ids import Position, StreamKey, alias_key, artifact_key, stage_key

BATCH = 100
"""Artifacts in one append."""
CATCH_UP_SECONDS = 10.0
"""How long the catalog may take to know what was deleted before."""


async def delete_below(
    services: Services,
    context: CallContext,
    artifact_id: UUID,
    closed_at: Position,
    goes_on: Callable[[], Awaitable[bool]],
) -> int:
    """Delete all that is below a deleted artifact, or as much as `goes_on` allows; gives the number of artifacts.

    `closed_at` is a position of the log at which the artifact was deleted already.

    Raises:
        UnavailableError: The catalog does not follow the log in time.
    """
    waiting, position, count = [artifact_id], closed_at, 0
    while waiting and await goes_on():
        if not await services.catalog.wait_until(position, CATCH_UP_SECONDS):
            raise UnavailableError("The list of children is not up to date; the rest is deleted later.")
        children = await services.catalog.children_of(waiting[-1], BATCH)
        if not children:
            waiting.pop()
            continue
        deleted, position = await _delete(services, context, waiting[-1], children)
        count += len(deleted)
        if not deleted:
            # The catalog holds something that it cannot follow; whoever comes next must not wait for it.
            waiting.pop()
        # Depth first, so that few wait, however wide the tree is.
        waiting += [child.id for child in deleted if child.config.get("is_collection")]
    return count


async def _delete(
    services: Services, context: CallContext, parent_id: UUID, children: Collection[UUID]
) -> tuple[list[Artifact], Position]:
    parent_key = artifact_key(parent_id)
    for _ in range(MAX_ATTEMPTS):
        own = [artifact_key(child) for child in children]
        found = await services.states.get(own)
        states = [found[key].state for key in own]
        artifacts: list[Artifact] = [state for state in states if state is not None and not state.is_deleted]
        keys: list[StreamKey] = [parent_key, *own]
        for artifact in artifacts:
            keys.append(alias_key(artifact.workspace, artifact.alias))
            if artifact.stage is not None:
                keys.append(stage_key(artifact.stage.stage_id))

        def decide(states: States, own: Sequence[StreamKey] = own) -> Outcome:
            now = [state for key in own if (state := states.get(key)) is not None]
            return decide_delete_below(now, {parent_id: states.get(parent_key)})

        try:
            done = await services.writer.execute(unit_of(context, tuple(keys), decide))
        except StaleFactsError:
            continue
        return artifacts, done.position
    raise ConflictError("Others changed the same artifacts on every attempt.")

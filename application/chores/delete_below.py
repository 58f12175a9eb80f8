"""The chore that deletes what is still in collections that were deleted with all that is below them."""

from application.chores.turn import Turn
from application.context import CallContext
from application.descendants import delete_below
from application.services import Services
from domain.actor import ANONYMOUS_WORKSPACE, JANITOR

PAGE = 100
DELETED = "artifacts deleted with their collection"


async def finish_deletions(services: Services, turn: Turn) -> None:
    """Go on where the deletion of a tree has stopped half-way; in a dry run only the first level can be counted."""
    context = CallContext(actor=JANITOR, workspace=ANONYMOUS_WORKSPACE, correlation_id=str(services.ids.uuid7()))
    while await turn.goes_on():
        position = await services.log.position()
        closed = await services.catalog.deleted_with_children(PAGE)
        for artifact_id in closed:
            if turn.is_dry_run:
                turn.count(DELETED, len(await services.catalog.children_of(artifact_id, PAGE)))
                continue
            count = await delete_below(services, context, artifact_id, position, turn.goes_on)
            if count:
                turn.count(DELETED, count)
        if turn.is_dry_run or len(closed) < PAGE:
            return

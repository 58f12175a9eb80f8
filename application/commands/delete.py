"""The command `delete`."""

from application.context import CallContext, Reply
from application.parameters import Delete
from application.services import Services
from application.targets import Prepared, execute, find_with_stage, unit_of
from application.units import States
from domain.artifact.delete import decide_delete
from domain.errors import InvalidArgumentError
from domain.events import Outcome
from domain.ids import alias_key, children_counter


async def delete(services: Services, context: CallContext, parameters: Delete) -> Reply:
    """Delete a whole artifact that has no children: `delete` on it, and `detach` on its parent if it is committed."""
    if parameters.version == "stage":
        raise InvalidArgumentError(
            "Cannot delete staged version. Please use the 'discard' function instead to remove staged changes."
        )
    if parameters.version is not None:
        raise InvalidArgumentError("Deleting a single version is not supported by this version of the service.")

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        target, artifact = loaded.target, loaded.chain.artifact
        keys = (*loaded.keys, alias_key(artifact.workspace, artifact.alias))

        def decide(states: States) -> Outcome:
            chain = target.chain(states.get)
            return decide_delete(chain, children=states.children(target.ids[0]), delete_files=parameters.delete_files)

        unit = unit_of(context, keys, decide, counters=(children_counter(target.ids[0]),))
        return Prepared(unit, target)

    executed = await execute(services, prepare)
    return Reply(None, executed.done.position)

"""The command `set_parent`."""

from application.answers import answer
from application.context import CallContext, Reply
from application.parameters import SetParent
from application.queries.counters import child_count
from application.services import Services
from application.targets import Prepared, Target, execute, find, find_with_stage, unit_of, viewer_in, viewer_keys
from application.units import States
from domain.artifact.chain import Chain
from domain.artifact.lineage import decide_set_parent
from domain.artifact.state import Artifact
from domain.errors import StaleFactsError
from domain.events import Outcome
from domain.ids import children_counter

CATCH_UP_SECONDS = 5.0
"""How long the catalog may take to know what is below the artifact."""


async def set_parent(services: Services, context: CallContext, parameters: SetParent) -> Reply:
    """Move an artifact: `read` on it, `detach` on its collection, `attach` on the new one (`read_write` at top level).

    Both chains of parents are relied upon, so two moves at once cannot make a circle.

    Raises:
        UnavailableError: How deep it is below the artifact is not known now.
    """

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        target, artifact = loaded.target, loaded.chain.artifact
        parent = None if parameters.new_parent_id is None else await find(services, context, parameters.new_parent_id)
        levels = await _levels_below(services, artifact)
        keys = (*loaded.keys, *(parent.keys if parent else viewer_keys(context.actor, artifact.workspace)))
        moved = Target(target.text, (artifact.id, *(parent.ids if parent else ())), target.workspace, target.actor)

        def decide(states: States) -> Outcome:
            if levels == 0 and states.children(artifact.id):
                raise StaleFactsError
            viewer = viewer_in(context.actor, artifact.workspace, states.get)
            parents = parent.chain(states.get) if parent else Chain(viewer=viewer, artifacts=())
            return decide_set_parent(target.chain(states.get), parents, levels_below=levels)

        counters = (children_counter(artifact.id),) if levels == 0 else ()
        return Prepared(unit_of(context, keys, decide, comment=parameters.comment, counters=counters), moved)

    return await answer(services, await execute(services, prepare))


async def _levels_below(services: Services, artifact: Artifact) -> int:
    """Count the levels below an artifact. The catalog is asked only where there are any."""
    if not await child_count(services, artifact):
        return 0
    await services.catalog.wait_until(await services.log.position(), CATCH_UP_SECONDS)
    return await services.catalog.levels_below(artifact.id)

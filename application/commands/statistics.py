"""The commands `set_download_weight` and `reset_stats`."""

from application.context import CallContext, Reply
from application.parameters import ResetStats, SetDownloadWeight
from application.services import Services
from application.targets import Prepared, execute, find, load, unit_of
from application.units import States
from domain.artifact.weights import decide_set_download_weight, parse_weighted_path, to_milli
from domain.events import Outcome
from domain.permissions import Operation, may, require


async def set_download_weight(services: Services, context: CallContext, parameters: SetDownloadWeight) -> Reply:
    """Set what one download of a path adds to the download count; works for paths that do not exist yet."""
    path = parse_weighted_path(parameters.file_path)
    weight = to_milli(parameters.download_weight, "Download weight must be non-negative, got: {weight}")

    async def prepare() -> Prepared:
        target = await find(services, context, parameters.artifact_id)

        def decide(states: States) -> Outcome:
            return decide_set_download_weight(target.chain(states.get), path, weight)

        return Prepared(unit_of(context, target.keys, decide), target)

    executed = await execute(services, prepare)
    return Reply(None, executed.done.position)


async def reset_stats(services: Services, context: CallContext, parameters: ResetStats) -> Reply:
    """Set both counters back to zero; the views and downloads stay in the history."""
    chain = await load(services, context, parameters.artifact_id)
    require(may(chain.viewer, Operation.RESET_STATS, chain.nodes))
    artifact = chain.artifact
    await services.accesses.reset(
        context.actor, artifact.id, workspace=artifact.workspace, correlation_id=context.correlation_id
    )
    return Reply(None)

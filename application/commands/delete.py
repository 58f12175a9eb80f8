"""The command `delete`."""

import asyncio

import structlog

from application.context import CallContext, Reply
from application.descendants import delete_below
from application.manifests import manifest_of
from application.parameters import Delete
from application.services import Services
from application.targets import Executed, Prepared, execute, find_with_stage, unit_of
from application.units import States
from domain.artifact.delete import decide_delete, decide_delete_version
from domain.artifact.versions import version_to_delete
from domain.errors import ArtifactManagerError, InvalidArgumentError
from domain.events import Outcome
from domain.ids import alias_key, children_counter
from domain.permissions import may_delete_version, require

BELOW_SECONDS = 20.0
"""How long a call deletes what is below; the janitor does the rest."""

_logger = structlog.get_logger(__name__)


async def delete(services: Services, context: CallContext, parameters: Delete) -> Reply:
    """Delete an artifact, or one version: `delete` and, once committed, `detach`; `commit` and `mutate` for a version.

    With `recursive` all that is below it goes as well: at once from every read, and then one after the other.

    Raises:
        NotEmptyError: It has children, and `recursive` is not given.
        VersionNotFoundError: There is no such version; the text names those that there are.
    """
    if parameters.version == "stage":
        raise InvalidArgumentError(
            "Cannot delete staged version. Please use the 'discard' function instead to remove staged changes."
        )
    if parameters.version is not None:
        return await _delete_version(services, context, parameters, parameters.version)
    executed = await _delete_artifact(services, context, parameters)
    position = executed.done.position
    if parameters.recursive:
        await _delete_below(services, context, executed)
    return Reply(None, position)


async def _delete_artifact(services: Services, context: CallContext, parameters: Delete) -> Executed:
    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        target, artifact = loaded.target, loaded.chain.artifact
        keys = (*loaded.keys, alias_key(artifact.workspace, artifact.alias))
        # Children that come and go do not matter to a deletion with all that is below.
        counters = () if parameters.recursive else (children_counter(artifact.id),)

        def decide(states: States) -> Outcome:
            return decide_delete(
                target.chain(states.get),
                children=0 if parameters.recursive else states.children(artifact.id),
                delete_files=parameters.delete_files,
            )

        return Prepared(unit_of(context, keys, decide, comment=parameters.comment, counters=counters), target)

    return await execute(services, prepare)


async def _delete_below(services: Services, context: CallContext, executed: Executed) -> None:
    ends = asyncio.get_running_loop().time() + BELOW_SECONDS

    async def goes_on() -> bool:
        return asyncio.get_running_loop().time() < ends

    try:
        await delete_below(services, context, executed.target.ids[0], executed.done.position, goes_on)
    except ArtifactManagerError as error:
        # The artifact is deleted, and nothing below it can be seen; what is left is the janitor's.
        _logger.warning("deletion_continues_later", artifact=str(executed.target.ids[0]), error=error.code)


async def _delete_version(services: Services, context: CallContext, parameters: Delete, version: str | int) -> Reply:
    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        target, artifact = loaded.target, loaded.chain.artifact
        require(may_delete_version(loaded.chain.viewer, loaded.chain.nodes))
        entry = version_to_delete(artifact, version)
        before = None
        if entry == artifact.latest and len(artifact.versions) > 1:
            before = await manifest_of(services.log, artifact, artifact.versions[-2])

        def decide(states: States) -> Outcome:
            chain = target.chain(states.get)
            return decide_delete_version(chain, entry, at_version=artifact.version, manifest_before=before)

        return Prepared(unit_of(context, loaded.keys, decide, comment=parameters.comment), target)

    executed = await execute(services, prepare)
    return Reply(None, executed.done.position)

"""What creating and copying an artifact have in common: its place, its alias, and the transaction."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from application.answers import answer
from application.context import CallContext, Reply
from application.parameters import Create
from application.services import Services
from application.targets import (
    Loaded,
    Prepared,
    Target,
    execute,
    find,
    find_with_stage,
    load,
    split_id,
    unit_of,
    viewer_in,
    viewer_keys,
)
from application.units import States
from application.workspaces import ensure_workspace
from domain.actor import ANONYMOUS_WORKSPACE
from domain.artifact.chain import Chain
from domain.artifact.create import CreateArtifact, Replaced, decide_create
from domain.artifact.duplicate import CopyArtifact, decide_duplicate
from domain.artifact.names import check_typed_alias, expand_alias, is_pattern, is_uuid
from domain.artifact.state import Artifact
from domain.artifact.words import random_alias
from domain.errors import (
    AlreadyExistsError,
    ArtifactNotFoundError,
    InvalidArgumentError,
    InvalidIdError,
    PermissionDeniedError,
    StaleFactsError,
    WorkspaceNotFoundError,
)
from domain.events import JsonObject, Outcome
from domain.ids import StreamId, alias_key, artifact_key, children_counter, stage_key, workspace_key
from domain.permissions import may_create, may_list, require
from domain.workspace import Workspace, workspace_exists

MAX_ALIAS_CANDIDATES = 100
"""Random or patterned aliases that are tried before the creation is given up."""


class Source(NamedTuple):
    """The artifact that is copied, and what the copy takes of it."""

    target: Target
    copy: CopyArtifact


class Place(NamedTuple):
    """Where the artifact goes. `alias` is None when one is to be made."""

    workspace: str
    alias: str | None
    parent: Target | None


def creators_of(context: CallContext) -> tuple[str, ...]:
    """Name the users who get everything on what this caller creates."""
    actor = context.actor
    if actor.is_anonymous:
        return ()
    return tuple(dict.fromkeys((actor.effective_id, actor.user_id)))


async def create_under_an_alias(
    services: Services,
    context: CallContext,
    parameters: Create,
    content: CreateArtifact,
    seal: Callable[[CreateArtifact], Awaitable[CreateArtifact]] | None = None,
    source: Callable[[CreateArtifact], Awaitable[Source]] | None = None,
) -> Reply:
    """Find the place, ask for the right to create there, and create under the alias given, or one that is made.

    `seal` encrypts secrets for the artifact, whose id is new with each alias that is tried.

    Raises:
        AlreadyExistsError: The alias is taken, and `overwrite` is not given.
    """
    place = await _find_place(services, context, parameters)
    await ensure_workspace(services, context, place.workspace)
    await _check_place(services, context, parameters, place)
    is_generated = place.alias is None or is_pattern(place.alias)
    for _ in range(MAX_ALIAS_CANDIDATES if is_generated else 1):
        new = await _named(services, context, place, content)
        if seal is not None:
            new = await seal(new)
        try:
            return await _create_at(services, context, parameters, place, new, source)
        except AlreadyExistsError:
            if not is_generated:
                raise
    raise AlreadyExistsError("Could not generate a unique alias within the maximum attempts.")


async def _find_place(services: Services, context: CallContext, parameters: Create) -> Place:
    """Find out where the artifact goes, from all the ways in which a caller may say it; they must agree."""
    workspaces = [parameters.workspace]
    aliases: list[str | None] = []
    if parameters.artifact_id is not None:
        if "/" not in parameters.artifact_id:
            raise InvalidIdError("artifact_id must be in format 'workspace/alias'.")
        workspace, name = split_id(parameters.artifact_id.strip(), "")
        workspaces.append(workspace)
        aliases.append(name)
    if parameters.alias is not None:
        name = parameters.alias.strip()
        if "/" in name:
            workspace, name = split_id(name, "")
            if parameters.workspace not in {None, workspace}:
                raise InvalidArgumentError("Workspace must match the alias workspace, if provided.")
            workspaces.append(workspace)
        aliases.append(name)
    named = {workspace for workspace in workspaces if workspace is not None}
    if len(named) > 1 or len(set(aliases)) > 1:
        raise InvalidArgumentError("Cannot specify both artifact_id and alias/workspace, unless they agree.")
    explicit = next(iter(named), None)
    parent = None
    if parameters.parent_id is not None:
        parent = await find(services, context, parameters.parent_id)
        if explicit not in {None, parent.workspace}:
            raise InvalidArgumentError(
                f"Specified workspace '{explicit}' does not match parent's workspace '{parent.workspace}'."
            )
    alias = aliases[0] if aliases else None
    if alias is not None:
        alias = check_typed_alias(alias)
    workspace = explicit or (parent.workspace if parent else context.workspace)
    return Place(workspace, alias, parent)


async def _check_place(services: Services, context: CallContext, parameters: Create, place: Place) -> None:
    """Ask for the right to create there before anything of the place is used or told. The decision asks again."""
    states = await services.states.get(viewer_keys(context.actor, place.workspace))
    _check_workspace(place.workspace, states[workspace_key(place.workspace)].state)
    if place.parent is None or parameters.parent_id is None:
        return
    parents = await load(services, context, parameters.parent_id)
    is_draft = parameters.stage or parameters.version == "stage"
    ruling = may_create(parents.viewer, is_draft=is_draft, parent_chain=parents.nodes, workspace=place.workspace)
    if not ruling and is_uuid(parameters.parent_id) and not may_list(parents.viewer, parents.nodes):
        # The usual text has the alias, which this caller has not shown to know.
        raise PermissionDeniedError("User does not have permission to create in this collection.")
    require(ruling)


async def _named(services: Services, context: CallContext, place: Place, content: CreateArtifact) -> CreateArtifact:
    """Give the new artifact its workspace and alias; a pattern or random alias is a new one each time."""
    artifact_id = services.ids.uuid7()
    alias = place.alias
    if alias is None:
        alias = random_alias(services.ids.choose)
    elif is_pattern(alias):
        alias = expand_alias(
            alias,
            artifact_id=artifact_id,
            now=services.clock.now(),
            user_id=context.actor.effective_id,
            id_parts=await _id_parts(services, place.parent),
            choose=services.ids.choose,
            random_uuid=services.ids.uuid7,
        )
    return CreateArtifact(
        artifact_id=artifact_id,
        workspace=place.workspace,
        alias=alias,
        type=content.type,
        manifest=content.manifest,
        config=content.config,
        version_name=content.version_name,
        stage_id=content.stage_id,
        overwrite=content.overwrite and not (place.alias is None or is_pattern(place.alias)),
        download_weights=content.download_weights,
    )


async def _id_parts(services: Services, parent: Target | None) -> JsonObject:
    if parent is None:
        return {}
    key = artifact_key(parent.ids[0])
    artifact: Artifact | None = (await services.states.get((key,)))[key].state
    parts = artifact.config.get("id_parts") if artifact else None
    return parts if isinstance(parts, dict) else {}


async def _create_at(
    services: Services,
    context: CallContext,
    parameters: Create,
    place: Place,
    new: CreateArtifact,
    source: Callable[[CreateArtifact], Awaitable[Source]] | None,
) -> Reply:
    """Create an artifact at its place; `source` gives the facts on what it is a copy of.

    Raises:
        AlreadyExistsError: The alias is taken, and `overwrite` is not given.
    """
    is_taken = False

    async def prepare() -> Prepared:
        parent = place.parent
        if parent is not None and parameters.parent_id is not None:
            parent = await find(services, context, parameters.parent_id)
        name_key = alias_key(new.workspace, new.alias)
        # Most aliases are free: who has one that is not is looked up when the decision has found it taken.
        is_looked_up = is_taken
        old = await _holder(services, context, new) if is_looked_up else None
        keys = [name_key, *viewer_keys(context.actor, new.workspace)]
        counters: tuple[StreamId, ...] = ()
        if parent is not None:
            keys += parent.keys
        copied = await source(new) if source is not None else None
        if copied is not None:
            keys += copied.target.keys
        if old is not None:
            keys += old.keys
            counters = (children_counter(old.target.ids[0]),)

        def decide(states: States) -> Outcome:
            nonlocal is_taken
            _check_workspace(new.workspace, states.get(workspace_key(new.workspace)))
            viewer = viewer_in(context.actor, new.workspace, states.get)
            parents = parent.chain(states.get) if parent else Chain(viewer=viewer, artifacts=())
            alias = states.get(name_key)
            replaced = None
            if alias is not None and alias.artifact_id is not None:
                # One below a deleted collection keeps its alias until it is deleted itself, and is not to be seen.
                is_hidden = is_looked_up and old is None
                if not is_hidden and (old is None or old.target.ids[0] != alias.artifact_id):
                    is_taken = True
                    raise StaleFactsError
                if old is not None:
                    children = states.children(old.target.ids[0])
                    replaced = Replaced(chain=old.target.chain(states.get), children=children)
            if copied is not None:
                return decide_duplicate(copied.copy, copied.target.chain(states.get), parents, alias, replaced)
            return decide_create(new, parents, alias, replaced)

        fresh = (artifact_key(new.artifact_id), *((stage_key(new.stage_id),) if new.stage_id else ()))
        unit = unit_of(context, tuple(keys), decide, comment=parameters.comment, counters=counters, fresh=fresh)
        ids = (new.artifact_id, *(parent.ids if parent else ()))
        return Prepared(unit, Target(f"{new.workspace}/{new.alias}", ids, new.workspace, context.actor))

    return await answer(services, await execute(services, prepare), is_new=True)


def _check_workspace(name: str, workspace: Workspace | None) -> None:
    is_anonymous = name == ANONYMOUS_WORKSPACE
    if not is_anonymous and not workspace_exists(name, workspace):
        raise WorkspaceNotFoundError(name)
    if is_anonymous or (workspace is not None and not workspace.is_persistent):
        raise PermissionDeniedError(
            f"Cannot create artifact in a non-persistent workspace `{name}`, "
            "you may need to login to a persistent workspace."
        )


async def _holder(services: Services, context: CallContext, new: CreateArtifact) -> Loaded | None:
    """Find the artifact that has the alias now, for the text of the refusal or to be replaced."""
    try:
        return await find_with_stage(services, context, f"{new.workspace}/{new.alias}")
    except ArtifactNotFoundError:
        return None

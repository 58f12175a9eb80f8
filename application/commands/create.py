"""The command `create`."""

from typing import NamedTuple

import msgspec

from application.answers import answer
from application.content import cleaned
from application.context import CallContext, Reply
from application.parameters import Create
from application.sealed_secrets import NONE, check_secrets, sealed_change
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
from domain.artifact.config import names_access, new_config, with_creators
from domain.artifact.content import check_card
from domain.artifact.create import CreateArtifact, Replaced, decide_create
from domain.artifact.names import check_typed_alias, check_version_name, expand_alias, is_pattern, is_uuid
from domain.artifact.schema import check_schema
from domain.artifact.secrets import MAX_SECRETS
from domain.artifact.state import Artifact
from domain.artifact.weights import parse_weighted_path, to_milli
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


class _Place(NamedTuple):
    """Where the artifact goes. `alias` is None when one is to be made."""

    workspace: str
    alias: str | None
    parent: Target | None


async def create(services: Services, context: CallContext, parameters: Create) -> Reply:
    """Create an artifact or a collection; needs `draft` or `attach` on the parent, or `read_write` in the workspace.

    Its secrets are encrypted before anything else is done with them.

    Raises:
        AlreadyExistsError: The alias is taken, and `overwrite` is not given.
    """
    content = _content(services, context, parameters)
    secrets = _secrets(context, parameters)
    place = await _place(services, context, parameters)
    await ensure_workspace(services, context, place.workspace)
    await _check_place(services, context, parameters, place)
    is_generated = place.alias is None or is_pattern(place.alias)
    for _ in range(MAX_ALIAS_CANDIDATES if is_generated else 1):
        new = await _named(services, context, place, content)
        if secrets:
            sealed = await sealed_change(services, new.artifact_id, NONE, secrets)
            new = msgspec.structs.replace(new, secrets=sealed)
        try:
            return await _create(services, context, parameters, place, new)
        except AlreadyExistsError:
            if not is_generated:
                raise
    raise AlreadyExistsError("Could not generate a unique alias within the maximum attempts.")


def _content(services: Services, context: CallContext, parameters: Create) -> CreateArtifact:
    """Check manifest, config and version, and make the new artifact, still without alias and workspace."""
    if parameters.manifest is None:
        raise InvalidArgumentError("Manifest must be provided.")
    manifest = cleaned(services, parameters.manifest, "manifest")
    check_card(parameters.type, manifest)
    given = cleaned(services, {**(parameters.config or {}), **_permissions(parameters)}, "config")
    if context.actor.is_anonymous and names_access(given):
        raise PermissionDeniedError("A caller without an identity cannot decide who has access.")
    if given.get("storage") not in {None, "raw"}:
        raise InvalidArgumentError(f"Storage {given['storage']!r} is not supported by this version of the service.")
    if given.get("collection_schema") is not None:
        check_schema(given["collection_schema"])
    config = new_config(given)
    if parameters.type in {"collection", "vector-collection"}:
        config["is_collection"] = True
    config = with_creators(config, _creators(context))
    is_draft = parameters.stage or parameters.version == "stage"
    version_name = None
    if not is_draft and parameters.version not in {None, "new"}:
        version_name = check_version_name(str(parameters.version))
    return CreateArtifact(
        artifact_id=services.ids.uuid7(),
        workspace="",
        alias="",
        type=parameters.type,
        manifest=manifest,
        config=config,
        version_name=version_name,
        stage_id=services.ids.uuid7() if is_draft else None,
        overwrite=parameters.overwrite,
        download_weights=_weights(given),
    )


def _secrets(context: CallContext, parameters: Create) -> dict[str, str]:
    secrets = check_secrets(parameters.secrets) or {}
    if len(secrets) > MAX_SECRETS:
        raise InvalidArgumentError(f"An artifact can have {MAX_SECRETS} secrets at most.")
    if secrets and context.actor.is_anonymous:
        raise PermissionDeniedError("User does not have permission 'set_secret' on the artifact.")
    return secrets


def _permissions(parameters: Create) -> JsonObject:
    return {} if parameters.permissions is None else {"permissions": parameters.permissions}


def _weights(config: JsonObject) -> dict[str, int]:
    weights = config.get("download_weights") or {}
    if not isinstance(weights, dict) or not all(type(weight) in (int, float) for weight in weights.values()):
        raise InvalidArgumentError("config.download_weights must map paths to numbers.")
    return {parse_weighted_path(path): milli for path, weight in weights.items() if (milli := to_milli(weight))}


def _creators(context: CallContext) -> tuple[str, ...]:
    actor = context.actor
    if actor.is_anonymous:
        return ()
    return tuple(dict.fromkeys((actor.effective_id, actor.user_id)))


async def _place(services: Services, context: CallContext, parameters: Create) -> _Place:
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
    return _Place(workspace, alias, parent)


async def _check_place(services: Services, context: CallContext, parameters: Create, place: _Place) -> None:
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


async def _named(services: Services, context: CallContext, place: _Place, content: CreateArtifact) -> CreateArtifact:
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


async def _create(
    services: Services, context: CallContext, parameters: Create, place: _Place, new: CreateArtifact
) -> Reply:
    is_taken = False

    async def prepare() -> Prepared:
        parent = place.parent
        if parent is not None and parameters.parent_id is not None:
            parent = await find(services, context, parameters.parent_id)
        name_key = alias_key(new.workspace, new.alias)
        # Most aliases are free: who has one that is not is looked up when the decision has found it taken.
        old = await _holder(services, context, new) if is_taken else None
        keys = [name_key, *viewer_keys(context.actor, new.workspace)]
        counters: tuple[StreamId, ...] = ()
        if parent is not None:
            keys += parent.keys
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
                if old is None or old.target.ids[0] != alias.artifact_id:
                    is_taken = True
                    raise StaleFactsError
                children = states.children(old.target.ids[0])
                replaced = Replaced(chain=old.target.chain(states.get), children=children)
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

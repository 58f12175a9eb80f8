"""The commands `edit`, `commit` and `discard`."""

import msgspec
from immutables import Map

from application.answers import answer
from application.content import cleaned
from application.context import CallContext, Reply
from application.parameters import Commit, Discard, Edit
from application.sealed_secrets import check_secrets, sealed_change
from application.services import Services
from application.stages import declared_stage
from application.storage_kinds import refuse_branch
from application.targets import Loaded, Prepared, execute, find_with_stage, unit_of
from application.units import States
from domain.artifact.commit import CommitStage, decide_commit, decide_discard
from domain.artifact.edit import EditArtifact, decide_edit, is_staged_edit
from domain.artifact.schema import check_schema
from domain.artifact.versions import keeps_marks, staged_base
from domain.errors import InvalidArgumentError, InvalidPathError
from domain.events import Outcome
from domain.ids import stage_key
from domain.permissions import Operation, may, may_stage, require
from domain.trees import TreeRoot


async def edit(services: Services, context: CallContext, parameters: Edit) -> Reply:
    """Edit an artifact: `edit` for its stage; in place also `commit`, and `mutate` on the parent.

    With `stage=False` on a staged artifact, what is staged is committed together with the edit. Secrets replace all
    that there are, at once on every way, and need `set_secret` as well.
    """
    refuse_branch(parameters.branch)
    given = _change(services, parameters)
    secrets = check_secrets(parameters.secrets)

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        # Asked first on every way, so that a refusal does not tell whether a stage is open.
        require(may_stage(loaded.chain.viewer, loaded.chain.nodes))
        change = given
        if secrets is not None:
            require(may(loaded.chain.viewer, Operation.SET_SECRET, loaded.chain.nodes))
            artifact = loaded.chain.artifact
            sealed = await sealed_change(services, artifact.id, artifact.secrets, secrets, is_replacement=True)
            change = msgspec.structs.replace(given, secrets=sealed)
        if loaded.chain.artifact.stage is not None and not is_staged_edit(loaded.chain.artifact, change):
            return await _prepare_commit(services, context, loaded, None, parameters.comment, change)
        await _check_base(services, loaded, change)
        keys = loaded.keys if loaded.stage else (*loaded.keys, stage_key(change.new_stage_id))

        def decide(states: States) -> Outcome:
            chain = loaded.target.chain(states.get)
            return decide_edit(chain, declared_stage(chain, keys, states), change)

        return Prepared(unit_of(context, keys, decide, comment=parameters.comment), loaded.target)

    return await answer(services, await execute(services, prepare))


async def commit(services: Services, context: CallContext, parameters: Commit) -> Reply:
    """Commit the stage: `commit` on the artifact or being its reviewer; `attach` or `mutate` on the parent."""
    refuse_branch(parameters.branch)
    if parameters.version == "stage":
        raise InvalidArgumentError("Version cannot be 'stage' when committing the artifact.")

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        return await _prepare_commit(services, context, loaded, parameters.version, parameters.comment or None, None)

    return await answer(services, await execute(services, prepare))


async def discard(services: Services, context: CallContext, parameters: Discard) -> Reply:
    """Discard the stage: `edit` on the artifact, or being its reviewer."""

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)

        def decide(states: States) -> Outcome:
            chain = loaded.target.chain(states.get)
            return decide_discard(chain, declared_stage(chain, loaded.keys, states))

        return Prepared(unit_of(context, loaded.keys, decide), loaded.target)

    return await answer(services, await execute(services, prepare))


async def _prepare_commit(
    services: Services,
    context: CallContext,
    loaded: Loaded,
    version: str | None,
    comment: str | None,
    change: EditArtifact | None,
) -> Prepared:
    stage_version = loaded.stage.version if loaded.stage else 0
    # Decided once without the tree: what is refused writes no objects.
    decide_commit(loaded.chain, loaded.stage, CommitStage(version=version, stage_version=stage_version, edit=change))
    tree = await _build_tree(services, loaded, change)
    command = CommitStage(version=version, tree=tree, stage_version=stage_version, edit=change)

    def decide(states: States) -> Outcome:
        chain = loaded.target.chain(states.get)
        return decide_commit(chain, declared_stage(chain, loaded.keys, states), command)

    return Prepared(unit_of(context, loaded.keys, decide, comment=comment), loaded.target)


async def _build_tree(services: Services, loaded: Loaded, change: EditArtifact | None) -> TreeRoot | None:
    """Write the file tree that the commit will name; objects nobody names in the end are the janitor's."""
    stage = loaded.stage
    if stage is None:
        return None
    base, removed = stage.base, stage.removed
    if change is not None:
        artifact = loaded.chain.artifact
        base = staged_base(artifact, stage, change.version, copy_files=change.copy_files)
        removed = stage.removed if keeps_marks(artifact, stage, change.version, base) else Map()
    upserts = {path: staged.file for path, staged in stage.files.items() if staged.file is not None}
    return await services.trees.commit(base, stage.prefix, upserts, removed)


async def _check_base(services: Services, loaded: Loaded, change: EditArtifact) -> None:
    """Refuse to aim a stage at files that what is staged would be both file and directory with."""
    artifact, stage = loaded.chain.artifact, loaded.stage
    if stage is None or not stage.files:
        return
    base = staged_base(artifact, stage, change.version, copy_files=change.copy_files)
    if base == stage.base:
        return
    conflict = await services.trees.find_conflict(base, stage.files, ())
    if conflict is not None:
        raise InvalidPathError(f"'{conflict}' cannot be both a file and a directory in one version.")


def _change(services: Services, parameters: Edit) -> EditArtifact:
    config = None if parameters.config is None else cleaned(services, parameters.config, "config")
    if config is not None and config.get("collection_schema") is not None:
        check_schema(config["collection_schema"])
    permissions = parameters.permissions
    return EditArtifact(
        manifest=None if parameters.manifest is None else cleaned(services, parameters.manifest, "manifest"),
        config=config,
        permissions=None if permissions is None else cleaned(services, permissions, "permissions"),
        type=parameters.type,
        version=parameters.version,
        stage=parameters.stage,
        copy_files=parameters.copy_files,
        new_stage_id=services.ids.uuid7(),
    )

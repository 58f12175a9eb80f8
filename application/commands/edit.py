"""The commands `edit`, `commit` and `discard`."""

from application.content import cleaned
from application.context import CallContext, Reply
from application.manifests import manifest_of
from application.parameters import Commit, Discard, Edit
from application.queries.counters import child_count, counts_of
from application.records import note_unindexed, render
from application.services import Services
from application.stages import current_stage, declared_stage
from application.targets import artifact_of, execute, find, keys_with_stage, unit_of
from application.units import Done, States, Unit
from domain.artifact.commit import CommitStage, commit_intent, decide_commit, decide_discard
from domain.artifact.edit import EditArtifact, decide_edit, is_staged_edit
from domain.artifact.schema import check_schema
from domain.artifact.state import Artifact
from domain.artifact.versions import staged_base
from domain.errors import InvalidArgumentError
from domain.events import Outcome
from domain.ids import stage_key
from domain.permissions import may_commit, require
from domain.stage.state import Stage
from domain.trees import TreeRoot


async def edit(services: Services, context: CallContext, parameters: Edit) -> Reply:
    """Edit an artifact: `edit` for its stage; in place also `commit`, and `mutate` on the parent.

    With `stage=False` on a staged artifact, what is staged is committed together with the edit.
    """
    refuse_branch(parameters.branch)
    change = _change(services, parameters)
    target = await find(services, context, parameters.artifact_id)
    state = await artifact_of(services, target)
    if state.stage is not None and not is_staged_edit(state, change):
        return await _commit(services, context, parameters.artifact_id, None, parameters.comment, change)

    async def prepare() -> Unit:
        target = await find(services, context, parameters.artifact_id)
        artifact = await artifact_of(services, target)
        facts = await _with_older_manifest(services, artifact, change)
        stage_id = artifact.stage.stage_id if artifact.stage else facts.new_stage_id
        keys = (*target.keys, stage_key(stage_id))

        def decide(states: States) -> Outcome:
            chain = target.chain(states.get)
            return decide_edit(chain, declared_stage(chain, keys, states), facts)

        return unit_of(context, keys, decide, comment=parameters.comment)

    done = await execute(services, prepare)
    return await _reply(services, context, parameters.artifact_id, done)


async def commit(services: Services, context: CallContext, parameters: Commit) -> Reply:
    """Commit the stage: `commit` on the artifact or being its reviewer; `attach` or `mutate` on the parent."""
    refuse_branch(parameters.branch)
    if parameters.version == "stage":
        raise InvalidArgumentError("Version cannot be 'stage' when committing the artifact.")
    return await _commit(
        services, context, parameters.artifact_id, parameters.version, parameters.comment or None, None
    )


async def discard(services: Services, context: CallContext, parameters: Discard) -> Reply:
    """Discard the stage: `edit` on the artifact, or being its reviewer."""

    async def prepare() -> Unit:
        target = await find(services, context, parameters.artifact_id)
        keys = await keys_with_stage(services, target)

        def decide(states: States) -> Outcome:
            chain = target.chain(states.get)
            return decide_discard(chain, declared_stage(chain, keys, states))

        return unit_of(context, keys, decide)

    done = await execute(services, prepare)
    return await _reply(services, context, parameters.artifact_id, done, staged=False)


async def _commit(
    services: Services,
    context: CallContext,
    artifact_id: str,
    version: str | None,
    comment: str | None,
    change: EditArtifact | None,
) -> Reply:
    async def prepare() -> Unit:
        target = await find(services, context, artifact_id)
        keys = await keys_with_stage(services, target)
        current = await services.states.get(keys)
        chain = target.chain(lambda key: current[key].state)
        artifact = chain.artifact
        require(may_commit(chain.viewer, chain.nodes, is_first_commit=not artifact.is_committed))
        commit_intent(artifact, change)
        facts = await _with_older_manifest(services, artifact, change) if change else None
        key = keys[-1]
        staged: Stage = current[key].state
        version_asked, copies = (change.version, change.copy_files) if change else (None, False)
        base = staged_base(artifact, staged, version_asked, copy_files=copies)
        tree = await _build_tree(services, staged, base)
        stage_version = current[key].version

        def decide(states: States) -> Outcome:
            chain = target.chain(states.get)
            stage = declared_stage(chain, keys, states)
            command = CommitStage(version=version, tree=tree, stage_version=stage_version, edit=facts)
            return decide_commit(chain, stage, command)

        return unit_of(context, keys, decide, comment=comment)

    done = await execute(services, prepare)
    return await _reply(services, context, artifact_id, done, staged=False)


async def _build_tree(services: Services, stage: Stage, base: TreeRoot | None) -> TreeRoot | None:
    """Write the file tree that the commit will name; objects nobody names in the end are the janitor's."""
    upserts = {path: staged.file for path, staged in stage.files.items() if staged.file is not None}
    return await services.trees.commit(base, stage.prefix, upserts, set(stage.removed))


def _change(services: Services, parameters: Edit) -> EditArtifact:
    if parameters.secrets:
        raise InvalidArgumentError("secrets are not supported by this version of the service.")
    config = None if parameters.config is None else cleaned(services, parameters.config, "config")
    if config is not None and config.get("collection_schema") is not None:
        check_schema(config["collection_schema"])
    return EditArtifact(
        manifest=None if parameters.manifest is None else cleaned(services, parameters.manifest, "manifest"),
        config=config,
        permissions=parameters.permissions,
        type=parameters.type,
        version=parameters.version,
        stage=parameters.stage,
        copy_files=parameters.copy_files,
        new_stage_id=services.ids.uuid7(),
    )


async def _with_older_manifest(services: Services, artifact: Artifact, change: EditArtifact) -> EditArtifact:
    """Fetch the manifest of the version that an edit names, when it is not the latest and gives none itself."""
    if change.manifest is not None or change.version in {None, "new", "stage"}:
        return change
    entry = next((entry for entry in artifact.versions if entry.name == change.version), None)
    if entry is None or entry == artifact.latest:
        return change
    older = await manifest_of(services.log, artifact, entry)
    return EditArtifact(
        config=change.config,
        permissions=change.permissions,
        type=change.type,
        version=change.version,
        stage=change.stage,
        copy_files=change.copy_files,
        new_stage_id=change.new_stage_id,
        older_manifest=older,
    )


def refuse_branch(branch: str | None) -> None:
    """Refuse a git branch: artifacts stored as files have none.

    Raises:
        InvalidArgumentError: A branch was given.
    """
    if branch is not None:
        raise InvalidArgumentError("branch is only for artifacts that are stored in git.")


async def _reply(
    services: Services, context: CallContext, artifact_id: str, done: Done, *, staged: bool = True
) -> Reply:
    """Render the record as the command left it, the stage included if one is open."""
    target = await find(services, context, artifact_id)
    states = dict(await services.states.get(target.keys))
    chain = target.chain(lambda key: states[key].state)
    artifact = chain.artifact
    stage = await current_stage(services, chain) if staged else None
    record = render(
        chain,
        await counts_of(services, artifact.id),
        children=await child_count(services, artifact),
        staged=stage is not None,
        shows_staging=stage is not None,
        stage=stage,
    )
    return Reply(note_unindexed(record, artifact), done.position)

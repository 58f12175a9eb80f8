"""The command `duplicate`."""

import msgspec

from application.commands.new_artifact import Source, create_under_an_alias, creators_of
from application.context import CallContext, Reply
from application.parameters import Create, Duplicate
from application.sealed_secrets import NONE, sealed_change
from application.services import Services
from application.targets import find, load
from domain.artifact.create import CreateArtifact
from domain.artifact.duplicate import CopyArtifact, require_readable
from domain.errors import InvalidArgumentError
from domain.ids import artifact_key


async def duplicate(services: Services, context: CallContext, parameters: Duplicate) -> Reply:
    """Copy an artifact: `read` and `get_file` on it, and the rights of `create` where the copy goes.

    No byte of its files is copied: the versions of the copy name the same objects, which the source lends.

    Raises:
        InvalidStateError: The source has no committed version.
        AlreadyExistsError: The alias is taken, and `overwrite` is not given.
    """
    with_secrets = not parameters.remove_secrets
    # Asked first, so that nobody learns of the target by the source of somebody else.
    source_chain = await load(services, context, parameters.source_artifact_id)
    require_readable(source_chain, with_secrets=with_secrets)
    if with_secrets and context.actor.is_anonymous and source_chain.artifact.secrets:
        raise InvalidArgumentError("A caller without an identity cannot own secrets: use remove_secrets=True.")
    source_id = str(source_chain.artifact.id)
    creation = Create(
        alias=parameters.target_alias,
        workspace=parameters.target_workspace,
        parent_id=parameters.target_parent_id,
        overwrite=parameters.overwrite,
        stage=parameters.stage,
        comment=parameters.comment,
    )
    content = CreateArtifact(
        artifact_id=services.ids.uuid7(),
        workspace="",
        alias="",
        type=None,
        manifest={},
        config={},
        stage_id=services.ids.uuid7() if parameters.stage else None,
        overwrite=parameters.overwrite,
    )

    async def source(new: CreateArtifact) -> Source:
        target = await find(services, context, source_id)
        key = artifact_key(target.ids[0])
        artifact = (await services.states.get((key,)))[key].state
        if with_secrets and artifact is not None and artifact.secrets:
            values = await services.vault.open(artifact.id, artifact.secrets)
            sealed = await sealed_change(services, new.artifact_id, NONE, values)
            new = msgspec.structs.replace(new, secrets=sealed)
        sealed_from = (artifact.secrets if artifact is not None else NONE) if with_secrets else None
        return Source(target, CopyArtifact(new=new, creators=creators_of(context), sealed_from=sealed_from))

    return await create_under_an_alias(services, context, creation, content, source=source)

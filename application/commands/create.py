"""The command `create`."""

import msgspec

from application.commands.new_artifact import create_under_an_alias, creators_of
from application.content import cleaned
from application.context import CallContext, Reply
from application.parameters import Create
from application.sealed_secrets import NONE, check_secrets, sealed_change
from application.services import Services
from domain.artifact.config import names_access, new_config, with_creators
from domain.artifact.content import check_card
from domain.artifact.create import CreateArtifact
from domain.artifact.names import check_version_name
from domain.artifact.schema import check_schema
from domain.artifact.secrets import MAX_SECRETS
from domain.artifact.weights import parse_weighted_path, to_milli
from domain.errors import (
    InvalidArgumentError,
    PermissionDeniedError,
)
from domain.events import JsonObject

MAX_ALIAS_CANDIDATES = 100
"""Random or patterned aliases that are tried before the creation is given up."""


async def create(services: Services, context: CallContext, parameters: Create) -> Reply:
    """Create an artifact or a collection; needs `draft` or `attach` on the parent, or `read_write` in the workspace.

    Its secrets are encrypted before anything else is done with them.

    Raises:
        AlreadyExistsError: The alias is taken, and `overwrite` is not given.
    """
    content = _content(services, context, parameters)
    secrets = _secrets(context, parameters)

    async def seal(new: CreateArtifact) -> CreateArtifact:
        if not secrets:
            return new
        return msgspec.structs.replace(new, secrets=await sealed_change(services, new.artifact_id, NONE, secrets))

    return await create_under_an_alias(services, context, parameters, content, seal)


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
    config = with_creators(config, creators_of(context))
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

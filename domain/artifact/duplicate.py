"""The decision to copy an artifact."""

from collections.abc import Mapping

import msgspec

from domain.alias import Alias
from domain.artifact.chain import Chain
from domain.artifact.config import new_config, with_creators
from domain.artifact.create import CreateArtifact, Replaced, decide_create
from domain.artifact.events import FilesLent
from domain.artifact.state import Artifact
from domain.errors import InvalidStateError, StaleFactsError
from domain.events import Emit, JsonObject, Outcome
from domain.ids import artifact_key
from domain.permissions import ACCESS_KEYS, Operation, may, may_read_version, require, visible_permissions

_NOT_COPIED = ("id_parts", "zenodo")
"""Keys of a configuration that are about the artifact that was copied alone."""


class CopyArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """The new artifact, still without anything of the one that is copied.

    `sealed_from` is the ciphertext from which the secrets of `new` were made; None copies no secrets.
    `creators` get everything on the copy.
    """

    new: CreateArtifact
    creators: tuple[str, ...]
    sealed_from: Mapping[str, bytes] | None = None


def require_readable(source: Chain, *, with_secrets: bool) -> Artifact:
    """Check that the caller may copy an artifact: `read`, `get_file` where it has files, and `get_secret` for secrets.

    Raises:
        PermissionDeniedError: He may not.
        InvalidStateError: There is no committed version yet.
    """
    artifact = source.artifact
    require(may_read_version(source.viewer, Operation.READ, source.nodes))
    if artifact.latest is None:
        raise InvalidStateError(f"Artifact '{artifact.full_id}' has no committed version to copy; commit it first.")
    if artifact.latest.tree is not None:
        require(may(source.viewer, Operation.GET_FILE, source.nodes))
    if with_secrets:
        require(may(source.viewer, Operation.GET_SECRET, source.nodes))
    return artifact


def decide_duplicate(
    copy: CopyArtifact, source: Chain, parents: Chain, alias: Alias | None, replaced: Replaced | None
) -> Outcome:
    """Create an artifact with the latest committed content and files of another one, which lends them.

    Raises:
        PermissionDeniedError: The caller may not read the source, or not create there.
        InvalidStateError: The source has no committed version.
        AlreadyExistsError: The alias is taken and `overwrite` was not given.
    """
    artifact = require_readable(source, with_secrets=copy.sealed_from is not None)
    if copy.sealed_from is not None and copy.sealed_from != artifact.secrets:
        raise StaleFactsError
    latest = artifact.latest
    tree = latest.tree if latest is not None else None
    manifest = dict(artifact.manifest)
    if copy.sealed_from is None:
        manifest.pop("secrets", None)
    new = msgspec.structs.replace(
        copy.new,
        type=artifact.type,
        manifest=manifest,
        config=with_creators(_config(source, is_anonymous=not copy.creators), copy.creators),
        download_weights=dict(artifact.download_weights),
        duplicate_of=artifact.id,
        tree=tree,
    )
    outcome = decide_create(new, parents, alias, replaced)
    if tree is None:
        return outcome
    lent = Emit(
        key=artifact_key(artifact.id),
        event=FilesLent(borrower=new.artifact_id),
        workspace=artifact.workspace,
        artifact_id=artifact.id,
    )
    return Outcome(events=(lent, *outcome.events), advances=outcome.advances)


def _config(source: Chain, *, is_anonymous: bool) -> JsonObject:
    """Give the configuration of a copy. Of the grants it has those alone that the caller may see."""
    artifact = source.artifact
    left_out = (*_NOT_COPIED, *(ACCESS_KEYS if is_anonymous else ()))
    given = {key: value for key, value in artifact.config.items() if key not in left_out}
    if not is_anonymous:
        given["permissions"] = visible_permissions(source.viewer, source.nodes, artifact.config.get("permissions"))
    config = new_config(given)
    if artifact.type in {"collection", "vector-collection"}:
        config["is_collection"] = True
    return config

"""Finds the files that a read means: those of a version, or those that the stage would leave."""

from collections.abc import Sequence

import msgspec

from application.context import CallContext
from application.services import Services
from application.stages import current_stage
from application.targets import load
from domain.artifact.chain import Chain
from domain.artifact.versions import find_version, is_stage_asked
from domain.errors import FileMissingError
from domain.permissions import Operation, may_access_file, may_read_stage, may_read_version, require
from domain.stage.events import StoredFile
from domain.stage.state import Stage
from domain.trees import TreeRoot


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one version as one caller may read them. `stage` is set when they are those of a stage."""

    chain: Chain
    version: str | None
    tree: TreeRoot | None
    stage: Stage | None = None

    def uploaded(self) -> dict[str, StoredFile]:
        """Give the files that the stage puts over the tree."""
        if self.stage is None:
            return {}
        return {path: staged.file for path, staged in self.stage.files.items() if staged.file is not None}

    def removed(self) -> set[str]:
        """Give the paths of the tree that the stage takes away."""
        return set(self.stage.removed) if self.stage else set()


async def open_files(
    services: Services,
    context: CallContext,
    artifact_id: str,
    version: str | int | None,
    stage: bool,
    operation: Operation,
    paths: Sequence[str] = (),
) -> Files:
    """Find the files of a version or of the stage, with the right to them checked.

    A never-committed draft gives those of its stage. A stage that is not open gives the latest version. `paths` are
    the files that are asked for, so that a token which is a claim on files can be checked for each.

    Raises:
        PermissionDeniedError: The caller may not see them.
        VersionNotFoundError: There is no such version.
    """
    is_stage = is_stage_asked(version, stage)
    chain = await load(services, context, artifact_id)
    artifact = chain.artifact
    nodes = chain.nodes
    if paths and chain.viewer.file_scopes:
        for path in paths:
            require(
                may_access_file(chain.viewer, operation, nodes, full_id=artifact.full_id, path=path, is_staged=is_stage)
            )
    elif is_stage:
        require(may_read_stage(chain.viewer, operation, nodes))
    else:
        require(may_read_version(chain.viewer, operation, nodes))
    entry = None if is_stage else find_version(artifact, version)
    if entry is None and artifact.stage is not None:
        staged = await current_stage(services, chain)
        return Files(chain=chain, version="stage", tree=staged.base if staged else None, stage=staged)
    entry = entry or artifact.latest
    return Files(chain=chain, version=entry.name if entry else None, tree=entry.tree if entry else None)


async def find_existing(services: Services, files: Files, paths: list[str]) -> dict[str, StoredFile]:
    """Find files by path; those that do not exist are left out."""
    found: dict[str, StoredFile] = {}
    committed = set(paths)
    if files.stage is not None:
        for path in paths:
            staged = files.stage.files.get(path)
            if staged is not None and staged.file is not None:
                found[path] = staged.file
        committed -= {*found, *files.stage.removed}
    found.update(await services.trees.lookup_many(files.tree, committed))
    return found


async def find_files(services: Services, files: Files, paths: list[str]) -> dict[str, StoredFile]:
    """Find files by path.

    Raises:
        FileMissingError: It names the first that does not exist.
    """
    found = await find_existing(services, files, paths)
    for path in paths:
        if path not in found:
            raise FileMissingError(f"File '{path}' does not exist in the artifact.")
    return found

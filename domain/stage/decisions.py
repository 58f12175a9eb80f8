"""Decisions about the files of a stage."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.artifact.chain import Chain
from domain.errors import InvalidPathError, InvalidStateError, PermissionDeniedError
from domain.events import Emit, Event, Outcome
from domain.ids import stage_key
from domain.paths import ancestors
from domain.permissions import Operation, may_access_file, may_stage, require
from domain.stage.events import AnnouncedFile, FileRemoved, FilesAnnounced, FileUploaded, MultipartAbandoned, StoredFile
from domain.stage.state import Stage

REPLACED, REMOVED = "replaced", "removed"
"""Why an upload in parts ended: its path got another file, or was removed."""


class Announcement(NamedTuple):
    """A path to announce; `upload_id` is used when the path is not announced yet."""

    path: str
    upload_id: UUID
    weight_milli: int


def require_open(chain: Chain, stage: Stage | None, text: str = "Artifact must be in staging mode.") -> Stage:
    """Give the open stage of an artifact.

    Raises:
        InvalidStateError: There is none.
    """
    if chain.artifact.stage is None or stage is None or not stage.is_open:
        raise InvalidStateError(text)
    return stage


def require_put(chain: Chain, paths: Sequence[str]) -> None:
    """Ask for the right to put files, for each path when the token is a claim on files alone.

    Raises:
        PermissionDeniedError: The caller may not put one of them here.
    """
    viewer, nodes = chain.viewer, chain.nodes
    if not viewer.file_scopes:
        require(may_stage(viewer, nodes, Operation.PUT_FILE))
    for path in paths if viewer.file_scopes else ():
        require(may_access_file(viewer, Operation.PUT_FILE, nodes, full_id=chain.artifact.full_id, path=path))


def check_placement(stage: Stage, paths: Sequence[str]) -> None:
    """Refuse a path that would be a file and a directory at once, among the files of the stage and one another.

    Raises:
        InvalidPathError: It names the path that is in the way.
    """
    new = set(paths)
    below = {directory for path in new for directory in ancestors(path)}
    for path in paths:
        if path in stage.directories or path in below:
            raise InvalidPathError(f"'{path}' is a directory in this version; it cannot be a file as well.")
        for directory in ancestors(path):
            if directory in stage.files or directory in new:
                raise InvalidPathError(f"'{directory}' is a file in this version; '{path}' cannot be put below it.")


def ended_uploads(stage: Stage, paths: Collection[str], reason: str) -> list[MultipartAbandoned]:
    """End the open uploads in parts of paths that get another file or none."""
    return [
        MultipartAbandoned(upload_id=upload_id, reason=reason)
        for upload_id, upload in stage.uploads.items()
        if upload.path in paths
    ]


def _kept_id(stage: Stage, path: str, fresh: UUID) -> UUID:
    """Give the upload id that an announced path keeps; that of an upload in parts is never given to another file."""
    known = stage.files.get(path)
    if known is None or known.upload_id in stage.uploads or known.upload_id in stage.completed:
        return fresh
    return known.upload_id


def decide_announce(chain: Chain, stage: Stage | None, files: Sequence[Announcement]) -> Outcome:
    """Announce files that will be uploaded. An announced path keeps its upload id; the last weight wins.

    Raises:
        PermissionDeniedError: The caller may not put files here.
        InvalidStateError: Nothing is staged.
        InvalidPathError: A path would be a file and a directory at once.
    """
    require_put(chain, [item.path for item in files])
    stage = require_open(chain, stage)
    check_placement(stage, [item.path for item in files])
    announced: dict[str, AnnouncedFile] = {}
    for item in files:
        upload_id = _kept_id(stage, item.path, item.upload_id)
        announced[item.path] = AnnouncedFile(path=item.path, upload_id=upload_id, weight_milli=item.weight_milli)
    ended = ended_uploads(stage, announced, REPLACED)
    return outcome_of(chain, stage, *ended, FilesAnnounced(files=tuple(announced.values())))


def decide_put(
    chain: Chain, stage: Stage | None, path: str, upload_id: UUID, file: StoredFile, weight_milli: int | None
) -> Outcome:
    """Make uploaded bytes the file of a path, for a caller who uploads through the service with his own rights.

    Raises:
        PermissionDeniedError: The caller may not put files here.
        InvalidStateError: Nothing is staged.
        InvalidPathError: The path would be a file and a directory at once.
    """
    require_put(chain, [path])
    stage = require_open(chain, stage)
    check_placement(stage, [path])
    kept = _kept_id(stage, path, upload_id)
    uploaded = FileUploaded(path=path, upload_id=kept, file=file, weight_milli=weight_milli)
    return outcome_of(chain, stage, *ended_uploads(stage, {path}, REPLACED), uploaded)


def require_announced(stage: Stage | None, path: str, upload_id: UUID) -> Stage:
    """Give the stage that a signed upload belongs to.

    Raises:
        PermissionDeniedError: The stage is closed, or the path is not announced any more.
    """
    if stage is None or not stage.is_open:
        raise PermissionDeniedError("The upload URL is no longer valid: its stage was committed or discarded.")
    staged = stage.files.get(path)
    if staged is None or staged.upload_id != upload_id:
        raise PermissionDeniedError("The upload URL is no longer valid: its file was removed from the stage.")
    return stage


def decide_upload(stage: Stage | None, path: str, upload_id: UUID, file: StoredFile, workspace: str) -> Outcome:
    """Make uploaded bytes the file of an announced path, for whoever holds its signed URL.

    Raises:
        PermissionDeniedError: The stage is closed, or the path is not announced any more.
    """
    stage = require_announced(stage, path, upload_id)
    uploaded = FileUploaded(path=path, upload_id=upload_id, file=file)
    events = (*ended_uploads(stage, {path}, REPLACED), uploaded)
    return _outcome(stage, workspace, events)


def decide_remove(chain: Chain, stage: Stage | None, path: str, *, is_committed: bool) -> Outcome:
    """Take a path out of the stage, and mark it to go at commit when it is in the version being staged.

    `is_committed` tells whether the path is in the tree that the stage starts from. A path that exists nowhere changes
    nothing.

    Raises:
        PermissionDeniedError: The caller may not remove files here.
        InvalidStateError: Nothing is staged.
    """
    require(may_stage(chain.viewer, chain.nodes, Operation.REMOVE_FILE))
    stage = require_open(chain, stage)
    is_marked = is_committed and path not in stage.removed
    if path not in stage.files and not is_marked:
        return Outcome()
    removed = FileRemoved(path=path, is_marked=is_marked)
    return outcome_of(chain, stage, *ended_uploads(stage, {path}, REMOVED), removed)


def outcome_of(chain: Chain, stage: Stage, *events: Event) -> Outcome:
    """Give events of a stage of the artifact."""
    return _outcome(stage, chain.artifact.workspace, events)


def _outcome(stage: Stage, workspace: str, events: Sequence[Event]) -> Outcome:
    key = stage_key(stage.id)
    return Outcome(
        events=tuple(Emit(key=key, event=event, workspace=workspace, artifact_id=stage.artifact_id) for event in events)
    )

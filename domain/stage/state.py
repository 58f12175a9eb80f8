"""State of a stage, and its fold."""

from uuid import UUID

import msgspec
from immutables import Map

from domain.events import Event, EventMeta
from domain.paths import ancestors
from domain.stage.events import (
    FileRemoved,
    FilesAnnounced,
    FileUploaded,
    MultipartAbandoned,
    MultipartStarted,
    StageBaseChanged,
    StageEnded,
    StageStarted,
    StoredFile,
)
from domain.trees import TreeRoot


class StagedFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A path of the stage. `file` is None while it is only announced; `place` keeps the order of announcement."""

    upload_id: UUID
    place: int
    weight_milli: int | None = None
    file: StoredFile | None = None


class OpenUpload(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An upload in parts that is neither completed nor abandoned. `expires_at` is in microseconds."""

    path: str
    store_upload_id: str
    part_count: int
    expires_at: int
    store: str | None = None


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage as its events left it.

    `files` maps path to staged file, `directories` counts the staged paths below each directory, `removed` holds the
    committed paths that go at commit. `uploads` are the uploads in parts that are open; `completed` maps one to its
    path for as long as the path has its upload id. Persistent maps: an event costs what it changes, not what is there.
    """

    id: UUID
    version: int
    artifact_id: UUID
    index: int
    prefix: str
    base: TreeRoot | None
    last_activity: int
    files: "Map[str, StagedFile]" = msgspec.field(default_factory=Map)
    directories: "Map[str, int]" = msgspec.field(default_factory=Map)
    removed: "Map[str, int]" = msgspec.field(default_factory=Map)
    uploads: "Map[UUID, OpenUpload]" = msgspec.field(default_factory=Map)
    completed: "Map[UUID, str]" = msgspec.field(default_factory=Map)
    next_place: int = 0
    outcome: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether files can still be added."""
        return self.outcome is None


def stage_prefix(artifact_id: UUID, index: int, stage_id: UUID) -> str:
    """Say where the objects of a stage go: below the artifact, one directory a stage."""
    return f"{artifact_id}/v{index}-{stage_id}"


def evolve(state: Stage | None, payload: Event, meta: EventMeta, stage_id: UUID) -> Stage:
    """Fold one event of a stage's stream."""
    if isinstance(payload, StageStarted):
        return Stage(
            id=stage_id,
            version=meta.stream_version,
            artifact_id=payload.artifact_id,
            index=payload.index,
            prefix=payload.prefix,
            base=payload.base,
            last_activity=meta.recorded_at,
        )
    if state is None:
        raise ValueError(f"{type(payload).__name__} before the stage was started")
    match payload:
        case FilesAnnounced():
            changed = _announce(state, payload)
        case FileUploaded():
            changed = _upload(state, payload)
        case MultipartStarted():
            changed = _start(state, payload)
        case MultipartAbandoned():
            changed = _abandon(state, payload.upload_id)
        case FileRemoved():
            changed = _remove(state, payload)
        case StageBaseChanged():
            # A mark is about a file of the tree that the stage started from.
            changed = msgspec.structs.replace(state, index=payload.index, base=payload.base, removed=Map())
        case StageEnded():
            changed = msgspec.structs.replace(
                state,
                outcome=payload.outcome,
                files=Map(),
                directories=Map(),
                removed=Map(),
                uploads=Map(),
                completed=Map(),
            )
        case _:
            raise ValueError(f"{type(payload).__name__} does not belong to a stage")
    return msgspec.structs.replace(changed, version=meta.stream_version, last_activity=meta.recorded_at)


def _announce(state: Stage, payload: FilesAnnounced) -> Stage:
    files, directories, removed = state.files.mutate(), state.directories.mutate(), state.removed.mutate()
    completed = state.completed
    place = state.next_place
    for item in payload.files:
        known = files.get(item.path)
        if known is None:
            files[item.path] = StagedFile(upload_id=item.upload_id, place=place, weight_milli=item.weight_milli)
            place += 1
            for directory in ancestors(item.path):
                directories[directory] = directories.get(directory, 0) + 1
        else:
            weight = known.weight_milli if item.weight_milli is None else item.weight_milli
            files[item.path] = msgspec.structs.replace(known, upload_id=item.upload_id, weight_milli=weight)
            if known.upload_id != item.upload_id and known.upload_id in completed:
                completed = completed.delete(known.upload_id)
        if item.path in removed:
            del removed[item.path]
    return msgspec.structs.replace(
        state,
        files=files.finish(),
        directories=directories.finish(),
        removed=removed.finish(),
        completed=completed,
        next_place=place,
    )


def _upload(state: Stage, payload: FileUploaded) -> Stage:
    state = _with_path(state, payload.path, payload.upload_id)
    known = state.files[payload.path]
    weight = known.weight_milli if payload.weight_milli is None else payload.weight_milli
    staged = msgspec.structs.replace(known, upload_id=payload.upload_id, file=payload.file, weight_milli=weight)
    uploads, completed = state.uploads, state.completed
    if known.upload_id in completed:
        completed = completed.delete(known.upload_id)
    if payload.upload_id in uploads:
        uploads = uploads.delete(payload.upload_id)
        completed = completed.set(payload.upload_id, payload.path)
    files = state.files.set(payload.path, staged)
    return msgspec.structs.replace(state, files=files, uploads=uploads, completed=completed)


def _start(state: Stage, payload: MultipartStarted) -> Stage:
    state = _with_path(state, payload.path, payload.upload_id)
    staged = msgspec.structs.replace(state.files[payload.path], weight_milli=payload.weight_milli)
    upload = OpenUpload(
        path=payload.path,
        store_upload_id=payload.store_upload_id,
        part_count=payload.part_count,
        expires_at=payload.expires_at,
        store=payload.store,
    )
    return msgspec.structs.replace(
        state, files=state.files.set(payload.path, staged), uploads=state.uploads.set(payload.upload_id, upload)
    )


def _abandon(state: Stage, upload_id: UUID) -> Stage:
    """End an upload; a path that only this upload had announced leaves the stage with it."""
    upload = state.uploads.get(upload_id)
    if upload is None:
        return state
    state = msgspec.structs.replace(state, uploads=state.uploads.delete(upload_id))
    staged = state.files.get(upload.path)
    if staged is None or staged.file is not None or staged.upload_id != upload_id:
        return state
    return _without_path(state, upload.path)


def _with_path(state: Stage, path: str, upload_id: UUID) -> Stage:
    """Put a path into the stage if it is not there, and take back its mark to go."""
    removed = state.removed.delete(path) if path in state.removed else state.removed
    if path in state.files:
        return msgspec.structs.replace(state, removed=removed)
    directories = state.directories
    for directory in ancestors(path):
        directories = directories.set(directory, directories.get(directory, 0) + 1)
    return msgspec.structs.replace(
        state,
        files=state.files.set(path, StagedFile(upload_id=upload_id, place=state.next_place)),
        directories=directories,
        removed=removed,
        next_place=state.next_place + 1,
    )


def _without_path(state: Stage, path: str) -> Stage:
    directories = state.directories
    for directory in ancestors(path):
        left = directories[directory] - 1
        directories = directories.set(directory, left) if left else directories.delete(directory)
    upload_id = state.files[path].upload_id
    completed = state.completed.delete(upload_id) if upload_id in state.completed else state.completed
    return msgspec.structs.replace(state, files=state.files.delete(path), directories=directories, completed=completed)


def _remove(state: Stage, payload: FileRemoved) -> Stage:
    if payload.path in state.files:
        state = _without_path(state, payload.path)
    if payload.is_marked:
        state = msgspec.structs.replace(state, removed=state.removed.set(payload.path, state.next_place))
    return state

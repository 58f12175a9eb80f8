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


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage as its events left it.

    `files` maps path to staged file, `directories` counts the staged paths below each directory, `removed` holds the
    committed paths that go at commit. Persistent maps: an event costs what it changes, not what is there.
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
        case FileRemoved():
            changed = _remove(state, payload)
        case StageBaseChanged():
            # A mark is about a file of the tree that the stage started from.
            changed = msgspec.structs.replace(state, index=payload.index, base=payload.base, removed=Map())
        case StageEnded():
            changed = msgspec.structs.replace(
                state, outcome=payload.outcome, files=Map(), directories=Map(), removed=Map()
            )
        case _:
            raise ValueError(f"{type(payload).__name__} does not belong to a stage")
    return msgspec.structs.replace(changed, version=meta.stream_version, last_activity=meta.recorded_at)


def _announce(state: Stage, payload: FilesAnnounced) -> Stage:
    files, directories, removed = state.files.mutate(), state.directories.mutate(), state.removed.mutate()
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
        if item.path in removed:
            del removed[item.path]
    return msgspec.structs.replace(
        state, files=files.finish(), directories=directories.finish(), removed=removed.finish(), next_place=place
    )


def _upload(state: Stage, payload: FileUploaded) -> Stage:
    known = state.files.get(payload.path)
    directories = state.directories
    place = state.next_place
    if known is None:
        known = StagedFile(upload_id=payload.upload_id, place=place)
        place += 1
        for directory in ancestors(payload.path):
            directories = directories.set(directory, directories.get(directory, 0) + 1)
    weight = known.weight_milli if payload.weight_milli is None else payload.weight_milli
    staged = msgspec.structs.replace(known, upload_id=payload.upload_id, file=payload.file, weight_milli=weight)
    removed = state.removed.delete(payload.path) if payload.path in state.removed else state.removed
    return msgspec.structs.replace(
        state,
        files=state.files.set(payload.path, staged),
        directories=directories,
        removed=removed,
        next_place=place,
    )


def _remove(state: Stage, payload: FileRemoved) -> Stage:
    files, directories, removed = state.files, state.directories, state.removed
    if payload.path in files:
        files = files.delete(payload.path)
        for directory in ancestors(payload.path):
            left = directories[directory] - 1
            directories = directories.set(directory, left) if left else directories.delete(directory)
    if payload.is_marked:
        removed = removed.set(payload.path, state.next_place)
    return msgspec.structs.replace(state, files=files, directories=directories, removed=removed)

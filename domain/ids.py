"""Identifiers, and how user text becomes the identifier of a stream."""

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, NewType
from uuid import UUID, uuid5

ArtifactId = NewType("ArtifactId", UUID)
StageId = NewType("StageId", UUID)
UploadId = NewType("UploadId", UUID)
EventId = NewType("EventId", UUID)
StreamId = NewType("StreamId", UUID)
Position = NewType("Position", int)
"""Place of an event in its log. Starts at 1, gap-free, opaque to clients; 0 is before the first event."""

_ALIASES = UUID("6d0b7a2e-9f3a-5c38-8f64-2b8f7a6f1c01")
_WORKSPACES = UUID("6d0b7a2e-9f3a-5c38-8f64-2b8f7a6f1c02")
_CHILDREN = UUID("6d0b7a2e-9f3a-5c38-8f64-2b8f7a6f1c03")

_CACHED_NAMES = 10_000
"""Hashing a name into a UUID costs more than all else that a read does with it, so the last ones are kept."""


class StreamKind(StrEnum):
    """The kinds of aggregates; each kind has one fold."""

    ARTIFACT = "artifact"
    STAGE = "stage"
    ALIAS = "alias"
    WORKSPACE = "workspace"
    ACCESS = "access"


class StreamKey(NamedTuple):
    """Names one stream and says how to fold it."""

    kind: StreamKind
    id: StreamId


def artifact_key(artifact_id: UUID) -> StreamKey:
    """Name the stream of an artifact."""
    return StreamKey(StreamKind.ARTIFACT, StreamId(artifact_id))


def stage_key(stage_id: UUID) -> StreamKey:
    """Name the stream of a stage."""
    return StreamKey(StreamKind.STAGE, StreamId(stage_id))


@lru_cache(maxsize=_CACHED_NAMES)
def alias_key(workspace: str, alias: str) -> StreamKey:
    """Name the stream that makes an alias unique in its workspace."""
    return StreamKey(StreamKind.ALIAS, StreamId(uuid5(_ALIASES, f"{workspace}/{alias}")))


@lru_cache(maxsize=_CACHED_NAMES)
def workspace_key(workspace: str) -> StreamKey:
    """Name the stream of a workspace."""
    return StreamKey(StreamKind.WORKSPACE, StreamId(uuid5(_WORKSPACES, workspace)))


def access_key(stream_id: UUID) -> StreamKey:
    """Name a stream of the access log; the id is random, one per process start and day."""
    return StreamKey(StreamKind.ACCESS, StreamId(stream_id))


def children_counter(parent_id: UUID) -> StreamId:
    """Name the head row that counts the living children of a collection. It has no events of its own."""
    return StreamId(uuid5(_CHILDREN, str(parent_id)))

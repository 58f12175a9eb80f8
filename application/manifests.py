"""Finds the manifest of an older version: in the event that put it there."""

from application.ports.event_log import EventLog
from domain.artifact.events import ArtifactCommitted, ArtifactCreated, ArtifactEdited
from domain.artifact.state import Artifact, VersionEntry
from domain.artifact.versions import version_at
from domain.errors import VersionNotFoundError
from domain.events import JsonObject
from domain.ids import StreamId


async def manifest_of(log: EventLog, artifact: Artifact, entry: VersionEntry) -> JsonObject:
    """Give the manifest of a version.

    Raises:
        VersionNotFoundError: The event was erased.
    """
    if entry == artifact.latest:
        return artifact.manifest
    at = entry.manifest_at
    events = await log.read_stream(StreamId(artifact.id), after_version=at - 1, up_to_version=at)
    for event in events:
        match event.payload:
            case ArtifactCreated(manifest=manifest):
                return manifest
            case ArtifactEdited(content=content) | ArtifactCommitted(content=content):
                if isinstance(content.manifest, dict):
                    return content.manifest
    raise VersionNotFoundError(f"The manifest of version '{entry.name}' is not there any more.")


async def kept_manifest(log: EventLog, artifact: Artifact) -> JsonObject | None:
    """Give the manifest that an older version keeps when the stage aims at it and has none of its own."""
    stage = artifact.stage
    if stage is None or stage.intent.is_new_version or isinstance(stage.content.manifest, dict):
        return None
    entry = version_at(artifact, stage.intent.index)
    return await manifest_of(log, artifact, entry) if entry else None

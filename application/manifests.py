"""Finds the manifest of an older version: in the event that put it there."""

from application.ports.event_log import EventLog
from domain.artifact.events import ArtifactCommitted, ArtifactCreated, ArtifactEdited
from domain.artifact.state import Artifact, VersionEntry
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

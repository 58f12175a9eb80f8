"""The Alias aggregate: which artifact has a name in a workspace, claimed and released with the artifact's own event."""

from uuid import UUID

import msgspec

from domain.events import Event, EventMeta, event


@event("alias.claimed")
class AliasClaimed(Event, frozen=True, kw_only=True):
    """An artifact took the name."""

    workspace: str
    alias: str
    artifact_id: UUID


@event("alias.released")
class AliasReleased(Event, frozen=True, kw_only=True):
    """The name is free again."""

    artifact_id: UUID


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """Who has the name now; nobody when `artifact_id` is None."""

    version: int
    artifact_id: UUID | None


def evolve(state: Alias | None, payload: Event, meta: EventMeta, stream_id: UUID) -> Alias:
    """Fold one event of an alias's stream."""
    match payload:
        case AliasClaimed():
            return Alias(version=meta.stream_version, artifact_id=payload.artifact_id)
        case AliasReleased():
            return Alias(version=meta.stream_version, artifact_id=None)
        case _:
            raise ValueError(f"{type(payload).__name__} does not belong to an alias")

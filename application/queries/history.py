"""The query `history`: who did what when, read from the logs themselves."""

from typing import Any

import msgspec

from application.context import CallContext, Reply
from application.parameters import History
from application.ports.event_log import EventLog
from application.services import Services
from application.targets import load
from domain.access import FilesDownloaded
from domain.artifact.chain import Chain
from domain.artifact.events import (
    ArtifactCommitted,
    ArtifactCreated,
    ArtifactEdited,
    StageDiscarded,
    StageEdited,
    StageOpened,
)
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError
from domain.events import JsonObject, RecordedEvent
from domain.ids import Position
from domain.permissions import Operation, may_read_version, require, sees_grants, sees_stage
from domain.stage.events import FilesAnnounced

_MICRO = 1_000_000
_ARTIFACTS, _ACCESSES = "artifacts", "accesses"
STAGE_EVENTS = (StageOpened, StageEdited, StageDiscarded)
"""Events of the artifact's stream that only those see who see its stage."""


async def history(services: Services, context: CallContext, parameters: History) -> Reply:
    """Read the newest events of an artifact before a cursor; needs `read` on it.

    Readers see the committed facts; stage events are for those who see the stage; actors of accesses and grants for
    holders of `*`. With `kinds="access"` views and downloads are in it, in the order of time.
    """
    if parameters.kinds not in {None, "access", "all"}:
        raise InvalidArgumentError("kinds must be 'access' or 'all'.")
    chain = await load(services, context, parameters.artifact_id)
    require(may_read_version(chain.viewer, Operation.READ, chain.nodes))
    before = _parse_cursor(parameters.cursor)
    seen = _Seen(chain)
    sources = [(_ARTIFACTS, services.log)]
    if parameters.kinds is not None:
        sources.append((_ACCESSES, services.access_log))
    merged: list[tuple[str, RecordedEvent]] = []
    for name, log in sources:
        events = await _visible(log, chain.artifact, before.get(name), parameters.limit, seen)
        merged += [(name, event) for event in events]
    merged.sort(key=lambda item: (item[1].envelope.recorded_at, item[1].envelope.position), reverse=True)
    page = merged[: parameters.limit]
    for name, event in page:
        before[name] = event.envelope.position
    is_last = len(merged) <= parameters.limit and len(page) < parameters.limit
    body: JsonObject = {
        "items": [seen.render(event) for _, event in page],
        "next_cursor": None if is_last or not page else _cursor(before),
    }
    return Reply(body)


async def _visible(
    log: EventLog, artifact: Artifact, before: Position | None, limit: int, seen: "_Seen"
) -> list[RecordedEvent]:
    found: list[RecordedEvent] = []
    while len(found) <= limit:
        events = await log.history(artifact_id=artifact.id, before=before, limit=limit + 1)
        found += [event for event in events if seen.is_visible(event)]
        if len(events) <= limit:
            break
        before = events[-1].envelope.position
    return found[: limit + 1]


def _cursor(before: dict[str, Position]) -> str:
    return ".".join(f"{name[:2]}{position}" for name, position in sorted(before.items()))


def _parse_cursor(cursor: str | None) -> dict[str, Position]:
    before: dict[str, Position] = {}
    for part in (cursor or "").split("."):
        name = {"ar": _ARTIFACTS, "ac": _ACCESSES}.get(part[:2])
        if part and (name is None or not part[2:].isascii() or not part[2:].isdigit() or len(part) > 20):
            raise InvalidArgumentError("The cursor is not one that this service gave.")
        if name is not None:
            before[name] = Position(int(part[2:]))
    return before


def _weighted(data: JsonObject) -> JsonObject:
    """Show weights as callers write them, and leave those out that are not set."""
    shown = dict(data)
    weight = shown.pop("weight_milli", None)
    if weight is not None:
        shown["download_weight"] = weight / 1000
    if "download_weights" in shown:
        shown["download_weights"] = {path: milli / 1000 for path, milli in shown["download_weights"].items()}
    return shown


class _Seen:
    """What one caller sees of events."""

    def __init__(self, chain: Chain) -> None:
        self._sees_stage = sees_stage(chain.viewer, chain.nodes)
        self._sees_grants = sees_grants(chain.viewer, chain.nodes)
        self._subjects = {subject for level in chain.viewer.levels for subject in level} | {"*", "@"}
        self._names = set(chain.viewer.levels[0])

    def is_visible(self, event: RecordedEvent) -> bool:
        kind = event.envelope.type
        if kind.startswith("alias."):
            return False
        is_staged = kind.startswith("stage.") or isinstance(event.payload, STAGE_EVENTS)
        return self._sees_stage or not is_staged

    def render(self, event: RecordedEvent) -> JsonObject:
        envelope, payload = event.envelope, event.payload
        rendered: JsonObject = {
            "event_id": str(envelope.event_id),
            "position": envelope.position,
            "type": envelope.type,
            "version": envelope.schema_version,
            "recorded_at": envelope.recorded_at / _MICRO,
            "correlation_id": envelope.correlation_id,
            "comment": envelope.comment,
            "data": self._data(payload),
        }
        is_access = envelope.type.startswith("access.")
        if not is_access or self._sees_grants or envelope.actor in self._names:
            rendered["actor"] = envelope.actor
            rendered["on_behalf_of"] = envelope.on_behalf_of
        return rendered

    def _data(self, payload: Any) -> JsonObject:  # noqa: ANN401 - Any event.
        data: JsonObject = msgspec.to_builtins(payload)
        if isinstance(payload, FilesDownloaded):
            data["files"] = [file.path for file in payload.files]
        elif isinstance(payload, FilesAnnounced):
            data["files"] = [
                _weighted({"path": file.path, "weight_milli": file.weight_milli}) for file in payload.files
            ]
        data = _weighted(data)
        data.pop("artifact_id", None)
        if isinstance(payload, ArtifactCreated) and payload.stage_id is not None and not self._sees_stage:
            # What a draft began with is staged data; what became of it is in the commit.
            for staged in ("type", "manifest", "config", "version_name", "download_weights"):
                data.pop(staged, None)
        elif isinstance(payload, ArtifactCreated):
            data["config"] = self._config(payload.config)
        if isinstance(payload, ArtifactEdited | ArtifactCommitted | StageOpened | StageEdited):
            content = data["content"]
            if "config" in content:
                content["config"] = self._config(content["config"])
        tree = data.pop("tree", None)
        if tree is not None:
            data["file_count"], data["size_bytes"] = tree["file_count"], tree["size_bytes"]
        for hidden in ("prefix", "base", "file", "stage_id", "upload_id"):
            data.pop(hidden, None)
        return data

    def _config(self, config: JsonObject) -> JsonObject:
        permissions = config.get("permissions")
        if self._sees_grants or not isinstance(permissions, dict):
            return config
        return {
            **config,
            "permissions": {subject: entry for subject, entry in permissions.items() if subject in self._subjects},
        }

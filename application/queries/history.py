"""The query `history`: who did what when, read from the logs themselves."""

from typing import Any

import msgspec

from application.context import CallContext, Reply
from application.parameters import History
from application.ports.event_log import EventLog
from application.services import Services
from application.targets import load
from domain.access import ArtifactViewed, FilesDownloaded
from domain.artifact.chain import Chain
from domain.artifact.events import (
    ArtifactCommitted,
    ArtifactCreated,
    ArtifactEdited,
    FilesLent,
    SecretsChanged,
    StageDiscarded,
    StageEdited,
    StageOpened,
)
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError
from domain.events import JsonObject, RecordedEvent
from domain.ids import Position
from domain.permissions import Operation, may_read_version, require, sees_grants, sees_stage, visible_permissions
from domain.stage.events import FilesAnnounced

_MICRO = 1_000_000
_ARTIFACTS, _ACCESSES = "artifacts", "accesses"
_START = Position(1)
PAGE_EVENTS = 200
SCANNED_EVENTS = 2_000
"""Events that are looked at for one page."""
STAGE_EVENTS = (StageOpened, StageEdited, StageDiscarded)
"""Events of the artifact's stream that only those see who see its stage."""


async def history(services: Services, context: CallContext, parameters: History) -> Reply:
    """Read the newest events of an artifact before a cursor; needs `read` on it.

    Readers see the committed facts; stage events and accesses of the stage are for those who see the stage; actors of
    accesses, grants and the names of secrets for holders of `*`. With `kinds="access"` views and downloads are in it,
    in the order of time. A page may be short where much is hidden; the cursor goes on.
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
    ends: dict[str, Position] = {}
    for name, log in sources:
        events, end = await _visible(log, chain.artifact, before.get(name), parameters.limit, seen)
        merged += [(name, event) for event in events]
        ends[name] = end
    merged.sort(key=lambda item: (item[1].envelope.recorded_at, item[1].envelope.position), reverse=True)
    page = merged[: parameters.limit]
    following = _following(merged[parameters.limit :], page, ends, before)
    is_last = all(position == _START for position in following.values())
    return Reply(
        {
            "items": [seen.render(event) for _, event in page],
            "next_cursor": None if is_last else _cursor(following),
        }
    )


def _following(
    left: list[tuple[str, RecordedEvent]],
    page: list[tuple[str, RecordedEvent]],
    ends: dict[str, Position],
    before: dict[str, Position],
) -> dict[str, Position]:
    """Say before which position each log goes on: where it was read to, or at what did not fit on the page."""
    following = dict(ends)
    for name in {name for name, _ in left}:
        given = [event.envelope.position for source, event in page if source == name]
        first_left = max(event.envelope.position for source, event in left if source == name)
        following[name] = given[-1] if given else before.get(name, Position(first_left + 1))
    return following


async def _visible(
    log: EventLog, artifact: Artifact, before: Position | None, limit: int, seen: "_Seen"
) -> tuple[list[RecordedEvent], Position]:
    """Find a page of events that the caller sees, and the position that was looked down to (1: the whole log)."""
    found: list[RecordedEvent] = []
    scanned = 0
    while len(found) < limit and scanned < SCANNED_EVENTS:
        events = await log.history(artifact_id=artifact.id, before=before, limit=PAGE_EVENTS)
        found += [event for event in events if seen.is_visible(event)]
        scanned += len(events)
        if len(events) < PAGE_EVENTS:
            return found, _START
        before = events[-1].envelope.position
    return found, before or _START


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
        self._chain = chain
        self._names = set(chain.viewer.levels[0])

    def is_visible(self, event: RecordedEvent) -> bool:
        kind = event.envelope.type
        if kind.startswith("alias."):
            return False
        is_staged = (
            kind.startswith("stage.")
            or isinstance(event.payload, STAGE_EVENTS)
            or (isinstance(event.payload, ArtifactViewed | FilesDownloaded) and event.payload.version == "stage")
        )
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
        if isinstance(payload, SecretsChanged):
            # The names alone, and to holders of `*` alone; ciphertext is for nobody.
            names = {"set": sorted(payload.sealed), "removed": list(payload.removed)}
            return names if self._sees_grants else {}
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
        if isinstance(payload, FilesLent) and not self._sees_grants:
            # Who copies what he may read is not the business of all others who may.
            data.pop("borrower")
        tree = data.pop("tree", None)
        if tree is not None:
            data["file_count"], data["size_bytes"] = tree["file_count"], tree["size_bytes"]
        for hidden in ("prefix", "base", "file", "stage_id", "upload_id", "store_upload_id"):
            data.pop(hidden, None)
        return data

    def _config(self, config: JsonObject) -> JsonObject:
        shown = visible_permissions(self._chain.viewer, self._chain.nodes, config.get("permissions"))
        return {**config, "permissions": shown}

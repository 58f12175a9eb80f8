"""What the keys of stored objects say: who wrote an object, and what has to name it so that it stays."""

import re
from uuid import UUID

import msgspec

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_STAGED = re.compile(rf"{_UUID}/v[0-9]+-({_UUID})/.+")
_PAYLOAD = re.compile(rf"{_UUID}/events/({_UUID})/.+")
_DERIVED = re.compile(rf"{_UUID}/zip-index/(.+)/[^/]+/[^/]+")


class StagedObject(msgspec.Struct, frozen=True):
    """An upload or a part of a file tree: written while the stage was open, and kept by what names it since."""

    stage_id: UUID


class PayloadObject(msgspec.Struct, frozen=True):
    """A payload of an event, which is kept as long as the log has the event."""

    event_id: UUID


class DerivedObject(msgspec.Struct, frozen=True):
    """What was worked out from a file of the artifact, and is kept as long as that, wherever the file lies."""

    source_key: str
    stage_id: UUID | None


ObjectOrigin = StagedObject | PayloadObject | DerivedObject


def owner_of(key: str) -> UUID | None:
    """Give the artifact, or other stream, below whose id an object lies; None when it lies elsewhere."""
    first, slash, _ = key.partition("/")
    return UUID(first) if slash and re.fullmatch(_UUID, first) else None


def origin_of(key: str) -> ObjectOrigin | None:
    """Read a key; None when this program does not write such keys."""
    if found := _STAGED.fullmatch(key):
        return StagedObject(UUID(found[1]))
    if found := _PAYLOAD.fullmatch(key):
        return PayloadObject(UUID(found[1]))
    if found := _DERIVED.fullmatch(key):
        staged = _STAGED.fullmatch(found[1])
        return DerivedObject(found[1], UUID(staged[1]) if staged else None)
    return None

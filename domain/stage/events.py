"""Events of a stage's stream."""

from uuid import UUID

import msgspec

from domain.events import Event, event
from domain.trees import TreeRoot


class AnnouncedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A path that the caller will upload. `upload_id` stays the same while the path stays announced."""

    path: str
    upload_id: UUID
    weight_milli: int | None = None


class StoredFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An object that became a file: where it lies and what is known of it.

    `store` is the id of an endpoint and bucket, None for the service's own. `modified_at` is in microseconds.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at: int
    content_type: str | None = None
    crc32: int | None = None
    sha256: bytes | None = None
    version_id: str | None = None
    store: str | None = None


@event("stage.started")
class StageStarted(Event, frozen=True, kw_only=True):
    """A stage opened. `base` is the tree that it starts from; `prefix` is where its objects go."""

    artifact_id: UUID
    index: int
    prefix: str
    base: TreeRoot | None = None


@event("stage.base_changed")
class StageBaseChanged(Event, frozen=True, kw_only=True):
    """The intent changed, and with it the tree that the commit starts from. Uploads stay."""

    index: int
    base: TreeRoot | None = None


@event("stage.files_announced")
class FilesAnnounced(Event, frozen=True, kw_only=True):
    """One call announced these paths, in the order given."""

    files: tuple[AnnouncedFile, ...]


@event("stage.file_uploaded")
class FileUploaded(Event, frozen=True, kw_only=True):
    """The bytes of a path are stored durably. `weight_milli` is set when the upload itself gave one."""

    path: str
    upload_id: UUID
    file: StoredFile
    weight_milli: int | None = None


@event("stage.multipart_started")
class MultipartStarted(Event, frozen=True, kw_only=True):
    """A path will be uploaded in parts. A `stage.file_uploaded` with the same `upload_id` completes it.

    `store_upload_id` is the object store's own id of it; `store` is that of a file. `expires_at` is in microseconds.
    """

    upload_id: UUID
    path: str
    store_upload_id: str
    part_count: int
    weight_milli: int
    expires_at: int
    store: str | None = None


@event("stage.multipart_abandoned")
class MultipartAbandoned(Event, frozen=True, kw_only=True):
    """An upload in parts ended without a file. `reason` is "expired", "replaced" or "removed"."""

    upload_id: UUID
    reason: str


@event("stage.file_removed")
class FileRemoved(Event, frozen=True, kw_only=True):
    """A path left the stage, or (`is_marked`) a committed path is marked to go at commit."""

    path: str
    is_marked: bool


@event("stage.ended")
class StageEnded(Event, frozen=True, kw_only=True):
    """The stage was committed, discarded or deleted; nothing can be added to it any more."""

    outcome: str

"""Decisions about uploads in parts."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.artifact.chain import Chain
from domain.errors import (
    InvalidArgumentError,
    InvalidStateError,
    PermissionDeniedError,
    TooLargeError,
    UploadSessionError,
)
from domain.events import Emit, Event, Outcome
from domain.ids import stage_key
from domain.stage.decisions import REPLACED, check_placement, ended_uploads, outcome_of, require_open, require_put
from domain.stage.events import FileUploaded, MultipartAbandoned, MultipartStarted, StoredFile
from domain.stage.state import OpenUpload, Stage

MAX_PARTS = 10_000
MIN_PART_BYTES = 5 * 1024 * 1024
"""The least size of every part but the last, as in S3."""
MAX_PART_BYTES = 5 * 1024**3
MAX_OPEN_UPLOADS = 1_000
"""Uploads in parts that may be open in one stage."""
GRACE_SECONDS = 86_400
"""So long after its expiry an upload can still be resumed and completed; then it is abandoned."""
EXPIRED = "expired"

_MICROSECONDS = 1_000_000
_SHOWN_NUMBERS = 10
_REFUSED = "Failed to complete multipart upload: "


class Part(NamedTuple):
    """A part as the caller names it; the ETag is bare."""

    part_number: int
    etag: str


class UploadedPart(Protocol):
    """A part that is in the store."""

    @property
    def part_number(self) -> int: ...  # noqa: D102

    @property
    def size_bytes(self) -> int: ...  # noqa: D102

    @property
    def etag(self) -> str: ...  # noqa: D102


def is_over(upload: OpenUpload, now: int) -> bool:
    """Tell whether an upload has expired, and its grace is over too."""
    return now >= ends_at(upload)


def ends_at(upload: OpenUpload) -> int:
    """Say until when an upload takes parts and can be completed, in microseconds."""
    return upload.expires_at + GRACE_SECONDS * _MICROSECONDS


def decide_start(chain: Chain, stage: Stage | None, started: MultipartStarted) -> Outcome:
    """Begin an upload in parts. An open one of the same path ends; the last weight wins.

    Raises:
        PermissionDeniedError: The caller may not put files here.
        InvalidStateError: Nothing is staged, or too many uploads are open.
        InvalidPathError: The path would be a file and a directory at once.
    """
    require_put(chain, [started.path])
    stage = require_open(chain, stage)
    check_placement(stage, [started.path])
    ended = ended_uploads(stage, {started.path}, REPLACED)
    if len(stage.uploads) - len(ended) >= MAX_OPEN_UPLOADS:
        raise InvalidStateError(
            f"The stage has {len(stage.uploads)} open multipart uploads, which is the limit; complete or remove some."
        )
    return outcome_of(chain, stage, *ended, started)


def require_upload(chain: Chain, stage: Stage | None, upload_id: UUID, now: int) -> OpenUpload:
    """Give an open upload to one who may put its path.

    Raises:
        PermissionDeniedError: The caller may not put files here.
        UploadSessionError: There is no such upload in the open stage, or its time is over.
    """
    require_put(chain, ())
    upload = stage.uploads.get(upload_id) if stage is not None else None
    if upload is None or is_over(upload, now):
        raise UploadSessionError
    require_put(chain, [upload.path])
    return upload


def require_part_taken(stage: Stage | None, upload_id: UUID, part_number: int) -> OpenUpload:
    """Give the open upload that a signed part URL belongs to.

    Raises:
        PermissionDeniedError: The upload is over, or never had so many parts.
    """
    upload = stage.uploads.get(upload_id) if stage is not None else None
    if upload is None or not 1 <= part_number <= upload.part_count:
        raise PermissionDeniedError("The upload URL is no longer valid: its multipart upload is over.")
    return upload


def is_completed(chain: Chain, stage: Stage | None, upload_id: UUID, etag: str) -> bool:
    """Tell a caller who may put its path whether an upload was completed to a file of this ETag, which is still there.

    Raises:
        PermissionDeniedError: The caller may not put files here.
    """
    require_put(chain, ())
    path = stage.completed.get(upload_id) if stage is not None else None
    if stage is None or path is None:
        return False
    require_put(chain, [path])
    file = stage.files[path].file
    return file is not None and file.etag == etag


def check_parts(
    upload: OpenUpload, given: Sequence[Part], stored: Sequence[UploadedPart], limit_bytes: int | None
) -> list[Part]:
    """Check the parts that a caller names against those that were uploaded, and give them by number.

    Raises:
        InvalidArgumentError: A part is missing, is there twice, does not belong to the upload, has another ETag, or is
            smaller than `MIN_PART_BYTES` without being the last. The text names its number.
        TooLargeError: All together are larger than `limit_bytes`.
    """
    parts = sorted(given)
    numbers = [part.part_number for part in parts]
    found = {part.part_number: part for part in stored}
    expected = range(1, upload.part_count + 1)
    _refuse({number for number in numbers if number not in expected}, f"not of this upload, which has {len(expected)}")
    _refuse({one for one, other in pairwise(numbers) if one == other}, "given more than once")
    _refuse(set(expected) - set(numbers), f"missing; the upload was started with {len(expected)}")
    _refuse(set(numbers) - set(found), "not uploaded yet")
    _refuse({part.part_number for part in parts if found[part.part_number].etag != part.etag}, "of another ETag")
    small = {number for number in numbers[:-1] if found[number].size_bytes < MIN_PART_BYTES}
    _refuse(small, f"smaller than {MIN_PART_BYTES} bytes (5 MiB), which only the last may be")
    if limit_bytes is not None and sum(part.size_bytes for part in found.values()) > limit_bytes:
        raise TooLargeError(f"The file is larger than {limit_bytes} bytes.")
    return parts


def _refuse(numbers: set[int], reason: str) -> None:
    if numbers:
        shown = ", ".join(map(str, sorted(numbers)[:_SHOWN_NUMBERS]))
        others = f" and {len(numbers) - _SHOWN_NUMBERS} more" if len(numbers) > _SHOWN_NUMBERS else ""
        raise InvalidArgumentError(f"{_REFUSED}parts {shown}{others} are {reason}.")


def decide_complete(chain: Chain, stage: Stage | None, upload_id: UUID, file: StoredFile, now: int) -> Outcome:
    """Make the object that was made of the parts the file of its path. Doing it again changes nothing.

    `now` is when the completion began, because making a large object of its parts takes a while.

    Raises:
        PermissionDeniedError: The caller may not put files here.
        UploadSessionError: There is no such upload in the open stage.
    """
    if is_completed(chain, stage, upload_id, file.etag):
        return Outcome()
    upload = require_upload(chain, stage, upload_id, now)
    stage = require_open(chain, stage)
    return outcome_of(chain, stage, FileUploaded(path=upload.path, upload_id=upload_id, file=file))


def decide_expire_upload(stage: Stage | None, upload_id: UUID, workspace: str, now: int) -> Outcome:
    """Abandon an upload whose time is over; one that is not open, or still has time, stays as it is."""
    upload = stage.uploads.get(upload_id) if stage is not None else None
    if stage is None or upload is None or not is_over(upload, now):
        return Outcome()
    abandoned: Event = MultipartAbandoned(upload_id=upload_id, reason=EXPIRED)
    emit = Emit(key=stage_key(stage.id), event=abandoned, workspace=workspace, artifact_id=stage.artifact_id)
    return Outcome(events=(emit,))

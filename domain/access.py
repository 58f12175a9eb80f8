"""Accesses: every view and download, what resets their counters, and what each of them does to the counts.

They have a log of their own. Their streams are never folded: counts are a read model.
"""

from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain.events import Event, event

FILES_BYTES_LIMIT = 480 * 1024
"""The encoded files of one event. Together with its other fields an event stays under 512 KiB."""

_ENCODER = msgspec.json.Encoder()


class AccessKind(StrEnum):
    """How an artifact or its files were reached."""

    VIEW = "view"
    URL = "url"
    FILE = "file"
    ZIP = "zip"
    ZIP_MEMBER = "zip-member"
    READ_FILE = "read_file"
    GIT = "git"
    LFS = "lfs"
    SITE = "site"


class AccessedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a call, and what it adds to the download count, in thousandths."""

    path: str
    weight_milli: int = 0


@event("access.viewed")
class ArtifactViewed(Event, frozen=True, kw_only=True):
    """An artifact's record or site was seen. Silent ones are events too, with `is_counted` false.

    `path` is the file of the artifact that a site showed.
    """

    artifact_id: UUID
    kind: AccessKind = AccessKind.VIEW
    version: str | None = None
    is_counted: bool = True
    path: str | None = None


@event("access.downloaded")
class FilesDownloaded(Event, frozen=True, kw_only=True):
    """One call gave out these files, or URLs for them. Silent ones are events too, with `is_counted` false.

    `weight_milli` is what the call adds to the download count. A call with more files than one event holds is several
    events with one correlation id, of which the first carries the whole weight and the others 0. `is_whole` says that
    all files of the version were given out; `files` then names only those that have a weight.
    """

    artifact_id: UUID
    kind: AccessKind
    version: str | None = None
    files: tuple[AccessedFile, ...] = ()
    weight_milli: int = 0
    is_counted: bool = True
    is_whole: bool = False


@event("access.stats_reset")
class StatsReset(Event, frozen=True, kw_only=True):
    """Both counters of an artifact went back to zero."""

    artifact_id: UUID


class Counts(NamedTuple):
    """Views, and downloads in thousandths of the weight."""

    views: int = 0
    downloads_milli: int = 0


class CountChange(NamedTuple):
    """What one or several accesses in a row do to an artifact's counts: first the reset, then the additions."""

    views: int = 0
    downloads_milli: int = 0
    is_reset: bool = False

    def then(self, later: "CountChange") -> "CountChange":
        """Join with the change that follows."""
        if later.is_reset:
            return later
        return CountChange(
            self.views + later.views, self.downloads_milli + later.downloads_milli, is_reset=self.is_reset
        )

    def on(self, counts: Counts) -> Counts:
        """Apply to counts."""
        if self.is_reset:
            return Counts(self.views, self.downloads_milli)
        return Counts(counts.views + self.views, counts.downloads_milli + self.downloads_milli)


def change_of(payload: Event) -> tuple[UUID, CountChange] | None:
    """Tell what an event of the access log does to whose counts; None when it changes none."""
    match payload:
        case ArtifactViewed(is_counted=True):
            return payload.artifact_id, CountChange(views=1)
        case FilesDownloaded(is_counted=True) if payload.weight_milli:
            return payload.artifact_id, CountChange(downloads_milli=payload.weight_milli)
        case StatsReset():
            return payload.artifact_id, CountChange(is_reset=True)
        case _:
            return None


def divide_files(
    files: tuple[AccessedFile, ...], limit_bytes: int = FILES_BYTES_LIMIT
) -> tuple[tuple[AccessedFile, ...], ...]:
    """Divide the files of a call so that each part fits into an event; one empty part when there are none.

    A single file always fits, for a path has at most 1,024 bytes.
    """
    if len(files) < 2 or len(_ENCODER.encode(files)) <= limit_bytes:
        return (files,)
    middle = len(files) // 2
    return divide_files(files[:middle], limit_bytes) + divide_files(files[middle:], limit_bytes)

"""Accesses: every view and download, and what resets their counters. They have a log of their own."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.events import Event, event


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
    """An artifact's record or site was seen. Silent ones are events too, with `is_counted` false."""

    artifact_id: UUID
    kind: AccessKind = AccessKind.VIEW
    version: str | None = None
    is_counted: bool = True


@event("access.downloaded")
class FilesDownloaded(Event, frozen=True, kw_only=True):
    """One call gave out these files, or URLs for them. Silent ones are events too, with `is_counted` false."""

    artifact_id: UUID
    kind: AccessKind
    version: str | None = None
    files: tuple[AccessedFile, ...] = ()
    weight_milli: int = 0
    is_counted: bool = True


@event("access.stats_reset")
class StatsReset(Event, frozen=True, kw_only=True):
    """Both counters of an artifact went back to zero."""

    artifact_id: UUID

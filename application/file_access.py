"""Opens files for transports that send their bytes themselves."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from application.content_types import guess
from application.context import CallContext
from application.queries.files import download_url, record_download
from application.services import Services
from application.versions import Files, find_files, open_files
from domain.access import AccessKind
from domain.paths import parse_path
from domain.permissions import Operation
from domain.stage.events import StoredFile


class OpenFile(NamedTuple):
    """A file that the caller may have: what is known of it, and how to get at its bytes."""

    services: Services
    files: Files
    path: str
    file: StoredFile

    @property
    def content_type(self) -> str:
        """The media type that the file is sent with."""
        return self.file.content_type or guess(self.path)

    @property
    def etag(self) -> str:
        """The bare entity tag."""
        return self.file.etag

    @property
    def size_bytes(self) -> int:
        """The size of the whole file."""
        return self.file.size_bytes

    @property
    def modified_at(self) -> int:
        """When it was stored, in microseconds since the epoch."""
        return self.file.modified_at

    def stream(self, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes in chunks."""
        return self.services.stores.at(self.file.store).stream(self.file.key, start=start, length=length)

    async def record(self, context: CallContext, kind: AccessKind, *, is_counted: bool) -> None:
        """Record the download, durably; to be done before the first byte or the URL leaves."""
        await record_download(self.services, context, self.files, [self.path], kind, is_counted=is_counted)

    def url(self, *, expires_in_seconds: float, use_local_url: bool | str) -> str:
        """Make a signed URL for the bytes."""
        return download_url(
            self.services, self.path, self.file, expires_in_seconds=expires_in_seconds, use_local_url=use_local_url
        )


async def open_file(
    services: Services,
    context: CallContext,
    artifact_id: str,
    path: str,
    *,
    version: str | int | None = None,
    stage: bool = False,
) -> OpenFile:
    """Find a file that the caller may download. Nothing is recorded yet.

    Raises:
        PermissionDeniedError: The caller may not download from it.
        FileMissingError: There is no such file.
        VersionNotFoundError: There is no such version.
    """
    parsed = parse_path(path)
    files = await open_files(services, context, artifact_id, version, stage, Operation.GET_FILE, [parsed])
    found = await find_files(services, files, [parsed])
    return OpenFile(services, files, parsed, found[parsed])

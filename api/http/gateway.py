"""What HTTP needs of the application, handed in by the bootstrap."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from api.http.bodies import BodyReader
from api.http.file_response import SendableFile
from application.commands.files import Received
from application.context import CallContext
from application.methods import Method
from application.ports.object_store import StoredPart
from application.settings import Settings
from domain.access import AccessKind
from domain.actor import Actor

ARTIFACT_MANAGER = "artifact-manager"
WORKSPACE_MANAGER = "ws"


class Authenticate(Protocol):
    """Tells who calls, with the same verdict whichever way the token arrived."""

    async def __call__(self, authorization: str | None, cookie_token: str | None, query_token: str | None) -> Actor:
        """Check the token; nothing given is the anonymous caller.

        Raises:
            UnauthenticatedError: The token is malformed, expired, revoked or signed by somebody else.
        """
        ...


class OpenFile(SendableFile, Protocol):
    """A file that the caller may have; nothing is recorded until `record` is called."""

    async def record(self, context: CallContext, kind: AccessKind, *, is_counted: bool) -> None:
        """Record the download, durably; to be done before the first byte or the URL leaves."""
        ...

    def url(self, *, expires_in_seconds: float, use_local_url: bool | str) -> str:
        """Make a signed URL for the bytes."""
        ...


class FileAccess(Protocol):
    """Opens and receives files, after checking rights."""

    async def open_file(
        self, context: CallContext, artifact_id: str, path: str, *, version: str | int | None, stage: bool
    ) -> OpenFile:
        """Open a file of an artifact for a caller.

        Raises:
            PermissionDeniedError: The caller may not download from it.
            FileMissingError: There is no such file.
            VersionNotFoundError: There is no such version.
        """
        ...

    async def receive_upload(
        self,
        context: CallContext,
        artifact_id: str,
        path: str,
        chunks: AsyncIterator[bytes],
        *,
        size_bytes: int | None,
        download_weight: float | None,
    ) -> Received:
        """Take a file into the open stage of an artifact; a weight of None leaves the path's weight as it is.

        Raises:
            PermissionDeniedError: The caller may not upload to it.
            InvalidStateError: The artifact has no open stage.
            TooLargeError: The file is larger than the limit.
        """
        ...

    async def open_signed(self, key: str, query: Mapping[str, str]) -> SendableFile:
        """Open the object that a signed URL names to GET or HEAD.

        Raises:
            PermissionDeniedError: The URL is not signed by this service, is expired, or is for something else.
        """
        ...

    async def receive_signed(
        self,
        key: str,
        query: Mapping[str, str],
        chunks: AsyncIterator[bytes],
        *,
        size_bytes: int | None,
        correlation_id: str,
    ) -> Received:
        """Take the upload that a signed PUT URL allows.

        Raises:
            PermissionDeniedError: As for `open_signed`, or the stage is closed.
        """
        ...

    async def receive_signed_part(
        self, key: str, query: Mapping[str, str], chunks: AsyncIterator[bytes], *, size_bytes: int | None
    ) -> StoredPart:
        """Take the part that a signed PUT URL allows.

        Raises:
            PermissionDeniedError: As for `open_signed`, or the upload in parts is over.
        """
        ...


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the service can answer; `detail` says it of each part, the lag of every projection in events."""

    is_ready: bool
    detail: Mapping[str, Any]


class Gateway:
    """The application as HTTP sees it.

    `services` maps the id of a service to its methods; `application` is what their handlers take first.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        application: Any,  # noqa: ANN401 - Each bootstrap and test has services of its own.
        services: Mapping[str, Mapping[str, Method]],
        authenticate: Authenticate,
        files: FileAccess,
        readiness: Callable[[], Awaitable[Readiness]],
    ) -> None:
        self.settings = settings
        self.application = application
        self.services = services
        self.authenticate = authenticate
        self.files = files
        self.readiness = readiness
        self.bodies = BodyReader(settings)

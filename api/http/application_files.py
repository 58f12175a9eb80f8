"""Connects the addresses of files to the application."""

from collections.abc import AsyncIterator, Mapping

from api.http.file_response import SendableFile
from application import file_access
from application.commands.files import Received, receive_signed_upload, receive_upload
from application.commands.multipart import receive_signed_part
from application.content_types import guess
from application.context import CallContext
from application.ports.object_store import StoredPart
from application.services import Services
from application.signed_urls import ReadClaims


class SignedFile:
    """An object as its signed URL describes it; nothing else is looked up."""

    def __init__(self, services: Services, key: str, claims: ReadClaims) -> None:
        self._services = services
        self._key = key
        self._store = claims.store
        self.path = claims.path
        self.content_type = claims.content_type or guess(claims.path)
        self.etag = claims.etag
        self.size_bytes = claims.size_bytes
        self.modified_at = claims.modified_at or 0

    def stream(self, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Give a part of the bytes in chunks of bounded size."""
        return self._services.stores.at(self._store).stream(self._key, start=start, length=length)


class ApplicationFiles:
    """Opens and receives files with the application's own checks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def open_file(
        self, context: CallContext, artifact_id: str, path: str, *, version: str | int | None, stage: bool
    ) -> file_access.OpenFile:
        """Open a file of an artifact for a caller."""
        return await file_access.open_file(self._services, context, artifact_id, path, version=version, stage=stage)

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
        """Take a file into the open stage of an artifact."""
        return await receive_upload(self._services, context, artifact_id, path, chunks, size_bytes, download_weight)

    async def open_signed(self, key: str, query: Mapping[str, str]) -> SendableFile:
        """Open the object that a signed URL names."""
        return SignedFile(self._services, key, self._services.urls.verify_get(key, query))

    async def receive_signed(
        self,
        key: str,
        query: Mapping[str, str],
        chunks: AsyncIterator[bytes],
        *,
        size_bytes: int | None,
        correlation_id: str,
    ) -> Received:
        """Take the upload that a signed PUT URL allows."""
        claims = self._services.urls.verify_put(key, query)
        return await receive_signed_upload(self._services, claims, correlation_id, chunks, size_bytes)

    async def receive_signed_part(
        self, key: str, query: Mapping[str, str], chunks: AsyncIterator[bytes], *, size_bytes: int | None
    ) -> StoredPart:
        """Take the part that a signed PUT URL allows."""
        claims = self._services.urls.verify_part(key, query)
        return await receive_signed_part(self._services, claims, key, chunks, size_bytes)

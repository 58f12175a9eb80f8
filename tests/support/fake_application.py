"""A small application in memory, so that the HTTP side can be tested alone: it answers what it was asked."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from api.http.gateway import ARTIFACT_MANAGER, WORKSPACE_MANAGER, Gateway, Readiness
from application import parameters
from application.commands.files import Received
from application.context import CallContext, Reply
from application.methods import Command, Method
from application.ports.object_store import StoredPart
from application.settings import Settings
from domain import errors
from domain.access import AccessKind
from domain.actor import ANONYMOUS, Actor, WorkspaceRight
from domain.ids import Position
from domain.permissions import Operation
from domain.stage.events import StoredFile

MODIFIED_AT = 1_700_000_000_123_456


@dataclass
class FakeFile:
    path: str
    data: bytes
    content_type: str = "text/plain"
    modified_at: int = MODIFIED_AT
    promised_bytes: int | None = None
    chunk: int = 7
    records: list[tuple[AccessKind, bool]] = field(default_factory=list)

    @property
    def etag(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @property
    def size_bytes(self) -> int:
        return len(self.data) if self.promised_bytes is None else self.promised_bytes

    async def stream(self, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        end = len(self.data) if length is None else start + length
        for offset in range(start, min(end, len(self.data)), self.chunk):
            yield self.data[offset : min(offset + self.chunk, end)]

    async def record(self, context: CallContext, kind: AccessKind, *, is_counted: bool) -> None:
        self.records.append((kind, is_counted))

    def url(self, *, expires_in_seconds: float, use_local_url: bool | str) -> str:
        query = urlencode({"path": self.path, "expires": expires_in_seconds, "local": use_local_url})
        return f"http://files.test/s3/key?{query}"


@dataclass
class FakeFiles:
    files: dict[str, FakeFile] = field(default_factory=dict)
    uploads: list[dict[str, Any]] = field(default_factory=list)
    most_bytes: int = 1000

    async def open_file(
        self, context: CallContext, artifact_id: str, path: str, *, version: str | int | None, stage: bool
    ) -> FakeFile:
        if context.actor.is_anonymous and artifact_id.endswith("private"):
            raise errors.PermissionDeniedError("Permission denied: get_file")
        if path not in self.files:
            raise errors.FileMissingError(f"File '{path}' does not exist in the artifact.")
        return self.files[path]

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
        data = await self._read(chunks)
        self.uploads.append({"id": artifact_id, "path": path, "size": size_bytes, "weight": download_weight})
        return Received(self._store(path, data), Position(7))

    async def open_signed(self, key: str, query: Mapping[str, str]) -> FakeFile:
        self._check(query)
        return self.files[key]

    async def receive_signed(
        self,
        key: str,
        query: Mapping[str, str],
        chunks: AsyncIterator[bytes],
        *,
        size_bytes: int | None,
        correlation_id: str,
    ) -> Received:
        self._check(query)
        return Received(self._store(key, await self._read(chunks)), Position(7))

    async def receive_signed_part(
        self, key: str, query: Mapping[str, str], chunks: AsyncIterator[bytes], *, size_bytes: int | None
    ) -> StoredPart:
        self._check(query)
        data = await self._read(chunks)
        number = int(query["partNumber"])
        etag = self._store(f"{key}.{number}", data).etag
        return StoredPart(part_number=number, size_bytes=len(data), etag=etag, modified_at=MODIFIED_AT)

    async def _read(self, chunks: AsyncIterator[bytes]) -> bytes:
        data = bytearray()
        async for chunk in chunks:
            data += chunk
            if len(data) > self.most_bytes:
                raise errors.TooLargeError(f"The file is larger than {self.most_bytes} bytes")
        return bytes(data)

    def _check(self, query: Mapping[str, str]) -> None:
        if query.get("signature") != "good":
            raise errors.PermissionDeniedError("The signature of the URL does not match")

    def _store(self, path: str, data: bytes) -> StoredFile:
        self.files[path] = FakeFile(path, data, chunk=65536)
        return StoredFile(key="k", size_bytes=len(data), etag=self.files[path].etag, modified_at=MODIFIED_AT)


class Fail(Command, frozen=True, forbid_unknown_fields=True):
    """Raise the error of a name."""

    error: str
    detail: str = "it's wrong"


class Echo(Command, frozen=True, forbid_unknown_fields=True):
    """Answer the value."""

    value: Any = None


async def _report(application: "FakeApplication", context: CallContext, given: Any) -> Reply:
    """Answer what was asked; the permission is decided by the test."""
    return Reply(
        {
            "method": type(given).__name__,
            "workspace": context.workspace,
            "user": context.actor.user_id,
            "consistency": context.consistency,
            "min_position": context.min_position,
            "request_id": context.correlation_id,
            "parameters": given,
        }
    )


async def _change(application: "FakeApplication", context: CallContext, given: Any) -> Reply:
    """Answer as a command; the permission is decided by the test."""
    return Reply(msgspec.Raw(b'{"changed":true,"url":"http://a/b?c=1&d=2"}'), Position(42))


async def _list_files(application: "FakeApplication", context: CallContext, given: parameters.ListFiles) -> Reply:
    """List the files of the fake."""
    prefix = (given.dir_path or "").strip("/")
    return Reply([{"name": path} for path in sorted(application.files.files) if path.startswith(prefix)])


async def _fail(application: "FakeApplication", context: CallContext, given: Fail) -> Reply:
    """Raise what is asked for; the permission is decided by the test."""
    kind = getattr(errors, given.error, None)
    raise kind(given.detail) if kind else RuntimeError(f"secret of {given.detail}")


async def _wait(application: "FakeApplication", context: CallContext, given: Any) -> Reply:
    """Answer when the test says so; the permission is decided by the test."""
    application.arrived.release()
    await application.release.wait()
    return Reply(None)


async def _echo(application: "FakeApplication", context: CallContext, given: Echo) -> Reply:
    """Answer the value; the permission is decided by the test."""
    return Reply(given.value)


def _method(name: str, kind: type[Command], handler: Any = _report, **options: Any) -> Method:
    return Method(name=name, parameters=kind, handler=handler, **{"changes_state": False, **options})


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _method("list", parameters.List, operation=Operation.LIST, ignored=("context", "no_cache")),
        _method("search", parameters.Search, operation=Operation.LIST),
        _method("read", parameters.Read, operation=Operation.READ),
        _method("history", parameters.History, operation=Operation.READ),
        _method("versions", parameters.Versions, operation=Operation.READ),
        _method("get_file", parameters.GetFile, operation=Operation.GET_FILE),
        _method("put_file", parameters.PutFile, operation=Operation.PUT_FILE, ignored=("context", "version")),
        _method("put_file_start_multipart", parameters.PutFileStartMultipart, operation=Operation.PUT_FILE),
        _method("put_file_complete_multipart", parameters.PutFileCompleteMultipart, operation=Operation.PUT_FILE),
        _method("list_multipart_uploads", parameters.ListMultipartUploads, operation=Operation.PUT_FILE),
        _method("list_multipart_parts", parameters.ListMultipartParts, operation=Operation.PUT_FILE),
        _method("list_files", parameters.ListFiles, _list_files, operation=Operation.LIST_FILES),
        _method("remove_file", parameters.RemoveFile, operation=Operation.REMOVE_FILE, changes_state=True),
        _method("edit", parameters.Edit, _change, operation=Operation.EDIT, changes_state=True),
        _method("fail", Fail, _fail, changes_state=True),
        _method("echo", Echo, _echo),
        _method("wait", Echo, _wait),
    )
}
WORKSPACE_METHODS: Mapping[str, Method] = {"echo": METHODS["echo"], "wait": METHODS["wait"]}

ALICE = Actor(
    user_id="alice",
    rights={"ws-user-alice": WorkspaceRight.ADMIN},
    current_workspace="ws-user-alice",
)
BOT = Actor(user_id="bot", is_generated=True, on_behalf_of="alice", current_workspace="lab")
_ACTORS = {"alice-token": ALICE, "bot-token": BOT}


async def _authenticate(authorization: str | None, cookie_token: str | None, query_token: str | None) -> Actor:
    token = query_token or (authorization.removeprefix("Bearer ") if authorization else cookie_token)
    if token is None:
        return ANONYMOUS
    if token not in _ACTORS:
        raise errors.UnauthenticatedError("The token is not valid")
    return _ACTORS[token]


@dataclass
class FakeApplication:
    settings: Settings = field(default_factory=Settings)
    files: FakeFiles = field(default_factory=FakeFiles)
    is_ready: bool = True
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def readiness(self) -> Readiness:
        return Readiness(is_ready=self.is_ready, detail={"projections": {"catalog": {"lag": 0}}})

    def gateway(self) -> Gateway:
        return Gateway(
            settings=self.settings,
            application=self,
            services={ARTIFACT_MANAGER: METHODS, WORKSPACE_MANAGER: WORKSPACE_METHODS},
            authenticate=_authenticate,
            files=self.files,
            readiness=self.readiness,
        )

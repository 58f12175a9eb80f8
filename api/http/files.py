"""`/{workspace}/artifacts/{alias}/files/{path}`: download, list, upload and remove files."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from api.binding import bind, bind_query
from api.http.calls import answer_reply, call
from api.http.exchange import Exchange
from api.http.file_response import send_file
from api.http.gateway import ARTIFACT_MANAGER, Gateway
from api.http.identity import CONTEXT_FIELDS, open_context
from api.http.resources import artifact_id_of
from application.commands.files import Received
from application.context import CallContext
from application.methods import Command, Method
from application.parameters import MAX_OFFSET, ExpiresIn, UseLocalUrl, UseProxy, Version, Weight
from application.signed_urls import parse_base_url
from domain.access import AccessKind
from domain.errors import FileMissingError, InvalidArgumentError

_UNREAD = CONTEXT_FIELDS | {"token"}
_UPLOADED = {"success": True, "message": "File uploaded successfully"}


class FileQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query of a download says. `limit` and `offset` are for listings."""

    silent: bool = False
    version: Version = None
    stage: bool = False
    use_proxy: UseProxy = None
    use_local_url: UseLocalUrl = False
    expires_in: ExpiresIn = 3600
    include_pending: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    offset: Annotated[int, msgspec.Meta(ge=0, le=MAX_OFFSET)] = 0


class UploadQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query of an upload says. The bytes go through the service whatever `use_proxy` says."""

    download_weight: Weight | None = None
    use_proxy: UseProxy = None
    use_local_url: UseLocalUrl = False
    expires_in: ExpiresIn = 3600


class RemovalQuery(Command, frozen=True, forbid_unknown_fields=True):
    """The query of a removal is empty."""


async def answer_file_request(gateway: Gateway, exchange: Exchange, parts: list[str]) -> None:
    """Answer a request for a file or a directory of an artifact."""
    _, workspace, _, alias, _, *rest = parts
    path = rest[0] if rest else ""
    query = exchange.query_fields()
    context = await open_context(gateway, exchange, workspace, query)
    given = {name: texts for name, texts in query.items() if name not in _UNREAD}
    artifact_id = artifact_id_of(workspace, alias)
    match exchange.method:
        case "PUT":
            await _upload(gateway, exchange, context, artifact_id, path, given)
        case "DELETE":
            bind_query("DELETE file", RemovalQuery, given)
            removal = _method(gateway, "remove_file")
            parameters = bind(removal, {"artifact_id": artifact_id, "file_path": path})
            await answer_reply(exchange, await call(gateway, exchange, context, removal, parameters))
        case _:
            asked = bind_query("GET file", FileQuery, given)
            _check_base(asked.use_local_url)
            if not path or path.endswith("/"):
                await _list(gateway, exchange, context, artifact_id, path, asked)
            else:
                await _download(gateway, exchange, context, artifact_id, path, asked)


async def _download(
    gateway: Gateway, exchange: Exchange, context: CallContext, artifact_id: str, path: str, asked: FileQuery
) -> None:
    file = await gateway.files.open_file(context, artifact_id, path, version=asked.version, stage=asked.stage)
    proxied = gateway.settings.s3_proxy if asked.use_proxy is None else asked.use_proxy
    if proxied or exchange.method == "HEAD":

        async def record() -> None:
            await file.record(context, AccessKind.FILE, is_counted=not asked.silent)

        await send_file(exchange, file, gateway.settings.stalled_seconds, record)
        return
    url = file.url(expires_in_seconds=asked.expires_in, use_local_url=asked.use_local_url)
    await file.record(context, AccessKind.URL, is_counted=not asked.silent)
    headers = ((b"location", url.encode()), (b"cache-control", b"no-store"))
    await exchange.respond(307, content_type=None, headers=headers)


async def _list(
    gateway: Gateway, exchange: Exchange, context: CallContext, artifact_id: str, path: str, asked: FileQuery
) -> None:
    method = _method(gateway, "list_files")
    arguments = {name: getattr(asked, name) for name in ("version", "stage", "include_pending", "limit", "offset")}
    reply = await call(
        gateway, exchange, context, method, bind(method, {**arguments, "artifact_id": artifact_id, "dir_path": path})
    )
    if path and asked.offset == 0 and not reply.body:
        raise FileMissingError("File or directory not found")
    await answer_reply(exchange, reply)


async def _upload(
    gateway: Gateway,
    exchange: Exchange,
    context: CallContext,
    artifact_id: str,
    path: str,
    given: Mapping[str, Sequence[str]],
) -> None:
    asked = bind_query("PUT file", UploadQuery, given)
    _check_base(asked.use_local_url)
    exchange.changes_state = True
    stored = await gateway.files.receive_upload(
        context,
        artifact_id,
        path,
        exchange.chunks(gateway.settings.stalled_seconds),
        size_bytes=declared_size(exchange),
        download_weight=asked.download_weight,
    )
    await exchange.respond(200, msgspec.json.encode(_UPLOADED), headers=upload_headers(stored))


def _check_base(use_local_url: bool | str) -> None:
    """Refuse a base of URLs that is none, also where no URL is made in the end."""
    if isinstance(use_local_url, str):
        parse_base_url(use_local_url)


def upload_headers(received: Received) -> tuple[tuple[bytes, bytes], ...]:
    """Tell the entity tag of an uploaded file, and the position of its event."""
    return (
        (b"etag", f'"{received.file.etag}"'.encode()),
        (b"x-event-position", b"%d" % received.position),
    )


def declared_size(exchange: Exchange) -> int | None:
    """Give the declared size of a body; None when it comes in chunks of unknown number.

    Raises:
        InvalidArgumentError: The declared size is no number.
    """
    text = exchange.header(b"content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidArgumentError("Content-Length is not a number")
    return int(text)


def _method(gateway: Gateway, name: str) -> Method:
    return gateway.services[ARTIFACT_MANAGER][name]

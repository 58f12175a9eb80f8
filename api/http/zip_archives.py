"""`/{workspace}/artifacts/{alias}/create-zip-file`: an artifact's files as one archive, made while it is sent."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog

from api.binding import bind_query
from api.http.departure import watched
from api.http.exchange import Exchange
from api.http.gateway import Gateway
from api.http.identity import CONTEXT_FIELDS, open_context
from api.http.resources import artifact_id_of
from application.context import CallContext
from application.methods import Command
from application.parameters import Version
from application.zips.archive import Archive, open_archive
from domain.errors import ArtifactManagerError

_CHOICES = ("file", "files")
_UNREAD = CONTEXT_FIELDS | {"token", *_CHOICES}

_log = structlog.get_logger()


class ArchiveQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query says. `file` may be repeated; `files` is another name of it. Without either all files go in."""

    file: list[str] | None = None
    files: list[str] | None = None
    version: Version = None
    stage: bool = False
    silent: bool = False


async def answer_archive_request(gateway: Gateway, exchange: Exchange, parts: list[str]) -> None:
    """Answer with an archive whose exact length is told before its first byte."""
    _, workspace, _, alias, _ = parts
    query = exchange.query_fields()
    context = await open_context(gateway, exchange, workspace, query)
    asked = bind_query(
        "create-zip-file", ArchiveQuery, {name: texts for name, texts in query.items() if name not in _UNREAD}
    )
    # Taken as they are written: any text, `null` and `[a]` too, may be the name of a file.
    paths = [text for name in _CHOICES for text in query.get(name, ()) if text]
    archive = await open_archive(
        gateway.application,
        context,
        artifact_id_of(workspace, alias),
        paths=paths,
        version=asked.version,
        stage=asked.stage,
    )
    if exchange.method == "HEAD":
        await _start(exchange, archive)
        await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})
    else:
        await _send(exchange, context, archive, gateway.settings.stalled_seconds, is_counted=not asked.silent)


async def _start(exchange: Exchange, archive: Archive) -> None:
    headers = [
        (b"content-type", b"application/zip"),
        (b"content-length", b"%d" % archive.size_bytes),
        (b"content-disposition", f'attachment; filename="{archive.name}"'.encode()),
        (b"accept-ranges", b"none"),
        (b"cache-control", b"private, no-store"),
    ]
    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send(
    exchange: Exchange, context: CallContext, archive: Archive, stalled_seconds: float, *, is_counted: bool
) -> None:
    """Send an archive, and record it once: complete before its last bytes leave, or else when it was given up.

    So nobody has a whole archive that was not counted, and nobody is counted who went away before its end.
    """
    await archive.require_room()
    is_recorded = False

    async def chunks() -> AsyncGenerator[bytes, None]:
        nonlocal is_recorded
        async with aclosing(archive.stream()) as stream:
            # The first chunk is read before the answer begins, so that an object that cannot be read is an error.
            first = await anext(stream, b"")
            await _start(exchange, archive)
            if first:
                yield first
            async for chunk in stream:
                departure.check()
                yield chunk
        departure.check()
        is_recorded = True
        await archive.record(context, is_complete=True, is_counted=is_counted)
        yield archive.end

    try:
        async with watched(exchange) as departure, aclosing(chunks()) as body:
            await exchange.stream(body, archive.size_bytes, stalled_seconds)
    except BaseException:
        if not is_recorded:
            await _record_aborted(exchange, context, archive, is_counted=is_counted)
        raise


async def _record_aborted(exchange: Exchange, context: CallContext, archive: Archive, *, is_counted: bool) -> None:
    try:
        await archive.record(context, is_complete=False, is_counted=is_counted)
    except ArtifactManagerError as error:
        # The archive has failed already, and that is what the caller is told; it adds nothing to any count.
        _log.warning("aborted_archive_not_recorded", request_id=exchange.request_id, reason=error.code)

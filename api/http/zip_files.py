"""`/{workspace}/artifacts/{alias}/zip-files/{zip}`: what is inside a ZIP archive that is a file of an artifact."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

import msgspec

from api.binding import bind_query
from api.http.exchange import JSON, Exchange
from api.http.file_response import send_file
from api.http.gateway import Gateway
from api.http.identity import CONTEXT_FIELDS, open_context
from api.http.resources import artifact_id_of
from application.file_access import open_file
from application.methods import Command
from application.parameters import MAX_OFFSET, Version
from application.services import Services
from application.zips.entries import Entry
from application.zips.indexes import ArchiveIndex
from application.zips.members import open_member
from domain.errors import FileMissingError, InvalidArgumentError
from domain.paths import parse_directory

_UNREAD = CONTEXT_FIELDS | {"token"}
_INSIDE = "/~/"
_PAGE_BYTES = 256 * 1024
_encode = msgspec.json.Encoder().encode


class ZipFileQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query says. `limit` and `offset` are for listings, which are whole without them."""

    path: str = ""
    version: Version = None
    stage: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    offset: Annotated[int, msgspec.Meta(ge=0, le=MAX_OFFSET)] = 0


async def answer_zip_file_request(gateway: Gateway, exchange: Exchange, parts: list[str]) -> None:
    """Answer with a member of an archive, or the list of a directory (an empty path, or one that ends with a slash)."""
    _, workspace, _, alias, _, rest = parts
    query = exchange.query_fields()
    context = await open_context(gateway, exchange, workspace, query)
    given = {name: texts for name, texts in query.items() if name not in _UNREAD}
    asked = bind_query("zip-files", ZipFileQuery, given)
    archive_path, inner = _divide(rest, asked, is_path_given="path" in query)
    services: Services = gateway.application
    try:
        archive = await open_file(
            services, context, artifact_id_of(workspace, alias), archive_path, version=asked.version, stage=asked.stage
        )
    except FileMissingError:
        raise FileMissingError(f"ZIP file not found: {archive_path}") from None
    index = await services.zip_indexes.open(archive.files.chain.artifact.id, archive.file)
    if not inner or inner.endswith("/"):
        await _list(exchange, services, index, inner, asked, gateway.settings.stalled_seconds)
        return
    member = await open_member(services, archive, index, inner)

    async def record() -> None:
        await member.record(context)

    await send_file(exchange, member, gateway.settings.stalled_seconds, record, takes_ranges=member.takes_ranges)


def _divide(rest: str, asked: ZipFileQuery, *, is_path_given: bool) -> tuple[str, str]:
    """Tell the path of the archive from the path inside it."""
    archive, separator, inner = f"{rest}/".partition(_INSIDE)
    if not separator:
        return rest, asked.path
    if is_path_given:
        raise InvalidArgumentError("Give the path inside the archive either behind /~/ or as ?path=, not both.")
    # The slash that was put behind the whole goes again.
    return archive, inner[:-1]


async def _list(
    exchange: Exchange,
    services: Services,
    index: ArchiveIndex,
    inner: str,
    asked: ZipFileQuery,
    stalled_seconds: float,
) -> None:
    """Answer with a JSON list of any length, a page at a time."""
    headers = [
        (b"content-type", JSON),
        (b"cache-control", b"private, no-cache"),
        (b"x-zip-left-out", b"%d" % index.root.left_out),
    ]
    async with aclosing(_pages(services, index, parse_directory(inner), asked)) as pages:
        first = await anext(pages)
        second = await anext(pages, None)
        if second is None:
            await exchange.respond(200, first, headers=headers[1:])
            return

        async def body() -> AsyncIterator[bytes]:
            yield first
            yield second
            async for page in pages:
                yield page

        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
        await exchange.stream(body(), None, stalled_seconds)


async def _pages(
    services: Services, index: ArchiveIndex, directory: str, asked: ZipFileQuery
) -> AsyncGenerator[bytes, None]:
    """Write the list in pieces; at least one."""
    block = bytearray(b"[")
    skipped, left = asked.offset, asked.limit
    separator = b""
    async with aclosing(services.zip_indexes.list_directory(index, directory)) as pages:
        async for page in pages:
            shown = page[skipped:]
            skipped -= len(page) - len(shown)
            shown = shown if left is None else shown[:left]
            for name, entry in shown:
                block += separator + _encode(_rendered(name, entry))
                separator = b","
            if len(block) >= _PAGE_BYTES:
                yield bytes(block)
                block.clear()
            if left is not None:
                left -= len(shown)
                if not left:
                    break
    yield bytes(block + b"]")


def _rendered(name: str, entry: Entry | None) -> dict[str, object]:
    if entry is None:
        return {"type": "directory", "name": name}
    return {"type": "file", "name": name, "size": entry.size_bytes, "last_modified": float(entry.modified_at)}

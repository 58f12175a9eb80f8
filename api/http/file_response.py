"""Answers with the bytes of a file: conditional requests, ranges, HEAD. The same for every address that has bytes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import quote

from api.http.departure import Departure, watched
from api.http.exchange import Exchange, Headers
from api.http.preconditions import NOT_MODIFIED, failed_precondition, may_be_partial
from api.http.problems import answer_problem
from application.ranges import parse_range
from domain.errors import RangeNotSatisfiableError

WATCHED_BYTES = 1024 * 1024
"""A longer body is not read to its end for a client that has gone away."""

_SECOND = 1_000_000
_CONFINED = (
    # What the bytes are depends on the caller's rights, so they are kept by nobody without asking again.
    (b"cache-control", b"private, no-cache"),
    # A page among the files must not run as a page of this service.
    (b"content-security-policy", b"sandbox"),
)


class SendableFile(Protocol):
    """What must be known of a file to send it. `modified_at` is in microseconds since the epoch."""

    @property
    def path(self) -> str:
        """The path, whose last part becomes the name of the download."""
        ...

    @property
    def content_type(self) -> str:
        """The media type."""
        ...

    @property
    def etag(self) -> str:
        """The entity tag without quotes."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size of the whole file."""
        ...

    @property
    def modified_at(self) -> int:
        """When it was stored."""
        ...

    def stream(self, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Give a part of the bytes in chunks of bounded size."""
        ...


async def send_file(
    exchange: Exchange,
    file: SendableFile,
    stalled_seconds: float,
    before_bytes: Callable[[], Awaitable[None]] | None = None,
    *,
    takes_ranges: bool = True,
    own_headers: Headers | None = None,
) -> None:
    """Answer 200 or 206 with bytes; 304 when the caller has them, 412 when he means others, 416 beyond their end.

    `before_bytes` runs when bytes are about to leave, and not for HEAD, 304, 412 and 416. A malformed Range and one of
    several parts are ignored, as HTTP allows; so is any other where the file `takes_ranges` not. `own_headers` say how
    the bytes may be kept and shown; without them nobody keeps them without asking again, and a page runs nothing.
    """
    modified = datetime.fromtimestamp(file.modified_at // _SECOND, UTC)
    headers = _headers(file, modified, takes_ranges=takes_ranges)
    headers += _CONFINED if own_headers is None else own_headers
    if own_headers is None:
        headers.append((b"content-disposition", _disposition(file.path)))
    failed = failed_precondition(exchange, file.etag, modified)
    if failed == NOT_MODIFIED:
        await exchange.respond(failed, content_type=None, headers=headers)
        return
    if failed is not None:
        await answer_problem(exchange, failed, "The file is not the one that the request is about", headers=headers[:2])
        return
    status, start, length = 200, 0, file.size_bytes
    asked = exchange.header(b"range")
    if asked is not None and takes_ranges and may_be_partial(exchange, file.etag, modified):
        try:
            part = parse_range(asked, file.size_bytes)
        except RangeNotSatisfiableError as error:
            beyond = ((b"content-range", b"bytes */%d" % file.size_bytes),)
            await answer_problem(exchange, 416, error.detail, error.code, beyond)
            return
        if part is not None:
            status, (start, length) = 206, part
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, start + length - 1, file.size_bytes)))
    headers += [(b"content-length", b"%d" % length), (b"content-type", file.content_type.encode("latin-1", "replace"))]
    if exchange.method == "HEAD":
        await _start(exchange, status, headers)
        await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    if before_bytes is not None:
        await before_bytes()
    chunks = file.stream(start, length)
    # The first chunk is read before the answer begins, so that an object that cannot be read is still an error.
    first = await anext(chunks, b"")
    await _start(exchange, status, headers)
    if length <= WATCHED_BYTES:
        await exchange.stream(_joined(first, chunks), length, stalled_seconds)
        return
    async with watched(exchange) as departure:
        await exchange.stream(_joined(first, chunks, departure), length, stalled_seconds)


async def _start(exchange: Exchange, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await exchange.send({"type": "http.response.start", "status": status, "headers": headers})


async def _joined(first: bytes, rest: AsyncIterator[bytes], departure: Departure | None = None) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        if departure is not None:
            departure.check()
        yield chunk


def _headers(file: SendableFile, modified: datetime, *, takes_ranges: bool) -> list[tuple[bytes, bytes]]:
    return [
        (b"etag", f'"{file.etag}"'.encode()),
        (b"last-modified", format_datetime(modified, usegmt=True).encode()),
        (b"accept-ranges", b"bytes" if takes_ranges else b"none"),
    ]


def _disposition(path: str) -> bytes:
    name = path.rsplit("/", 1)[-1]
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_" for letter in name
    )
    text = f'inline; filename="{plain}"'
    if plain != name:
        text += f"; filename*=UTF-8''{quote(name, safe='')}"
    return text.encode()

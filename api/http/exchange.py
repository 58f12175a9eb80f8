"""One HTTP request and its answer, over raw ASGI."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import lru_cache
from http.cookies import CookieError, SimpleCookie
from itertools import count
from os import urandom
from typing import Any
from urllib.parse import parse_qs

from litestar.types import Receive, Scope, Send

from api.http.deadline import Deadline
from domain.errors import InvalidArgumentError, UnauthenticatedError

Headers = Iterable[tuple[bytes, bytes]]

JSON = b"application/json"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_MOST_QUERY_FIELDS = 1000
KNOWN_QUERIES = 1_000
KNOWN_QUERY_BYTES = 64
"""So long may a query string be of which is kept what it says."""
_NO_BODY = frozenset({204, 304})
"""Statuses without a body, whose length would be that of the body that another status has."""
_SCOPE_KEY = "artifact_manager_exchange"
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_EXPOSED = (
    b"ETag, Content-Range, Content-Disposition, X-Event-Position, X-Request-ID, X-Zip-Left-Out, Retry-After, "
    b"RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy"
)


class ClientDisconnectedError(Exception):
    """The client went away before its request was complete, or before it had the whole answer."""


class ClientStalledError(ClientDisconnectedError):
    """The client neither sent nor took anything for too long."""


_PROCESS = urandom(8).hex()
# Unique, and no secret: what is random in it is drawn once, because each draw is a call of the system.
_REQUEST_IDS = (f"{_PROCESS}{number:016x}" for number in count())


class Exchange:
    """A request being answered: reads it, sends the answer, and remembers what the log says about both.

    `operation`, `actor_id` and `workspace` are filled in while the request is understood. `status` is None until the
    answer has begun. `own_headers` names those of the headers that every answer has which this one says itself.
    """

    __slots__ = (
        "_send",
        "actor_id",
        "changes_state",
        "headers",
        "is_answered",
        "limit_headers",
        "method",
        "operation",
        "origin",
        "own_headers",
        "path",
        "query",
        "receive",
        "request_id",
        "scope",
        "status",
        "workspace",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self._send = send
        self.method: str = scope["method"]  # type: ignore[typeddict-item]  # Only requests become exchanges.
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.query: bytes = scope["query_string"]
        self.origin = self.headers.get(b"origin")
        given = self.header(b"x-request-id")
        self.request_id = given if given is not None and _SANE_REQUEST_ID.fullmatch(given) else next(_REQUEST_IDS)
        self.status: int | None = None
        self.is_answered = False
        self.limit_headers: tuple[tuple[bytes, bytes], ...] = ()
        self.own_headers: frozenset[bytes] = frozenset()
        self.operation: str | None = None
        self.changes_state = False
        self.actor_id: str | None = None
        self.workspace: str | None = None
        scope[_SCOPE_KEY] = self  # type: ignore[literal-required]  # A key of our own.

    @staticmethod
    def of(scope: Scope) -> "Exchange":
        """Give the exchange to which a scope belongs."""
        exchange: Exchange = scope[_SCOPE_KEY]  # type: ignore[literal-required]  # A key of our own.
        return exchange

    def header(self, name: bytes) -> str | None:
        """Give a request header by its lower-case name."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def authorization(self) -> str | None:
        """Give the `Authorization` header.

        Raises:
            UnauthenticatedError: There is more than one: a proxy may have looked at another one than we would.
        """
        sent = list(self.scope["headers"])
        if len(sent) != len(self.headers) and sum(name == b"authorization" for name, _ in sent) > 1:
            raise UnauthenticatedError("The request has more than one Authorization header.")
        return self.header(b"authorization")

    @property
    def has_body(self) -> bool:
        """Whether the request says that it has a body."""
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    def cookie(self, name: str) -> str | None:
        """Give a cookie; None when there is none or the header is malformed."""
        text = self.header(b"cookie")
        if text is None:
            return None
        try:
            morsel = SimpleCookie(text).get(name)
        except CookieError:
            return None
        return None if morsel is None else morsel.value

    def query_fields(self) -> Mapping[str, Sequence[str]]:
        """Read the query string: each name with its values in order.

        Raises:
            InvalidArgumentError: It is not UTF-8 or has too many fields.
        """
        return read_query(self.query)

    async def chunks(self, stalled_seconds: float) -> AsyncIterator[bytes]:
        """Read the body as it arrives; give up on a client that sends nothing for so long.

        Raises:
            ClientDisconnectedError: The client went away before the end.
            ClientStalledError: It sent nothing for too long.
        """
        while True:
            try:
                with Deadline(stalled_seconds):
                    message = await self.receive()
            except TimeoutError:
                raise ClientStalledError from None
            if message["type"] != "http.request":
                raise ClientDisconnectedError
            chunk = message["body"]
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                return

    async def send(self, message: Any) -> None:  # noqa: ANN401 - Whatever ASGI message goes.
        """Send one message; the head of an answer gets the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._common_headers()]
        elif self.method == "HEAD":
            if message.get("more_body", False):
                return
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        if not message.get("more_body", False) and message["type"] == "http.response.body":
            self.is_answered = True
        await self._send(message)

    async def stream(self, chunks: AsyncIterator[bytes], length: int | None, stalled_seconds: float) -> None:
        """Send a body while it is produced; give up on a client that takes nothing for so long.

        `length` is what was promised; None when nothing was.

        Raises:
            ClientStalledError: The client took nothing for too long.
            OSError: The chunks have another length than was promised.
        """
        left = length or 0
        async for chunk in chunks:
            left -= len(chunk)
            if left < 0 and length is not None:
                break
            try:
                with Deadline(stalled_seconds):
                    await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
            except TimeoutError:
                raise ClientStalledError from None
        if left != 0 and length is not None:
            raise OSError(f"The stored object differs from its record by {abs(left)} bytes")
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def respond(
        self, status: int, body: bytes = b"", content_type: bytes | None = JSON, headers: Headers = ()
    ) -> None:
        """Send a complete answer."""
        head = [*headers, *self._common_headers()]
        if content_type is not None:
            head.append((b"content-type", content_type))
        if status not in _NO_BODY:
            head.append((b"content-length", b"%d" % len(body)))
        send = self._send
        self.status = status
        await send({"type": "http.response.start", "status": status, "headers": head})
        self.is_answered = True
        # The length is that of the body, which HEAD does not get.
        sent = b"" if self.method == "HEAD" else body
        await send({"type": "http.response.body", "body": sent, "more_body": False})

    def _common_headers(self) -> Sequence[tuple[bytes, bytes]]:
        found = self._headers_of_all()
        return [header for header in found if header[0] not in self.own_headers] if self.own_headers else found

    def _headers_of_all(self) -> Sequence[tuple[bytes, bytes]]:
        common = (*_SAFE, (b"x-request-id", self.request_id.encode()), *self.limit_headers)
        if self.origin is None:
            return common
        # The origin is mirrored without credentials: a page of another origin can use the token it has been given,
        # never a cookie of this service.
        return (
            *common,
            (b"access-control-allow-origin", self.origin),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"Origin"),
        )


def read_query(query: bytes) -> Mapping[str, Sequence[str]]:
    """Read a query string: each name with its values in order. Short ones are few and come often, so they are kept.

    Raises:
        InvalidArgumentError: It is not UTF-8 or has too many fields.
    """
    return _read_known_query(query) if len(query) <= KNOWN_QUERY_BYTES else _read_query(query)


def _read_query(query: bytes) -> Mapping[str, Sequence[str]]:
    try:
        text = query.decode("ascii")
        if "%" not in text and "+" not in text and text.count("&") < _MOST_QUERY_FIELDS:
            return _split_plain(text)
        return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_QUERY_FIELDS)
    except ValueError:
        raise InvalidArgumentError("The query string is not valid UTF-8 or has too many fields") from None


_read_known_query = lru_cache(maxsize=KNOWN_QUERIES)(_read_query)


def _split_plain(text: str) -> dict[str, list[str]]:
    """Read a query string in which nothing is escaped, as nearly all are: `parse_qs` takes five times as long."""
    fields: dict[str, list[str]] = {}
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            fields.setdefault(name, []).append(value)
    return fields

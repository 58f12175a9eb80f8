"""Turns errors into answers. The only place that knows status codes."""

import errno
from typing import NamedTuple

import msgspec
import structlog
from litestar.exceptions import HTTPException

from api.http.exchange import Exchange, Headers
from domain.errors import (
    AlreadyExistsError,
    ArtifactManagerError,
    ConflictError,
    InvalidArgumentError,
    InvalidStateError,
    NotFoundError,
    PermissionDeniedError,
    RangeNotSatisfiableError,
    StorageFullError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

_STATUSES: tuple[tuple[type[ArtifactManagerError], int], ...] = (
    (UnauthenticatedError, 401),
    (PermissionDeniedError, 403),
    (NotFoundError, 404),
    (AlreadyExistsError, 409),
    (ConflictError, 409),
    (TooLargeError, 413),
    (RangeNotSatisfiableError, 416),
    (UnavailableError, 503),
    (StorageFullError, 507),
    (InvalidArgumentError, 400),
    (InvalidStateError, 400),
)
_HEADERS: dict[int, tuple[tuple[bytes, bytes], ...]] = {
    401: ((b"www-authenticate", b"Bearer"),),
    503: ((b"retry-after", b"1"),),
}
_CODES = {
    400: "invalid_request",
    404: "unknown_route",
    405: "method_not_allowed",
    412: "precondition_failed",
    413: "too_large",
    429: "rate_limited",
    503: "unavailable",
}

_log = structlog.get_logger()


class Problem(NamedTuple):
    """An answer that says what went wrong."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def status_of(error: ArtifactManagerError) -> int:
    """Give the status code of a refusal."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return 500


def text_of(error: ArtifactManagerError) -> str:
    """Write an error as the RPC protocol and the service endpoint do: `<Type>: <message>`.

    A KeyError's message stands in quotes, because that is how Python prints one and clients search for it.
    """
    message = repr(error.detail) if error.type_name == "KeyError" else error.detail
    return f"{error.type_name}: {message}"


def problem_of(exchange: Exchange, error: Exception) -> Problem:
    """Make the answer to any error.

    What nobody expected is logged here, with its traceback; the caller sees only the request id.
    """
    known = error if isinstance(error, ArtifactManagerError) else _known(error)
    if known is not None:
        detail = text_of(known) if is_service_call(exchange) else known.detail
        return _problem(exchange, status_of(known), detail, known.code)
    if isinstance(error, HTTPException) and error.status_code < 500:
        detail = "There is nothing at this address" if error.status_code == 404 else error.detail
        headers = tuple((name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items())
        return _problem(exchange, error.status_code, detail, headers=headers)
    _log.error("request failed", request_id=exchange.request_id, operation=exchange.operation, exc_info=error)
    detail = f"The service met an error of its own; it is logged under request id {exchange.request_id}"
    return _problem(exchange, 500, detail, "internal")


async def answer_problem(
    exchange: Exchange, status: int, detail: str, code: str | None = None, headers: Headers = ()
) -> None:
    """Answer with an error: `{"detail", "code"}`, below `/services/` with `"success": false` as well."""
    problem = _problem(exchange, status, detail, code, tuple(headers))
    await exchange.respond(problem.status, problem.body, headers=problem.headers)


async def answer_error(exchange: Exchange, error: Exception) -> None:
    """Answer any error, unless an answer has begun: then a cut connection is the only way to say that it failed."""
    problem = problem_of(exchange, error)
    if exchange.status is None:
        await exchange.respond(problem.status, problem.body, headers=problem.headers)


def is_service_call(exchange: Exchange) -> bool:
    """Tell whether a request goes to `/{workspace}/services/...`, where errors have a shape of their own."""
    parts = exchange.path.split("/", 3)
    return len(parts) > 2 and parts[2] == "services"


def _says_success(exchange: Exchange) -> bool:
    """Tell whether errors have `"success": false`: for calls, and inside archives, where clients look for it too."""
    return is_service_call(exchange) or exchange.path.split("/", 5)[4:5] == ["zip-files"]


def _problem(
    exchange: Exchange,
    status: int,
    detail: str,
    code: str | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Problem:
    body: dict[str, object] = {"success": False} if _says_success(exchange) else {}
    body["detail"] = detail
    body["code"] = code or _CODES.get(status, "error")
    return Problem(status, msgspec.json.encode(body), (*headers, *_HEADERS.get(status, ())))


def _known(error: Exception) -> ArtifactManagerError | None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError("The disk is full; nothing was changed")
    return None

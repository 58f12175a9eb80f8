"""Reads the bodies of calls: bounded in size, in depth, and all together in memory."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from api.http.exchange import Exchange
from application.settings import Settings
from domain.errors import InvalidArgumentError, TooLargeError, UnavailableError

MSGPACK = "application/msgpack"
_MSGPACK_TYPES = frozenset({MSGPACK, "application/x-msgpack", "application/vnd.msgpack"})
_OBJECT = msgspec.json.Decoder()
_PACKED = msgspec.msgpack.Decoder()


class BodyReader:
    """Reads bodies into memory within the limits of the settings; one for the whole process."""

    def __init__(self, settings: Settings) -> None:
        self._limit_bytes = settings.request_bytes
        self._budget_bytes = settings.buffered_bytes
        self._depth = settings.manifest_depth
        self._stalled_seconds = settings.stalled_seconds
        self._buffered_bytes = 0

    async def arguments(self, exchange: Exchange) -> Mapping[str, Any]:
        """Read the arguments of a call: a JSON or msgpack object; an empty body has none.

        Raises:
            InvalidArgumentError: The body is malformed, not an object, or nested too deeply.
            TooLargeError: The body is larger than the limit.
            UnavailableError: Too much is being received already.
            ClientDisconnectedError: The client went away, or sent nothing for too long.
        """
        received = 0
        parts: list[bytes] = []
        declared = exchange.header(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > self._limit_bytes:
            raise self._too_large()
        try:
            async for chunk in exchange.chunks(self._stalled_seconds):
                received += len(chunk)
                self._buffered_bytes += len(chunk)
                if received > self._limit_bytes:
                    raise self._too_large()
                if self._buffered_bytes > self._budget_bytes:
                    raise UnavailableError("The service is receiving too many large requests at the moment")
                parts.append(chunk)
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            return self._decode(body, is_packed(exchange)) if body else {}
        finally:
            self._buffered_bytes -= received

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"The request is larger than {self._limit_bytes} bytes")

    def _decode(self, body: bytes, packed: bool) -> Mapping[str, Any]:
        try:
            found = _unpack(body) if packed else _parse(body)
        except RecursionError:
            raise self._too_deep() from None
        if not isinstance(found, dict):
            raise InvalidArgumentError("The body must be an object of named arguments")
        # Nesting is at least one byte a level, so small bodies need no walk.
        if len(body) > self._depth and _is_deeper(found, self._depth):
            raise self._too_deep()
        return found

    def _too_deep(self) -> InvalidArgumentError:
        return InvalidArgumentError(f"The request is nested more than {self._depth} levels deep")


def is_packed(exchange: Exchange) -> bool:
    """Tell whether a request's body, and so its answer, is msgpack."""
    content_type = exchange.headers.get(b"content-type")
    if content_type is None or b"msgpack" not in content_type:
        return False
    return content_type.split(b";", 1)[0].strip().decode("latin-1").lower() in _MSGPACK_TYPES


def _parse(body: bytes) -> Any:  # noqa: ANN401 - Any JSON value.
    try:
        return _OBJECT.decode(body)
    except msgspec.DecodeError as error:
        reason = f"The body is not valid JSON: {error}"
    except UnicodeDecodeError:
        raise InvalidArgumentError("The body is not valid UTF-8") from None
    # Python's clients write NaN and the infinities, which only the standard library reads.
    has_names = b"NaN" in body or b"Infinity" in body
    if not has_names and b"\\u" not in body:
        raise InvalidArgumentError(reason)
    try:
        found = json.loads(body)
        msgspec.json.encode(found)
    except UnicodeEncodeError:
        raise InvalidArgumentError("The body holds half of a surrogate pair, which is no character") from None
    except (ValueError, OverflowError):
        raise InvalidArgumentError(reason) from None
    if not has_names:
        raise InvalidArgumentError(reason)
    return found


def _unpack(body: bytes) -> Any:  # noqa: ANN401 - Any msgpack value.
    try:
        return _PACKED.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"The body is not valid msgpack: {error}") from None


def _is_deeper(value: object, levels: int) -> bool:
    waiting = [value]
    for _ in range(levels + 1):
        below: list[object] = []
        for item in waiting:
            if isinstance(item, dict):
                below.extend(inner for inner in item.values() if isinstance(inner, dict | list))
            elif isinstance(item, list):
                below.extend(inner for inner in item if isinstance(inner, dict | list))
        if not below:
            return False
        waiting = below
    return True

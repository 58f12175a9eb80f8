"""Runs a method for a request and answers with what it returns."""

import msgspec
from litestar import Response

from api.http.exchange import JSON, Exchange
from api.http.gateway import Gateway
from application.context import CallContext, Reply
from application.methods import Command, Method

_MSGPACK = b"application/msgpack"
_POSITION = b"x-event-position"
_NO_STORE = (b"cache-control", b"no-store")
_encode = msgspec.json.Encoder().encode


async def call(
    gateway: Gateway, exchange: Exchange, context: CallContext, method: Method, parameters: Command
) -> Reply:
    """Run a method and note it for the log."""
    exchange.operation = method.name
    exchange.changes_state = method.changes_state
    return await method.handler(gateway.application, context, parameters)


async def answer_reply(exchange: Exchange, reply: Reply, *, packed: bool = False) -> None:
    """Answer with exactly 200: the body as JSON (or msgpack), and the position of the last event of a command."""
    headers = _headers(reply)
    if packed:
        # A pre-encoded body is JSON text, so it is read before it is packed.
        value = msgspec.json.decode(reply.body) if isinstance(reply.body, msgspec.Raw) else reply.body
        await exchange.respond(200, msgspec.msgpack.encode(value), _MSGPACK, headers)
    else:
        await exchange.respond(200, _encode(reply.body), JSON, headers)


def json_response(reply: Reply) -> Response[bytes]:
    """Make the same answer for a handler of the router."""
    headers = {name.decode(): value.decode() for name, value in _headers(reply)}
    return Response(_encode(reply.body), media_type="application/json", headers=headers)


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    if reply.position is None:
        return [_NO_STORE]
    return [_NO_STORE, (_POSITION, b"%d" % reply.position)]

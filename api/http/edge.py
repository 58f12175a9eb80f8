"""The outermost layer: routes the hot paths, bounds what runs at once, answers errors, writes the access log.

Calls of methods and bodies of files are answered over raw ASGI, because a router of general use costs as much as the
whole call (measured: 60 microseconds a request against 28); every other address goes to Litestar.
"""

import asyncio
import logging
from time import perf_counter
from typing import Any

import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from api.http.exchange import ClientDisconnectedError, ClientStalledError, Exchange
from api.http.gateway import Gateway
from api.http.health import LIVENESS, PROBES
from api.http.problems import answer_error, answer_problem
from api.http.rate_limits import RateLimits, rate_limits
from api.http.raw_routes import OBJECTS, VIEW, RawRoute, find_raw_route
from api.sites.address import is_sites_host

_CLOSED_BY_CLIENT = 499
_LET_GO_SECONDS = 0.05
_DAY_SECONDS = b"86400"
_STALLED = 408, "The request did not arrive in time", "request_timeout"
_CUT_OFF = 400, "The request ended before its body was complete", "incomplete_body"


class Edge:
    """The ASGI application that the server runs."""

    def __init__(self, gateway: Gateway, resources: Litestar) -> None:
        # Bound once: each use of a logger that is not bound makes one.
        self._log = structlog.get_logger().bind()
        self._gateway = gateway
        self.resources = resources
        self._most_active = gateway.settings.active_requests
        self._limits = rate_limits(gateway)
        self._sites_url = gateway.settings.sites_url
        self._active: set[asyncio.Task[Any]] = set()
        self._is_draining = False
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await _refuse_websocket(receive, send)
            return
        started = perf_counter()
        exchange = Exchange(scope, receive, send)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A request must be answered in a task")
        self._active.add(task)
        try:
            await self._answer(exchange)
        except ClientDisconnectedError as error:
            await _end_early(exchange, error)
        except Exception as error:  # noqa: BLE001 - The edge of a request: logged once, answered without a traceback.
            await self._answer_error(exchange, error)
        finally:
            self._active.discard(task)
            if self._is_draining and not self._active:
                self._idle.set()
            self._write_access_log(exchange, perf_counter() - started)

    async def drain(self, timeout_seconds: float) -> None:
        """Refuse new requests and wait until those under way are answered; after so long, cancel what is left."""
        self._is_draining = True
        if not self._active:
            return
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_seconds)
        except TimeoutError:
            for task in self._active:
                task.cancel("The service is stopping")

    async def _answer(self, exchange: Exchange) -> None:
        is_busy = len(self._active) > self._most_active
        if (self._is_draining or is_busy) and not exchange.path.startswith(LIVENESS):
            reason = "has too many requests at the moment" if is_busy else "is stopping"
            await answer_problem(exchange, 503, f"The service {reason}", headers=((b"connection", b"close"),))
            return
        if exchange.method == "OPTIONS":
            await _answer_preflight(exchange)
            return
        parts = exchange.path.split("/", 5)
        route = find_raw_route(parts)
        if self._sites_url is not None and route is not VIEW and is_sites_host(exchange, self._sites_url):
            await answer_problem(exchange, 404, "There is nothing at this address")
            return
        if self._limits is not None and not await self._is_within(self._limits, exchange, route):
            return
        if route is None:
            await self._answer_resource(exchange)
        elif exchange.method in route.operations:
            exchange.operation = route.name
            await route.answer(self._gateway, exchange, parts)
        else:
            allow = ((b"allow", ", ".join(route.operations).encode()),)
            await answer_problem(exchange, 405, f"Method {exchange.method} is not allowed here", headers=allow)

    async def _is_within(self, limits: RateLimits, exchange: Exchange, route: RawRoute | None) -> bool:
        """Ask the limits before anything is recorded, and before a body is read; answer a request beyond them."""
        if exchange.path in PROBES:
            return True
        allowance = await limits.take(exchange, is_presigned=route is OBJECTS)
        if allowance is None or allowance.is_granted:
            return True
        headers = [(b"retry-after", b"%d" % allowance.retry_seconds)]
        if exchange.has_body:
            # Nobody reads it, so the connection cannot be used again.
            headers.append((b"connection", b"close"))
        await answer_problem(exchange, 429, "Rate limit exceeded. Please slow down.", headers=headers)
        return False

    async def _answer_resource(self, exchange: Exchange) -> None:
        scope = exchange.scope
        if exchange.method == "HEAD":
            # The exchange drops the body of the answer.
            scope["method"] = "GET"  # type: ignore[typeddict-unknown-key]  # Only requests come here.
        await self.resources(scope, exchange.receive, exchange.send)

    async def _answer_error(self, exchange: Exchange, error: Exception) -> None:
        was_answered = exchange.status is not None
        await answer_error(exchange, error)
        if was_answered and not exchange.is_answered:
            # Ending without the last message makes the server cut the connection, so that the client sees an
            # answer that is not complete.
            raise error

    def _write_access_log(self, exchange: Exchange, seconds: float) -> None:
        status = exchange.status or 500
        level = logging.INFO if exchange.changes_state or status >= 400 else logging.DEBUG
        if not self._log.is_enabled_for(level):
            return
        self._log.log(
            level,
            "request",
            request_id=exchange.request_id,
            method=exchange.method,
            operation=exchange.operation,
            workspace=exchange.workspace,
            actor=exchange.actor_id,
            status=status,
            milliseconds=round(seconds * 1000, 3),
        )


async def _end_early(exchange: Exchange, error: ClientDisconnectedError) -> None:
    """Tell a client whose request did not arrive whole, unless its answer has begun; one that is gone does not hear it.

    A client that closed only its side, or broke the framing of its body, still listens.
    """
    is_stalled = isinstance(error, ClientStalledError)
    if exchange.status is None:
        status, detail, code = _STALLED if is_stalled else _CUT_OFF
        # The server must have let go of the body that was being waited for before the answer goes out, or it keeps the
        # connection open for as long as the client does (seen with granian 2.8.7: 60 of 100 connections).
        await asyncio.sleep(_LET_GO_SECONDS)
        await answer_problem(exchange, status, detail, code, ((b"connection", b"close"),))
        if is_stalled:
            return
    exchange.status = _CLOSED_BY_CLIENT


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": "There is nothing at this address"})


async def _answer_preflight(exchange: Exchange) -> None:
    wanted = exchange.headers.get(b"access-control-request-headers", b"*")
    headers = [(b"allow", b"GET, HEAD, POST, PUT, DELETE, OPTIONS")]
    if exchange.origin is not None:
        headers += [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE, OPTIONS"),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", _DAY_SECONDS),
        ]
    await exchange.respond(204, content_type=None, headers=headers)

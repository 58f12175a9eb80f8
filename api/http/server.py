"""Runs the HTTP application in this very process: no supervisor, so that ending the process ends everything."""

import asyncio
from collections.abc import Callable

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from api.http.edge import Edge
from application.settings import Settings

_BACKLOG = 1024
_STOP_SECONDS = 2.0


async def serve(app: Edge, settings: Settings, port: int, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
    """Serve until `stop` is set, then drain: at most `drain_seconds` for the requests under way.

    Raises:
        RuntimeError: The server ended although nobody asked it to.
    """
    server = Server(
        app,
        address=settings.host,
        port=port,
        # What the application works with is started and stopped around this, so there is no lifespan protocol.
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=True,
        backlog=_BACKLOG,
        # The application itself bounds what runs at once, with an answer; this bound would leave callers waiting.
        backpressure=settings.active_requests + _BACKLOG,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve(), name="http-server")
    stopping = asyncio.create_task(stop.wait(), name="http-stop")
    try:
        await _until_listening(settings.host, port, serving)
        on_ready()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            raise RuntimeError("The HTTP server ended unexpectedly")
        await app.drain(settings.drain_seconds)
    finally:
        stopping.cancel()
        server.stop()  # type: ignore[no-untyped-call]  # Granian has no annotation here.
        # Connections that are still open after the drain are cut.
        await asyncio.wait({serving}, timeout=_STOP_SECONDS)
        serving.cancel()


async def _until_listening(host: str, port: int, serving: "asyncio.Task[None]") -> None:
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - Compared, not bound.
    while not serving.done():
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 1)
        except (OSError, TimeoutError):
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return

"""What the service is compared with: the bare framework, a bare file server, a bare database."""

import asyncio
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from litestar import Litestar, get

ROOT = Path(__file__).parent.parent
CHUNK = 1024 * 1024
START_SECONDS = 15.0


class Greeting(msgspec.Struct, frozen=True):
    """A constant answer of the size of a small record."""

    id: str = "ws-user-alice/dataset"
    name: str = "A constant answer"
    version: str = "v0"
    views: int = 1


@get("/", sync_to_thread=False)
def greet() -> Greeting:
    """Answer a constant struct."""
    return _GREETING


_GREETING = Greeting()


Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


def file_server(directory: Path) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Make a bare ASGI application that takes and gives files, with nothing checked and nothing synced."""

    async def app(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        path = directory / scope["path"].rsplit("/", 1)[-1]
        if scope["method"] == "PUT":
            with path.open("wb") as file:
                while True:
                    message = await receive()
                    file.write(message.get("body", b""))
                    if not message.get("more_body"):
                        break
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        length = str(path.stat().st_size).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


@contextmanager
def running(kind: str, directory: Path) -> Iterator[str]:
    """Run `litestar` or `files` as a child process; give its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.floors", kind, str(port), str(directory)], cwd=ROOT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(START_SECONDS)


def group_commit_rate(directory: Path, *, clients: int, seconds: float) -> float:
    """Measure a bare SQLite group commit in a process of its own: rows a second, each durable before the next."""
    command = [sys.executable, "-m", "benchmarks.floors", "sqlite", str(clients), str(seconds), str(directory)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60, cwd=ROOT).stdout
    return float(output)


async def _group_commit(path: Path, clients: int, seconds: float) -> float:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, id BLOB, payload BLOB)")
    waiting: list[tuple[bytes, asyncio.Future[None]]] = []
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()
    is_over, count = False, 0

    def append(rows: list[tuple[bytes, bytes]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events (id, payload) VALUES (?, ?)", rows)
        connection.execute("COMMIT")

    async def commit() -> None:
        nonlocal waiting
        while not is_over or waiting:
            await arrived.wait()
            arrived.clear()
            batch, waiting = waiting, []
            await loop.run_in_executor(None, append, [(b"0123456789abcdef", payload) for payload, _ in batch])
            for _, future in batch:
                future.set_result(None)

    async def client() -> None:
        nonlocal count
        while not is_over:
            future: asyncio.Future[None] = loop.create_future()
            waiting.append((b"x" * 800, future))
            arrived.set()
            await future
            count += 1

    writer = asyncio.create_task(commit())
    callers = [asyncio.create_task(client()) for _ in range(clients)]
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    is_over = True
    await asyncio.gather(*callers)
    elapsed = time.perf_counter() - began
    arrived.set()
    await writer
    connection.close()
    return count / elapsed


async def _serve(app: Any, port: int) -> None:  # noqa: ANN401 - Any ASGI application.
    server = Server(app, port=port, interface=Interfaces.ASGINL, http=HTTPModes.auto, log_enabled=False)
    await server.serve()


def main(kind: str, *arguments: str) -> None:
    """Run one of the floors."""
    if kind == "litestar":
        uvloop.run(_serve(Litestar([greet], openapi_config=None, logging_config=None), int(arguments[0])))
    elif kind == "files":
        uvloop.run(_serve(file_server(Path(arguments[1])), int(arguments[0])))
    else:
        clients, seconds, directory = arguments
        print(uvloop.run(_group_commit(Path(directory) / "floor.db", int(clients), float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])

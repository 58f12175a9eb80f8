"""A lean HTTP/1.1 client for many requests over few connections. It reads only answers with a Content-Length."""

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

STOP_SECONDS = 30.0


class _Connection(asyncio.Protocol):
    """Sends one request after the other, each when the answer to the one before is complete."""

    def __init__(self, requests: Iterator[bytes], is_over: asyncio.Event, latencies: list[float]) -> None:
        self.failures: list[str] = []
        self.closed = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._is_over = is_over
        self._latencies = latencies
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(rest) < _content_length(head):
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        if not head.startswith(b"HTTP/1.1 2"):
            self.failures.append(self._buffer[:500].decode(errors="replace"))
        self._buffer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.failures.append(f"The connection was lost: {exc}")
            self.closed.set_result(None)

    def _send(self) -> None:
        request = None if self._is_over.is_set() else next(self._requests, None)
        if request is None:
            self.closed.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def encode(host: str, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """Write a request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body or method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def drive(
    host: str, port: int, requests: Iterator[bytes], *, clients: int, seconds: float | None = None
) -> tuple[list[float], list[str]]:
    """Send requests until there are no more, or the time is over; give the latencies and the answers that failed."""
    loop = asyncio.get_running_loop()
    is_over, latencies = asyncio.Event(), list[float]()
    connections = []
    for _ in range(clients):
        _, connection = await loop.create_connection(lambda: _Connection(requests, is_over, latencies), host, port)
        connections.append(connection)
    if seconds is not None:
        await asyncio.sleep(seconds)
        is_over.set()
    async with asyncio.timeout(None if seconds is None else STOP_SECONDS):
        await asyncio.gather(*(connection.closed for connection in connections))
    return latencies, [failure for connection in connections for failure in connection.failures]


async def _main(what: dict[str, object]) -> None:
    url = urlsplit(str(what["url"]))
    host, port = str(url.hostname), int(url.port or 80)
    headers: dict[str, str] = what["headers"]  # type: ignore[assignment]  # The caller wrote it as a dict of texts.
    start, modulo, clients, seconds = (what[name] for name in ("start", "modulo", "clients", "seconds"))
    assert isinstance(start, int)
    assert isinstance(modulo, int)
    assert isinstance(clients, int)
    assert isinstance(seconds, int | float)

    def requests() -> Iterator[bytes]:
        body = what["body"]
        template = encode(host, str(what["method"]), str(what["path"]), headers.items())
        number = start
        while True:
            number += 1
            text = str(number % modulo if modulo else number)
            if body is None:
                yield template.replace(b"@N@", text.encode())
            else:
                filled = str(body).replace("@N@", text).encode()
                path = str(what["path"]).replace("@N@", text)
                yield encode(host, str(what["method"]), path, headers.items(), filled)

    began = time.perf_counter()
    latencies, failures = await drive(host, port, requests(), clients=clients, seconds=float(seconds))
    elapsed = time.perf_counter() - began
    latencies.sort()
    result = {
        "requests": len(latencies),
        "seconds": elapsed,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
        "failures": len(failures),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main(json.loads(sys.argv[1])))

"""Uploading and downloading one large file."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from benchmarks.bench import Bench
from benchmarks.client import encode
from benchmarks.model import Row
from benchmarks.service import Service

CHUNK = 1024 * 1024
MEBI = 1024 * 1024
WARM_UP_BYTES = 16 * MEBI
TARGET_RATIO = 1 / 2
MEMORY_TARGET_BYTES = 32 * MEBI
SAMPLE_SECONDS = 0.02
TIMEOUT_SECONDS = 300.0


class Peak:
    """Watches the memory of the service; gives by how much it grew at most."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._before = self._highest = service.memory_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth_bytes(self) -> int:
        return self._highest - self._before

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._highest = max(self._highest, self._service.memory_bytes())


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 80)), TIMEOUT_SECONDS)


def _request(method: str, url: str, length: int | None = None) -> bytes:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if length is None:
        return encode(parts.netloc, method, path, [("Connection", "close")])
    head = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {length}", "Connection: close"]
    return "\r\n".join([*head, "", ""]).encode()


def put(url: str, length: int) -> float:
    """Send so many bytes; give the seconds until the answer."""
    chunk = memoryview(bytes(range(256)) * (CHUNK // 256))
    began = time.perf_counter()
    with _connect(url) as connection:
        connection.sendall(_request("PUT", url, length))
        for _ in range(length // CHUNK):
            connection.sendall(chunk)
        answer = connection.recv(4096)
    assert b" 200 " in answer.split(b"\r\n")[0], answer
    return time.perf_counter() - began


def get(url: str, length: int) -> float:
    """Receive so many bytes; give the seconds that it took."""
    buffer = bytearray(CHUNK)
    began = time.perf_counter()
    with _connect(url) as connection:
        connection.sendall(_request("GET", url))
        count = connection.recv_into(buffer)
        head = bytes(buffer[:count]).partition(b"\r\n\r\n")[0]
        assert b" 200 " in head.split(b"\r\n")[0], head
        received = count - len(head) - 4
        while count := connection.recv_into(buffer):
            received += count
    assert received == length, f"{received} of {length} bytes came"
    return time.perf_counter() - began


def measure(bench: Bench) -> Sequence[Row]:
    """Measure in turns with a bare file server, which checks, hashes and syncs nothing."""
    service, length = bench.service, bench.sizes.stream_bytes
    record = service.call("create", alias=bench.name(), manifest={"name": "Large"}, stage=True)
    _transfers(bench, record["id"], "warm-up", WARM_UP_BYTES)
    puts, gets, bare_puts, bare_gets, growths = [], [], [], [], []
    for turn in range(max(1, bench.sizes.rounds - 1)):
        bare = f"{bench.files}/large-{turn}"
        bare_puts.append(put(bare, length))
        bare_gets.append(get(bare, length))
        with Peak(service) as peak:
            one, other = _transfers(bench, record["id"], f"large-{turn}", length)
        puts.append(one)
        gets.append(other)
        growths.append(peak.growth_bytes)

    def row(name: str, ours: Sequence[float], floors: Sequence[float]) -> Row:
        rate, floor = (length / MEBI / min(seconds) for seconds in (ours, floors))
        return Row(
            name=f"{name} of {length // MEBI:,} MiB",
            measured=f"{rate:,.0f} MiB/s",
            floor=f"bare ASGI file server: {floor:,.0f} MiB/s",
            ratio=f"{rate / floor:.2f}",
            target="1/2 of the floor",
            is_met=rate / floor >= TARGET_RATIO,
        )

    return [
        row("streaming PUT", puts, bare_puts),
        row("streaming GET", gets, bare_gets),
        Row(
            name="growth of the server's memory meanwhile",
            measured=f"{max(growths) / MEBI:.1f} MiB",
            target="32 MiB",
            is_met=max(growths) < MEMORY_TARGET_BYTES,
        ),
    ]


def _transfers(bench: Bench, artifact: str, path: str, length: int) -> tuple[float, float]:
    """Upload a file to its URL and download it from its URL; give the seconds of both."""
    call: Callable[..., str] = bench.service.call
    up = put(call("put_file", artifact_id=artifact, file_path=path), length)
    down = get(call("get_file", artifact_id=artifact, file_path=path, stage=True), length)
    return up, down

"""The service under test, as a child process, and a client for single calls."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.server import Server

METHODS = "/public/services/artifact-manager/"
WORKSPACE = "ws-user-alice"
TIMEOUT_SECONDS = 120.0
IDLE_SECONDS = 5.0


class Service:
    """One running service, called as user alice over one kept connection."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.pid = server.pid
        self.headers = {"Authorization": f"Bearer {server.token('alice')}", "Content-Type": "application/json"}
        self._connection = self._connect()
        self._used_at = time.monotonic()

    def call(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401 - Any JSON value.
        """Call a method; it must succeed."""
        return json.loads(self.timed_call(method, **arguments)[1])

    def timed_call(self, method: str, **arguments: Any) -> tuple[float, bytes]:  # noqa: ANN401 - As above.
        """Call a method; give the seconds until the whole answer was there, and the answer."""
        body = json.dumps(arguments).encode()
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            # The server closes what is idle for long; the next request opens it again.
            self._connection.close()
        began = time.perf_counter()
        self._connection.request("POST", METHODS + method, body, self.headers)
        response = self._connection.getresponse()
        data = response.read()
        seconds = time.perf_counter() - began
        self._used_at = time.monotonic()
        if response.status != http.client.OK:
            raise RuntimeError(f"{method} answered {response.status}: {data[:500]!r}")
        return seconds, data

    def timings(self, method: str, count: int, **arguments: Any) -> list[float]:  # noqa: ANN401 - As above.
        """Call a method again and again; give the seconds of each call, sorted."""
        return sorted(self.timed_call(method, **arguments)[0] for _ in range(count))

    def memory_bytes(self) -> int:
        """Give the resident memory of the server."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("The server's memory is not known")

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url)
        return http.client.HTTPConnection(str(address.hostname), address.port, timeout=TIMEOUT_SECONDS)


@contextmanager
def serving(data_dir: Path) -> Iterator[Service]:
    """Run the service on a data directory."""
    with Server(data_dir, {"ARTIFACT_MANAGER_LOG_LEVEL": "warning"}) as server:
        service = Service(server)
        try:
            yield service
        finally:
            service.close()

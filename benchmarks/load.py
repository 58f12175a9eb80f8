"""Puts load on a server from a process of its own: by wrk where it is installed, else by a lean client."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PLACE = "@N@"
"""Replaced by another number in each request."""

_WRK = """
local next_id = 0
function setup(thread) thread:set("id", next_id) next_id = next_id + 1 end
function init() n = 0 end
function request()
  n = n + 1
  local number = %(start)d + n
  if %(modulo)d > 0 then number = number %% %(modulo)d end
  local path = string.gsub(%(path)s, "@N@", number)
  local body = %(body)s
  if body then body = string.gsub(body, "@N@", number) end
  return wrk.format(%(method)s, path, %(headers)s, body)
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%%d,"seconds":%%f,"p50_ms":%%f,"p99_ms":%%f,"failures":%%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent again and again. In path and body `@N@` is a number, counted up from `start`, modulo `modulo`."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str]
    body: str | None = None
    start: int = 0
    modulo: int = 0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came back."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failures: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def tool() -> str:
    """Name what puts the load on."""
    return "wrk" if shutil.which("wrk") else "benchmarks.client (Python; wrk is not installed)"


def load(url: str, request: Request, *, clients: int, seconds: float) -> Load:
    """Send a request over so many connections for a while; every answer must be a success."""
    output = (
        _by_wrk(url, request, clients, seconds) if shutil.which("wrk") else _by_client(url, request, clients, seconds)
    )
    result = Load(**json.loads(output))
    if result.failures or not result.requests:
        raise RuntimeError(f"{result.failures} of {result.requests} requests failed: {request.method} {request.path}")
    return result


def median(loads: Sequence[Load]) -> Load:
    """Give the load with the median rate."""
    return sorted(loads, key=lambda one: one.rate)[len(loads) // 2]


def _by_wrk(url: str, request: Request, clients: int, seconds: float) -> str:
    headers = ", ".join(f"[{_lua(name)}] = {_lua(value)}" for name, value in request.headers.items())
    script = _WRK % {
        "start": request.start,
        "modulo": request.modulo,
        "path": _lua(request.path),
        "body": "nil" if request.body is None else _lua(request.body),
        "method": _lua(request.method),
        "headers": "{" + headers + "}",
    }
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        # One thread of wrk is enough for any rate that is reached here, and leaves the server a core.
        command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--latency", "-s", file.name, url]
        output = _output(command, seconds)
    return output.split("RESULT ", 1)[1].splitlines()[0]


def _lua(text: str) -> str:
    return json.dumps(text)


def _by_client(url: str, request: Request, clients: int, seconds: float) -> str:
    what = {
        "url": url,
        "path": request.path,
        "method": request.method,
        "headers": dict(request.headers),
        "body": request.body,
        "start": request.start,
        "modulo": request.modulo,
        "clients": clients,
        "seconds": seconds,
    }
    return _output([sys.executable, "-m", "benchmarks.client", json.dumps(what)], seconds)


def _output(command: list[str], seconds: float) -> str:
    root = Path(__file__).parent.parent
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60, cwd=root).stdout

"""Renders templates in a few processes that are kept, and replaced when they do not answer."""

import asyncio
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import structlog

from adapters.templates import child
from domain.errors import TemplateFailedError, UnavailableError

PROCESSES: Final = 2
MAX_WAITING: Final = 64
"""Templates that may wait for a process; more are refused for the moment."""
MAX_OF_ONE_OWNER: Final = 8
"""So many of those may be of one owner: whoever has templates that take long does not make all the others wait."""
CPU_SECONDS: Final = 2
WALL_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 15.0
"""A process that has not answered by then is ended. It ends its own fork long before."""
MEMORY_BYTES: Final = 512 * 1024 * 1024
OUTPUT_BYTES: Final = 8 * 1024 * 1024

_CHUNK: Final = 64 * 1024
_LENGTH_BYTES: Final = 4

_log = structlog.get_logger()


class _NoAnswerError(Exception):
    """The process ended, or did not answer in time."""


class TemplateProcesses:
    """Renders up to `PROCESSES` templates at once; the processes are started when they are first needed."""

    def __init__(self, *, cpu_seconds: int = CPU_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._pool = ThreadPoolExecutor(PROCESSES, thread_name_prefix="templates")
        self._own = threading.local()
        self._started: set[_Process] = set()
        self._waiting: Counter[str] = Counter()

    async def render(self, source: str, variables: dict[str, Any], owner: str) -> bytes:
        """Render a template; gives UTF-8."""
        if self._waiting.total() >= MAX_WAITING or self._waiting[owner] >= MAX_OF_ONE_OWNER:
            raise UnavailableError("Too many templates are being rendered at the moment")
        self._waiting[owner] += 1
        rendering = asyncio.get_running_loop().run_in_executor(self._pool, self._render, source, variables)
        rendering.add_done_callback(lambda done: self._end(owner, done))
        # Whoever goes away meanwhile leaves a thread behind that is still busy, and counts until it is not.
        answer = await asyncio.shield(rendering)
        if answer[:1] != b"=":
            raise TemplateFailedError(f"Template rendering failed: {answer[1:].decode('utf-8', 'replace')}")
        return answer[1:]

    async def close(self) -> None:
        """End the processes, with what they are doing."""
        for process in tuple(self._started):
            process.kill()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    def _end(self, owner: str, rendering: "asyncio.Future[bytes]") -> None:
        self._waiting[owner] -= 1
        if not self._waiting[owner]:
            del self._waiting[owner]
        if not rendering.cancelled():
            # Looked at, so that nobody is told of the failure of what nobody waits for.
            rendering.exception()

    def _render(self, source: str, variables: dict[str, Any]) -> bytes:
        request = json.dumps(
            {
                "source": source,
                "variables": variables,
                "cpu_seconds": self._cpu_seconds,
                "wall_seconds": WALL_SECONDS,
                "memory_bytes": MEMORY_BYTES,
                "output_bytes": OUTPUT_BYTES,
            }
        ).encode()
        process: _Process | None = getattr(self._own, "process", None)
        if process is None:
            process = self._own.process = _Process()
            self._started.add(process)
        try:
            return process.ask(request)
        except (_NoAnswerError, OSError) as error:
            self._own.process = None
            self._started.discard(process)
            process.kill()
            _log.warning("template_process_replaced", reason=repr(error))
            raise TemplateFailedError("Template rendering failed: it did not end in time") from None


class _Process:
    """One process, asked by one thread at a time."""

    def __init__(self) -> None:
        self._running = subprocess.Popen(  # noqa: S603 - A program of our own.
            [sys.executable, "-I", str(Path(child.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            bufsize=0,
        )
        if self._running.stdin is None or self._running.stdout is None:
            raise RuntimeError("The process has no pipes, although they were asked for")
        self._requests, self._answers = self._running.stdin.fileno(), self._running.stdout.fileno()
        os.set_blocking(self._requests, False)

    def ask(self, request: bytes) -> bytes:
        deadline = time.monotonic() + ANSWER_SECONDS
        self._send(len(request).to_bytes(_LENGTH_BYTES, "big") + request, deadline)
        size = int.from_bytes(self._receive(_LENGTH_BYTES, deadline), "big")
        return self._receive(size, deadline)

    def kill(self) -> None:
        self._running.kill()
        self._running.wait()
        for pipe in (self._running.stdin, self._running.stdout):
            if pipe is not None:
                pipe.close()

    def _send(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            if not select.select([], [self._requests], [], max(deadline - time.monotonic(), 0))[1]:
                raise _NoAnswerError("It takes no request")
            left = left[os.write(self._requests, left[:_CHUNK]) :]

    def _receive(self, size: int, deadline: float) -> bytes:
        found = bytearray()
        while len(found) < size:
            if not select.select([self._answers], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise _NoAnswerError("It gives no answer")
            chunk = os.read(self._answers, min(size - len(found), _CHUNK))
            if not chunk:
                raise _NoAnswerError("It has ended")
            found += chunk
        return bytes(found)

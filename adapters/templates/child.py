"""The process in which templates are rendered: reads requests on its input, answers each on its output.

It is started as a script, with an empty environment, and knows nothing of the service. Each template gets a fork of its
own, bounded in time, memory and output, which can open no file and no connection. Whatever a template does ends with
the fork.

A frame is a length of 4 bytes and as many bytes. A request is JSON: `source`, `variables` and the bounds. An answer
begins with a byte: `=` and the page, or `!` and what went wrong.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from typing import Any, BinaryIO

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

_PAGE = b"="
_FAILED = b"!"
_LENGTH_BYTES = 4
_SHOWN_CHARACTERS = 300
_REHEARSAL = (
    "{{ lipsum(n=1) | urlize | wordwrap }}{{ {'a': 1.5} | tojson }}{{ [1, 2] | random }}{{ 'a' | urlencode }}",
    "{{ ''.format.__globals__.x }}",
    "{% include 'a' %}",
    "{% if %}",
)
_KILLED = "it took too long, or too much memory"


def main() -> None:
    """Answer requests until the input ends."""
    environment = ImmutableSandboxedEnvironment(autoescape=True, keep_trailing_newline=True)
    # A fork can open no file, so what Jinja and Python load when they need it must be there before.
    for source in _REHEARSAL:
        _answer(environment, {"source": source, "variables": {}, "output_bytes": 10_000})
    # Whoever asks ends this process when it is not needed any more, not the terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while (request := _read(requests)) is not None:
        fork = os.fork()
        if not fork:
            _render_and_exit(environment, request, answers)
        _, status = os.waitpid(fork, 0)
        if status:
            _write(answers, _FAILED + _KILLED.encode())


def _render_and_exit(environment: ImmutableSandboxedEnvironment, request: bytes, answers: BinaryIO) -> None:
    status = 1
    try:
        asked = json.loads(request)
        _confine(asked)
        answer = _answer(environment, asked)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(answers, answer)
        status = 0
    finally:
        # Without the end of the process that it is a copy of.
        os._exit(status)


def _confine(asked: dict[str, Any]) -> None:
    cpu, memory = asked["cpu_seconds"], asked["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):
        # Not every system bounds the address space.
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, asked["wall_seconds"])


def _answer(environment: ImmutableSandboxedEnvironment, asked: dict[str, Any]) -> bytes:
    most = asked["output_bytes"]
    page = bytearray(_PAGE)
    try:
        for piece in environment.from_string(asked["source"]).generate(asked["variables"]):
            page += piece.encode("utf-8", "replace")
            if len(page) > most:
                return _FAILED + b"the page is larger than %d bytes" % most
    except MemoryError:
        return _FAILED + _KILLED.encode()
    except RecursionError:
        return _FAILED + b"it calls itself too deeply"
    except Exception as error:  # noqa: BLE001 - A template may raise whatever Python does.
        return _FAILED + _described(error).encode("utf-8", "replace")
    return bytes(page)


def _described(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    if line is None:
        # Not by what formats tracebacks, which opens the files that they name.
        frames = traceback.walk_tb(error.__traceback__)
        lines = [number for frame, number in frames if frame.f_code.co_filename == "<template>"]
        line = lines[-1] if lines else None
    text = error.message if isinstance(error, TemplateError) else str(error)
    text = text or type(error).__name__
    return f"line {line}: {text}"[:_SHOWN_CHARACTERS] if line else text[:_SHOWN_CHARACTERS]


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    return body if len(body) == size else None


def _write(stream: BinaryIO, body: bytes) -> None:
    stream.write(len(body).to_bytes(_LENGTH_BYTES, "big"))
    stream.write(body)
    stream.flush()


if __name__ == "__main__":
    main()

"""Uploads that are cut off, are too large, or stop on their way: nothing changes, and nothing is left behind."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.client import People
from tests.support.refusals import SECONDS, Watch, furnish, raw_request
from tests.support.server import Server

MEBI = 1024 * 1024
LIMIT = 4 * MEBI
SETTINGS = {"ARTIFACT_MANAGER_UPLOAD_BYTES": str(LIMIT), "ARTIFACT_MANAGER_STALLED_SECONDS": "1"}
FILE = "/ws-user-alice/artifacts/draft/files/a.bin"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """A service with small limits."""
    with Server(tmp_path_factory.mktemp("service") / "data", SETTINGS) as server, People(server) as people:
        furnish(people)
        yield people


@pytest.fixture(scope="module")
def targets(furnished: People) -> list[tuple[str, str]]:
    """Give both addresses that take uploads, each with a header for them."""
    alice = furnished["alice"]
    url = urlsplit(alice.call("put_file", artifact_id="draft", file_path="a.bin"))
    return [(f"{url.path}?{url.query}", "X-None: -"), (FILE, f"Authorization: Bearer {alice.token}")]


def _head(target: tuple[str, str], framing: str) -> bytes:
    return f"PUT {target[0]} HTTP/1.1\r\nHost: x\r\n{target[1]}\r\n{framing}\r\n\r\n".encode()


def _stored(server: Server) -> set[Path]:
    return {path for path in (server.data_dir / "objects").rglob("*") if path.is_file()}


def _stored_when_quiet(server: Server) -> set[Path]:
    """Give what is stored once nothing is on its way any more, not even from the test before."""
    temporary = server.data_dir / "objects" / "tmp"
    ends = time.monotonic() + SECONDS
    while any(temporary.iterdir()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return _stored(server)


def _settled(server: Server, expected: set[Path]) -> bool:
    """Wait until nothing but this is stored; the service learns a moment later that a client has gone."""
    ends = time.monotonic() + SECONDS
    while _stored(server) != expected:
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


# Above 1 MiB a part is on the disk already when the client goes.
@pytest.mark.parametrize(
    ("declared", "sent"), [(1_000, 500), (1_000, 0), (3 * MEBI, 2 * MEBI), (3 * MEBI, 3 * MEBI - 1)]
)
@pytest.mark.parametrize("ending", ["cut", "reset", "half"])
def test_an_upload_that_is_cut_off(
    watch: Watch, targets: list[tuple[str, str]], declared: int, sent: int, ending: str
) -> None:
    before = _stored_when_quiet(watch.server)
    for target in targets:
        data = _head(target, f"Content-Length: {declared}") + b"x" * sent
        if ending == "half":
            status, answer = raw_request(watch.server, data, ends=True)
            assert status == 400
            assert b'"code":"incomplete_body"' in answer
        else:
            with socket.create_connection(("127.0.0.1", watch.server.port), timeout=SECONDS) as connection:
                if ending == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(data)
        assert _settled(watch.server, before)
    files = {entry["name"] for entry in watch.alice.call("list_files", artifact_id="draft", stage=True)}
    assert files == {"in stage.txt"}


def test_a_chunked_upload_that_is_cut_off(watch: Watch, targets: list[tuple[str, str]]) -> None:
    before = _stored_when_quiet(watch.server)
    chunk = b"%x\r\n%s\r\n" % (MEBI, b"x" * MEBI)
    for target in targets:
        for tail in (b"", chunk[:1_000], b"zz\r\n", b"-1\r\n"):
            framing = _head(target, "Transfer-Encoding: chunked")
            status, _ = raw_request(watch.server, framing + chunk * 2 + tail, ends=True)
            assert status == 400
            assert _settled(watch.server, before)


def test_an_upload_that_stands_still(watch: Watch, targets: list[tuple[str, str]]) -> None:
    before = _stored_when_quiet(watch.server)
    for target in targets:
        status, answer = raw_request(watch.server, _head(target, f"Content-Length: {3 * MEBI}") + b"x" * 2 * MEBI)
        assert status == 408
        assert b'"code":"request_timeout"' in answer
        assert _settled(watch.server, before)


def _pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * MEBI


def test_an_upload_that_is_too_large(watch: Watch, targets: list[tuple[str, str]]) -> None:
    before = _stored_when_quiet(watch.server)
    for path, header in targets:
        name, value = header.split(": ")
        url = watch.server.url + path
        declared = requests.put(url, data=b"x" * (LIMIT + 1), headers={name: value}, timeout=SECONDS)
        watch.check(declared, 413, code="too_large")
        counted = requests.put(url, data=_pieces(LIMIT // MEBI + 1), headers={name: value}, timeout=SECONDS)
        watch.check(counted, 413, code="too_large")
        assert _settled(watch.server, before)


def test_more_than_was_declared_is_the_next_request(watch: Watch) -> None:
    target = (FILE, f"Authorization: Bearer {watch.alice.token}")
    before = _stored_when_quiet(watch.server)
    # The length is refused before the body, so what follows must not be taken for a request.
    data = _head(target, f"Content-Length: {LIMIT + 1}") + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    status, answer = raw_request(watch.server, data, ends=True)
    assert status == 413
    assert answer.count(b"HTTP/1.1") == 1
    assert _settled(watch.server, before)


def test_as_much_as_is_allowed_is_taken(furnished: People) -> None:
    alice = furnished["alice"]
    alice.dataset("largest", {"a.bin": b"x" * LIMIT})
    assert alice.download("largest", "a.bin") == b"x" * LIMIT


def test_a_download_that_is_cut_off_costs_nobody_anything(furnished: People) -> None:
    alice = furnished["alice"]
    alice.dataset("read", {"a.bin": b"x" * LIMIT})
    url = urlsplit(alice.call("get_file", artifact_id="read", file_path="a.bin", silent=True))
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", furnished.server.port), timeout=SECONDS) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert alice.download("read", "a.bin") == b"x" * LIMIT
    assert Watch(furnished).problems() == []

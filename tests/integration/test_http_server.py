"""The real server in a process of its own: streams, connections that end early, orderly and sudden ends."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest

from api.http.addresses import AddressInUseError, choose_port
from tests.support.fake_service import LARGE

DRAIN_SECONDS = 5
READ = "/lab/artifacts/data/files/{}?use_proxy=true"
TOKEN = {"authorization": "Bearer alice-token"}


class Service:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fake_service", str(DRAIN_SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        timer = threading.Timer(30, self.process.kill)
        timer.start()
        self.url = self.process.stdout.readline().strip()
        timer.cancel()
        self.port = int(self.url.rsplit(":", 1)[1])

    def close(self) -> str:
        self.process.kill()
        return self.process.communicate()[1]

    def send(self, text: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(text)
        return connection

    def begin_upload(self, name: str, rest: bytes) -> socket.socket:
        """Begin an upload, and wait until the service reads its body."""
        head = f"PUT /s3/{name}?signature=good HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
        connection = self.send(head.encode() + rest)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        return connection

    def is_there(self, name: str) -> bool:
        return httpx.get(self.url + READ.format(name), headers=TOKEN).status_code == 200


@pytest.fixture(scope="module")
def shared() -> Iterator[Service]:
    """A service that the tests which leave it running share."""
    service = Service()
    yield service
    service.close()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


def _answer(connection: socket.socket) -> bytes:
    with connection:
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_bodies_pass_in_both_directions(shared: Service) -> None:
    data = bytes(range(256)) * (LARGE // 256)
    with httpx.Client(base_url=shared.url, headers=TOKEN, timeout=30) as client:
        assert client.put("/lab/artifacts/data/files/new", content=data).status_code == 200
        whole = client.get(READ.format("new"))
        part = client.get(READ.format("new"), headers={"range": f"bytes={LARGE - 3}-"})
        head = client.head("/lab/artifacts/data/files/new")
        again = client.get("/health/live")
    assert whole.content == data
    assert (part.status_code, part.content) == (206, data[-3:])
    assert (head.headers["content-length"], head.content) == (str(LARGE), b"")
    assert again.status_code == 200


def test_an_upload_that_is_refused_early_still_gets_its_answer(shared: Service) -> None:
    with httpx.Client(base_url=shared.url, timeout=30) as client:
        refused = client.put("/s3/x?signature=bad", content=b"x" * 4 * LARGE)
        too_large = client.put("/s3/x?signature=good", content=b"x" * 4 * LARGE)
    assert (refused.status_code, too_large.status_code) == (403, 413)


def test_an_answer_that_fails_half_way_is_seen_to_be_incomplete(service: Service) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(service.url + READ.format("broken"), headers=TOKEN)
    assert "differs from its record by 1 bytes" in service.close()


@pytest.mark.parametrize(
    ("kind", "part"),
    [(b"Content-Length: 100\r\n\r\n", b"hello"), (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n")],
    ids=["declared", "chunked"],
)
def test_an_upload_that_is_cut_off_changes_nothing(service: Service, kind: bytes, part: bytes) -> None:
    connection = service.begin_upload("cut", kind)
    connection.sendall(part)
    connection.close()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(DRAIN_SECONDS * 2) == 0
    log = service.close()
    assert '"status":499' in log
    assert '"status":200' not in log


def test_clients_that_stall_are_told_so_and_disconnected(shared: Service) -> None:
    connections = [shared.begin_upload(f"stalled{number}", b"Content-Length: 100\r\n\r\n") for number in range(20)]
    for connection in connections:
        connection.sendall(b"hello")
    for connection in connections:
        assert _answer(connection).startswith(b"HTTP/1.1 408 ")
    assert not shared.is_there("stalled0")


def test_a_client_may_ask_before_it_sends(shared: Service) -> None:
    connection = shared.begin_upload("asked", b"Content-Length: 5\r\n\r\n")
    connection.sendall(b"hello")
    assert _answer(connection).startswith(b"HTTP/1.1 200 ")
    assert shared.is_there("asked")


def test_an_orderly_stop_lets_requests_end_and_closes_idle_connections(service: Service) -> None:
    with httpx.Client(base_url=service.url, timeout=30) as idle:
        assert idle.get("/health").status_code == 200
        upload = service.begin_upload("late", b"Content-Length: 5\r\n\r\n")
        service.process.send_signal(signal.SIGTERM)
        while idle.get("/health").status_code != 503:
            pass
        upload.sendall(b"hello")
        assert _answer(upload).startswith(b"HTTP/1.1 200 ")
        assert service.process.wait(DRAIN_SECONDS * 2) == 0
    log = service.close()
    assert '"level":"error"' not in log


def test_a_stop_does_not_wait_for_ever(service: Service) -> None:
    with service.send(b"POST /public/services/ws/wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"):
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(DRAIN_SECONDS * 3) == 0


def test_sigkill_frees_the_port(service: Service) -> None:
    with pytest.raises(AddressInUseError, match="Address already in use"):
        choose_port("127.0.0.1", service.port)
    service.close()
    assert choose_port("127.0.0.1", service.port) == service.port


def test_a_free_port_is_found() -> None:
    assert choose_port("127.0.0.1", 0) > 0
    with pytest.raises(AddressInUseError, match="Cannot listen"):
        choose_port("192.0.2.1", 0)

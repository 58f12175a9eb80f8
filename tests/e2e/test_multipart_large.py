"""A file of 5 GiB in parts, and a service that is killed while it makes one file of many parts."""

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.client import METHODS, Client, People
from tests.support.server import Server

MEBI = 1024 * 1024
PART_BYTES = 128 * MEBI
PARTS = 40
SENDERS = 2
BLOCK = os.urandom(MEBI)
GROWTH_BYTES = 96 * MEBI
"""What the service may grow by, whatever the size of the file; its threads and their buffers are in it."""
SECONDS = 300
START, COMPLETE = "put_file_start_multipart", "put_file_complete_multipart"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Give a place for a lot of data, which is freed at once and not when pytest forgets the directory."""
    if shutil.disk_usage(tmp_path).free < 3 * PARTS * PART_BYTES:
        pytest.fail("needs 15 GiB of free disk")
    yield tmp_path / "data"
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def blocks(number: int) -> Iterator[bytes]:
    """Generate the bytes of a part: no two parts are alike."""
    yield number.to_bytes(8, "big") + BLOCK[8:]
    for _ in range(PART_BYTES // MEBI - 1):
        yield BLOCK


def send(client: httpx.Client, part: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-length": str(PART_BYTES)}
    answer = client.put(part["url"], content=blocks(part["part_number"]), headers=headers)
    assert answer.status_code == 200, answer.text
    return {"part_number": part["part_number"], "etag": answer.headers["etag"]}


def begin(alice: Client, part_count: int) -> dict[str, Any]:
    alice.call("create", alias="large", manifest={}, stage=True)
    begun: dict[str, Any] = alice.call(START, artifact_id="large", file_path="large.bin", part_count=part_count)
    with httpx.Client(timeout=SECONDS) as client, ThreadPoolExecutor(SENDERS) as threads:
        parts = list(threads.map(lambda part: send(client, part), begun["parts"]))
    return {"artifact_id": "large", "upload_id": begun["upload_id"], "parts": parts}


def resident_bytes(server: Server) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


class Peak(threading.Thread):
    """Watches the memory of a service until it is told to stop."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._over = threading.Event()
        self.bytes = resident_bytes(server)

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.bytes = max(self.bytes, resident_bytes(self._server))

    def stop(self) -> int:
        self._over.set()
        self.join()
        return self.bytes


@pytest.mark.slow
def test_a_file_of_five_gibibytes(data: Path) -> None:
    with Server(data) as server, People(server) as people:
        alice = people["alice"]
        alice.http.timeout = httpx.Timeout(SECONDS)
        alice.dataset("warm", {"a": BLOCK})
        before = resident_bytes(server)
        peak = Peak(server)
        peak.start()
        named = begin(alice, PARTS)
        with ThreadPoolExecutor(1) as threads:
            completing = threads.submit(alice.call, COMPLETE, **named)
            with httpx.Client(base_url=server.url, timeout=SECONDS) as other:
                answered = 0
                while not completing.done():
                    # Others are answered while the file is made.
                    assert other.get("/ws-user-alice/artifacts/warm").status_code in {200, 403}
                    answered += 1
                    time.sleep(0.01)
        assert completing.result()["success"]
        assert answered > 0
        grown = peak.stop() - before
        assert grown < GROWTH_BYTES, f"The service grew by {grown // MEBI} MiB"
        assert list((data / "objects" / "multipart").iterdir()) == []
        alice.call("commit", artifact_id="large")
        (entry,) = alice.call("list_files", artifact_id="large")
        assert entry["size"] == PARTS * PART_BYTES
        assert entry["etag"].endswith(f"-{PARTS}")
        url = alice.call("get_file", artifact_id="large", file_path="large.bin")
        for number in (1, 2, PARTS):
            start = (number - 1) * PART_BYTES
            part = httpx.get(url, headers={"range": f"bytes={start}-{start + 7}"})
            assert part.content == number.to_bytes(8, "big")
        seams = httpx.get(url, headers={"range": f"bytes={PART_BYTES - 5}-{PART_BYTES + 7}"})
        assert seams.content == BLOCK[-5:] + (2).to_bytes(8, "big")


@pytest.mark.slow
def test_a_service_that_is_killed_while_it_makes_the_file(data: Path) -> None:
    with Server(data) as server, People(server) as people:
        alice = people["alice"]
        named = begin(alice, 6)
        temporary = data / "objects" / "tmp"
        killed = 0
        for milliseconds in (0, 30, 100, 200, 300):
            with ThreadPoolExecutor(1) as threads:
                completing = threads.submit(_complete_or_die, alice, named)
                deadline = time.monotonic() + SECONDS
                while not any(temporary.iterdir()) and not completing.done() and time.monotonic() < deadline:
                    time.sleep(0.001)
                time.sleep(milliseconds / 1000)
                server.kill()
                killed += completing.result(SECONDS) is None
            server.start()
            # Whatever the moment, nothing of it is left, and the parts or the file are there.
            assert list(temporary.iterdir()) == []
        assert killed
        alice.http.timeout = httpx.Timeout(SECONDS)
        assert alice.call(COMPLETE, **named)["success"]
        alice.call("commit", artifact_id="large")
        digest, size = hashlib.sha256(), 0
        url = alice.call("get_file", artifact_id="large", file_path="large.bin")
        expected = hashlib.sha256()
        for number in range(1, 7):
            for block in blocks(number):
                expected.update(block)
        with httpx.stream("GET", url, timeout=SECONDS) as answer:
            for chunk in answer.iter_bytes():
                digest.update(chunk)
                size += len(chunk)
        assert size == 6 * PART_BYTES
        assert digest.digest() == expected.digest()
        types = [item["type"] for item in alice.get("/ws-user-alice/artifacts/large/history")["items"]]
        assert types.count("stage.file_uploaded") == 1


def _complete_or_die(alice: Client, named: dict[str, Any]) -> int | None:
    try:
        return alice.http.post(METHODS + COMPLETE, json=named).status_code
    except httpx.TransportError:
        return None

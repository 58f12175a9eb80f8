"""What the service does when its disk, its read models or its operator fail it."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.client import METHODS, Client, People, put
from tests.support.disks import filled, make_read_only, small_disk
from tests.support.refusals import SECONDS, Watch, furnish
from tests.support.server import Server, run

MEBI = 1024 * 1024
FILE = "/ws-user-alice/artifacts/draft/files/a.bin"


@pytest.fixture
def people(server: Server) -> Iterator[People]:
    with People(server) as people:
        furnish(people)
        yield people


def _shown(client: Client) -> dict[str, Any]:
    """Gather what the read models answer, without adding to it."""
    gallery = client.record("gallery")["_id"]
    return {
        "list": client.call("list", stage="all", order_by="id"),
        "search": client.call("search", keywords=["data", "draft"], order_by="id"),
        "children": client.call("list", parent_id=gallery, silent=True, pagination=True),
        "counts": client.call("list", filters={"alias": "data"}, list_fields=["view_count", "download_count"]),
    }


def test_a_full_disk_refuses_what_it_cannot_keep_and_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk, Server(disk / "data") as server, People(server) as people:
        furnish(people)
        alice, watch = people["alice"], Watch(people)
        url = alice.call("put_file", artifact_id="draft", file_path="a.bin")
        before, shown = watch.heads(), alice.call("list", stage="all")
        temporary = server.data_dir / "objects" / "tmp"
        # A file that is larger than all that is left goes without a trace.
        watch.check(requests.put(url, data=b"x" * 30 * MEBI, timeout=SECONDS), 507, code="storage_full")
        assert list(temporary.iterdir()) == []
        with filled(disk):
            for method, arguments in (
                ("create", {"alias": "new", "manifest": {"text": "x" * 20_000}}),
                ("create", {"alias": "new", "manifest": {"text": "x" * 900_000}}),
                ("edit", {"artifact_id": "data", "manifest": {"text": "x" * 20_000}}),
                ("write_file", {"artifact_id": "draft", "file_path": "new", "content": "x"}),
                ("get_file", {"artifact_id": "data", "file_path": "a.txt"}),
            ):
                watch.check(alice.http.post(METHODS + method, json=arguments), 507, code="storage_full")
            for size in (100, 3 * MEBI):
                watch.check(requests.put(url, data=b"x" * size, timeout=SECONDS), 507, code="storage_full")
                watch.check(alice.http.put(FILE, content=b"x" * size), 507, code="storage_full")
            # What needs no space goes on, and counting must not keep anybody from reading.
            assert alice.call("list", stage="all") == shown
            assert alice.call("read", artifact_id="data")["alias"] == "data"
        assert watch.heads() == before
        assert list(temporary.iterdir()) == []
        _use(alice, url)
        listed = alice.call("list", stage="all", order_by="id")
        assert server.terminate() == 0
        server.start()
        assert alice.call("list", stage="all", order_by="id") == listed
        assert alice.download("draft", "a.bin") == b"x" * MEBI


def _use(alice: Client, url: str) -> None:
    """Do each thing once that the full disk has refused."""
    alice.call("create", alias="new", manifest={"text": "x" * 20_000})
    alice.call("edit", artifact_id="data", manifest={"text": "changed"})
    alice.call("write_file", artifact_id="draft", file_path="new", content="x")
    assert put(url, b"x" * MEBI).status_code == 200
    alice.call("commit", artifact_id="draft")
    assert alice.download("data", "a.txt", silent=False) == b"hello"
    assert alice.record("data")["download_count"] == 0


def test_a_directory_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk:
        with Server(disk / "data", {"ARTIFACT_MANAGER_LOG_LEVEL": "error"}):
            pass
        make_read_only(disk)
        for directory in ("data", "new"):
            ended = run("serve", "--port", "0", "--data-dir", str(disk / directory))
            assert (ended.returncode, ended.stdout) == (1, "")
            assert "Read-only file system" in ended.stderr
            assert "Traceback" not in ended.stderr


def _begin_upload(server: Server, token: str | None) -> socket.socket:
    """Send two of the three MiB of an upload, and wait until the service has begun to take them."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
    head = f"PUT {FILE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {3 * MEBI}\r\n\r\n"
    connection.sendall(head.encode() + b"x" * 2 * MEBI)
    temporary = server.data_dir / "objects" / "tmp"
    ends = time.monotonic() + SECONDS
    while not any(path.stat().st_size for path in temporary.iterdir()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return connection


def _is_refused(server: Server) -> bool:
    try:
        return requests.get(f"{server.url}/ws-user-alice/artifacts/", timeout=SECONDS).status_code == 503
    except requests.ConnectionError:
        return True


def test_what_has_begun_is_finished_before_an_orderly_end(server: Server, people: People) -> None:
    with _begin_upload(server, people["alice"].token) as connection:
        os.kill(server.pid, signal.SIGTERM)
        while not _is_refused(server):
            pass
        connection.sendall(b"x" * MEBI)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert server.wait() == 0
    server.start()
    assert people["alice"].download("draft", "a.bin", stage=True) == b"x" * 3 * MEBI


def test_what_does_not_end_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with Server(tmp_path / "data", {"ARTIFACT_MANAGER_DRAIN_SECONDS": "0.5"}) as server, People(server) as people:
        furnish(people)
        with _begin_upload(server, people["alice"].token):
            assert server.terminate() == 0
        server.start()
        assert list((server.data_dir / "objects" / "tmp").iterdir()) == []
        assert [entry["name"] for entry in people["alice"].call("list_files", artifact_id="draft", stage=True)] == [
            "in stage.txt"
        ]


def _files(server: Server, pattern: str) -> list[Path]:
    found = sorted((server.data_dir / "projections").glob(pattern))
    assert found
    return found


def _garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 1_000)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _scribbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100 : len(data) : 64] = b"\xff" * len(data[100 : len(data) : 64])
    path.write_bytes(data)


DAMAGES: list[tuple[str, Callable[[Path], None]]] = [
    ("*.db", Path.unlink),
    ("*.db", _garbage),
    ("*.db", _truncated),
    ("*.db", _scribbled),
    ("*.json", Path.unlink),
    ("*.json", _scribbled),
    ("*.json", _truncated),
    ("catalog*", Path.unlink),
]


def test_read_models_that_are_damaged_are_made_anew(server: Server, people: People) -> None:
    alice = people["alice"]
    alice.call("set_download_weight", artifact_id="data", file_path="a.txt", download_weight=2)
    alice.download("data", "a.txt", silent=False)
    before = _shown(alice)
    assert before["counts"][0]["download_count"] == 2
    for pattern, damage in DAMAGES:
        assert server.terminate() == 0
        for path in _files(server, pattern):
            damage(path)
        server.start()
        assert _shown(alice) == before, (pattern, damage)
    alice.call("create", alias="after", manifest={})
    assert "after" in alice.aliases()


def _status(server: Server) -> dict[str, list[str]]:
    shown = run("projections", "status", "--data-dir", str(server.data_dir))
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    return {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines()}


@pytest.mark.parametrize("is_running", [True, False])
def test_read_models_are_looked_at_and_rebuilt(server: Server, people: People, is_running: bool) -> None:
    alice = people["alice"]
    before = _shown(alice)
    if not is_running:
        server.terminate()
    status = _status(server)
    assert set(status) == {"name", "catalog", "stages", "statistics"}
    # Version, position, head, lag and parked events.
    assert status["catalog"][1] == status["catalog"][2]
    assert status["catalog"][3:] == ["0", "0"]
    for name in ("catalog", "stages", "statistics"):
        rebuilt = run("projections", "rebuild", name, "--data-dir", str(server.data_dir))
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert rebuilt.stdout.startswith(f"{name} was rebuilt as {name}-v")
    after = _status(server)
    assert [after[name][1:] for name in ("catalog", "stages", "statistics")] == [
        [status[name][2], status[name][2], "0", "0"] for name in ("catalog", "stages", "statistics")
    ]
    if not is_running:
        server.start()
    assert _shown(alice) == before
    alice.call("create", alias="after", manifest={})
    assert "after" in alice.aliases()


def test_the_log_is_json_and_holds_nothing_that_opens_a_door(server: Server, people: People) -> None:
    alice = people["alice"]
    upload = alice.upload("draft", "secret-name.txt", b"secret bytes")
    download = alice.call("get_file", artifact_id="data", file_path="a.txt")
    requests.get(download + "0", timeout=SECONDS)
    put(upload + "0", b"x")
    generated = alice.workspaces("generate_token", config={})
    for token in (alice.token, generated, f"{alice.token}x"):
        alice.http.get("/ws-user-alice/artifacts/data/files/a.txt", params={"token": token, "use_proxy": "true"})
        alice.http.get("/ws-user-alice/artifacts/", headers={"cookie": f"access_token={token}"})
        alice.http.get("/ws-user-alice/artifacts/data", params={"token": token, "bogus": "private-word"})
        alice.http.post(f"/public/services/ws/parse_token?token={token}", json={"token": token})
    alice.http.post(METHODS + "create", json={"alias": "bad alias", "manifest": {"a": "private-word"}})
    alice.http.get("/nothing?signature=private-word")
    assert server.terminate() == 0
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert {"serving", "request", "stopped"} <= {line["event"] for line in lines}
    for line in lines:
        assert {"event", "level", "timestamp"} <= set(line)
    assert {line["level"] for line in lines} == {"info"}
    signatures = re.findall(r"signature=([0-9a-f]+)", upload + download)
    assert len(signatures) == 2
    for secret in (*signatures, alice.token, generated, urlsplit(upload).query, "private-word", "secret", "token="):
        assert str(secret) not in server.log


def test_a_burst_of_errors_of_callers_is_no_error_of_the_service(people: People) -> None:
    watch = Watch(people)
    for number in range(200):
        assert people["alice"].http.post(METHODS + "read", json={"artifact_id": f"nothing-{number}"}).status_code == 404
    assert watch.problems() == []

"""The main job with real files, and what is left of it when the service is killed."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from tests.support.client import Client, People, RefusedError, fetch, put
from tests.support.server import Server

ALICE = "ws-user-alice"
WORKERS = 8


@pytest.fixture
def people(server: Server) -> Iterator[People]:
    with People(server) as people:
        yield people


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _real_files(directory: Path) -> dict[str, Path]:
    """Write files of different kinds to disk: text, a table, bytes of every value, an empty one, odd names."""
    contents = {
        "data.csv": b"id,name\n" + b"".join(b"%d,cell %d\n" % (number, number) for number in range(2_000)),
        "README.md": "# Cells\n\nÅngström, 細胞.\n".encode(),
        "images/plate 1/a+b.bin": bytes(range(256)) * 4_096,
        "images/plate 1/empty.bin": b"",
        "日本/データ.txt": b"data\n" * 10,
    }
    files: dict[str, Path] = {}
    for number, (path, content) in enumerate(contents.items()):
        files[path] = directory / f"file-{number}"
        files[path].write_bytes(content)
    return files


def _facts(client: Client, artifact_id: str, paths: list[str]) -> dict[str, Any]:
    """Gather what must be the same before and after a crash. Only the last of these calls counts anything."""
    return {
        "record": client.record(artifact_id),
        "files": client.call("list_files", artifact_id=artifact_id),
        "bytes": {path: _sha256(client.download(artifact_id, path)) for path in paths},
        "list": client.call("list", parent_id=f"{ALICE}/gallery", silent=True),
        "search": client.call("search", parent_id=f"{ALICE}/gallery", keywords=["ångström"]),
        "history": client.get(f"/{ALICE}/artifacts/cells/history"),
    }


def test_the_main_job_survives_sigkill(server: Server, people: People, tmp_path: Path) -> None:
    alice, anyone = people["alice"], people.anonymous()
    gallery = alice.call(
        "create",
        alias="gallery",
        type="collection",
        manifest={"name": "Dataset Gallery"},
        config={"permissions": {"*": "r", "@": "r+"}},
    )
    assert gallery["id"] == f"{ALICE}/gallery"

    draft = alice.call(
        "create",
        parent_id=gallery["id"],
        alias="cells",
        manifest={"name": "Cells", "description": "Measured in Ångström"},
        stage=True,
        comment="first draft",
    )
    assert draft["versions"] == []
    assert draft["staging"] == [{"_intent": "new_version"}]
    assert anyone.aliases(parent_id=gallery["id"]) == []

    files = _real_files(tmp_path)
    for path, file in files.items():
        url = alice.call("put_file", artifact_id=draft["id"], file_path=path, download_weight=0.5)
        with file.open("rb") as data:
            assert requests.put(url, data=data, timeout=60).ok
    committed = alice.call("commit", artifact_id=draft["id"], comment="reviewed")
    assert [version["version"] for version in committed["versions"]] == ["v0"]
    assert committed["staging"] is None
    assert committed["file_count"] == len(files)

    assert anyone.aliases(parent_id=gallery["id"]) == ["cells"]
    found = anyone.call("search", parent_id=gallery["id"], keywords=["ångström"])
    assert [record["id"] for record in found] == [draft["id"]]
    for path, file in files.items():
        url = anyone.call("get_file", artifact_id=draft["id"], file_path=path)
        answer = requests.get(url, timeout=60)
        assert answer.content == file.read_bytes()
    read = anyone.call("read", artifact_id=draft["id"])
    assert (read["download_count"], read["view_count"]) == (0.5 * len(files), 1.0)

    before = _facts(alice, draft["id"], list(files))
    server.kill()
    server.start()
    after = _facts(alice, draft["id"], list(files))
    assert after == before
    assert after["bytes"] == {path: _sha256(file.read_bytes()) for path, file in files.items()}
    comments = [event["comment"] for event in after["history"]["items"]]
    assert {"first draft", "reviewed"} <= set(comments)
    # It goes on where it stopped.
    assert anyone.call("read", artifact_id=draft["id"])["view_count"] == 2.0


class _Load:
    """Creates artifacts with files from several threads until the service dies, and keeps what was acknowledged."""

    def __init__(self, client: Client, collection: str) -> None:
        self._client = client
        self._collection = collection
        self.created: dict[str, dict[str, Any]] = {}
        self.uploaded: dict[str, dict[str, bytes]] = {}
        self.committed: set[str] = set()
        self.enough = threading.Event()

    def run(self, worker: int) -> None:
        try:
            for number in range(10_000):
                self._one(f"{worker}-{number}")
        except (httpx.TransportError, requests.RequestException):
            return

    def _one(self, name: str) -> None:
        alias = f"load-{name}"
        record = self._client.call(
            "create", parent_id=self._collection, alias=alias, manifest={"name": alias, "part": name}, stage=True
        )
        self.created[record["id"]] = record
        files = {path: f"{name} {path}\n".encode() * 5_000 for path in ("a.bin", "b/c.bin")}
        urls = self._client.call("put_file", artifact_id=record["id"], file_path=list(files))
        for path, data in files.items():
            assert put(urls[path], data).status_code == 200
            self.uploaded.setdefault(record["id"], {})[path] = data
        self._client.call("commit", artifact_id=record["id"])
        self.committed.add(record["id"])
        if len(self.committed) >= 3 * WORKERS:
            self.enough.set()


def test_a_kill_amid_parallel_writes_loses_nothing_acknowledged_and_leaves_nothing_in_half(
    server: Server, people: People
) -> None:
    alice = people["alice"]
    collection = alice.call("create", alias="load", type="collection", manifest={"name": "Load"})["id"]
    load = _Load(alice, collection)
    with ThreadPoolExecutor(WORKERS) as threads:
        running = [threads.submit(load.run, worker) for worker in range(WORKERS)]
        assert load.enough.wait(60)
        server.kill()
        for future in running:
            future.result(60)
    server.start()

    listed = {
        record["id"]: record
        for record in alice.call("list", parent_id=collection, stage="all", limit=1000, silent=True)
    }
    assert set(load.created) <= set(listed)
    for artifact_id, record in listed.items():
        # What nobody was told of may be there as well, but then all of it.
        assert record["manifest"] == {"name": record["alias"], "part": record["alias"].removeprefix("load-")}
        assert alice.record(record["_id"])["id"] == artifact_id
        if artifact_id in load.committed:
            assert len(record["versions"]) == 1
        for path, data in load.uploaded.get(artifact_id, {}).items():
            stage = not record["versions"]
            assert alice.download(artifact_id, path, stage=stage) == data
        if record["versions"]:
            assert record["file_count"] == 2
            urls = alice.call("get_file", artifact_id=artifact_id, file_path=["a.bin", "b/c.bin"], silent=True)
            for path, url in urls.items():
                assert fetch(url) == f"{record['manifest']['part']} {path}\n".encode() * 5_000
    assert alice.record(collection)["config"]["child_count"] == len(listed)
    # Nothing is stuck: a draft that was interrupted can be finished.
    for artifact_id, record in listed.items():
        if not record["versions"]:
            for path in ("a.bin", "b/c.bin"):
                alice.upload(artifact_id, path, b"again")
            assert alice.call("commit", artifact_id=artifact_id)["file_count"] == 2
    with pytest.raises(RefusedError, match="already exists"):
        alice.call("create", alias="load", manifest={"name": "again"})

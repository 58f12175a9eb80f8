"""The service is killed again and again while many callers change it: what was acknowledged is all there."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import requests

from tests.support.client import METHODS, Client, People, fetch, put
from tests.support.server import Server

ROUNDS = 6
WORKERS = 2
WEIGHT = 0.5
ENOUGH = 40
SECONDS = 60


class _Load:
    """What callers do until the service dies, and what they were told.

    `positions` are those of acknowledged commands; `created` and `bytes` hold what artifacts must contain, by id.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.positions: list[int] = []
        self.created: dict[str, dict[str, Any]] = {}
        self.bytes: dict[str, bytes] = {}
        self.counts: Counter[str] = Counter()
        self.enough = threading.Event()

    def run(self, name: str) -> None:
        try:
            for number in range(100_000):
                self._one(f"{name}-{number}")
        except (httpx.TransportError, requests.RequestException):
            return

    def _command(self, method: str, **arguments: Any) -> Any:
        answer = self._client.http.post(METHODS + method, json=arguments)
        assert answer.status_code == 200, answer.text
        with self._lock:
            self.positions.append(int(answer.headers["x-event-position"]))
        return answer.json()

    def _one(self, name: str) -> None:
        manifest = {"name": name, "text": name * 100}
        record = self._command("create", alias=name, parent_id="load", manifest=manifest, stage=True)
        self.created[record["id"]] = manifest
        data = name.encode() * 2_000
        assert put(self._command("put_file", artifact_id=record["id"], file_path="a/b.bin"), data).status_code == 200
        self._command("commit", artifact_id=record["id"])
        self.bytes[record["id"]] = data
        edited = {**manifest, "edited": True}
        self._command("edit", artifact_id=record["id"], manifest=edited)
        self.created[record["id"]] = edited
        self._download()
        with self._lock:
            self.counts["done"] += 1
            if self.counts["done"] % ENOUGH == 0:
                self.enough.set()

    def _download(self) -> None:
        with self._lock:
            self.counts["begun"] += 1
        url = self._client.call("get_file", artifact_id="hot", file_path="a.txt")
        with self._lock:
            self.counts["acknowledged"] += 1
        assert fetch(url) == b"hot"


def _check(alice: Client, load: _Load, server: Server) -> None:
    head = alice.http.get("/health/ready").json()["detail"]["projections"]["catalog"]
    assert head["position"] + head["lag"] >= max(load.positions)
    # A position that is given twice would be an event that was lost.
    assert len(set(load.positions)) == len(load.positions)

    listed = {record["id"]: record for record in _children(alice)}
    assert set(load.created) <= set(listed)
    for artifact_id, manifest in load.created.items():
        found = listed[artifact_id]["manifest"]
        # An edit whose answer was lost may have been made.
        assert found in (manifest, {**manifest, "edited": True})
        assert alice.record(artifact_id)["manifest"] == found
    for artifact_id, data in load.bytes.items():
        assert alice.download(artifact_id, "a/b.bin") == data

    count = alice.record("hot")["download_count"] / WEIGHT
    assert load.counts["acknowledged"] <= count <= load.counts["begun"]
    assert list((server.data_dir / "objects" / "tmp").iterdir()) == []


def _children(alice: Client) -> list[dict[str, Any]]:
    children: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = alice.call(
            "list", parent_id="load", stage="all", limit=1000, silent=True, pagination=True, cursor=cursor
        )
        children += page["items"]
        cursor = page.get("next_cursor")
        if cursor is None:
            return children


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_however_often_the_service_is_killed(server: Server) -> None:
    with People(server) as people:
        alice = people["alice"]
        alice.call("create", alias="load", type="collection", manifest={})
        alice.dataset("hot", {"a.txt": b"hot"})
        alice.call("set_download_weight", artifact_id="hot", file_path="a.txt", download_weight=WEIGHT)
        load = _Load(alice)
        for round_number in range(ROUNDS):
            load.enough.clear()
            with ThreadPoolExecutor(WORKERS) as threads:
                running = [threads.submit(load.run, f"r{round_number}-{worker}") for worker in range(WORKERS)]
                is_enough = load.enough.wait(SECONDS)
                server.kill()
                for future in running:
                    future.result(SECONDS)
            assert is_enough
            server.start()
            _check(alice, load, server)
        history = alice.get(f"/ws-user-alice/artifacts/{next(iter(load.bytes)).split('/')[1]}/history")
        assert {"artifact.created", "artifact.committed"} <= {event["type"] for event in history["items"]}

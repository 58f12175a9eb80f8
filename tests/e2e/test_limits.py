"""What an operator can bound, on a running service: how often callers ask, and the disk of the access log."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests

from tests.support.client import Client, People
from tests.support.server import Server

BUDGET = 1024 * 1024
MOST_VIEWS = 20_000
FILES = "/ws-user-alice/artifacts/data/files/"


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[People]:
    """A service on which anonymous callers may ask five times, and users twenty times, and then wait for long."""
    environment = {
        "ARTIFACT_MANAGER_ANONYMOUS_REQUESTS_PER_SECOND": "0.001",
        "ARTIFACT_MANAGER_ANONYMOUS_BURST": "5",
        "ARTIFACT_MANAGER_USER_REQUESTS_PER_SECOND": "0.001",
        "ARTIFACT_MANAGER_USER_BURST": "20",
    }
    with Server(tmp_path / "data", environment) as server, People(server) as people:
        yield people


def test_each_caller_is_bounded_by_himself(limited: People) -> None:
    alice = limited["alice"]
    artifact = alice.dataset("data", {"a.txt": b"a"}, permissions={"*": "r"})
    path = "/ws-user-alice/artifacts/data?silent=true"
    answers = [alice.http.get(path) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    # Creating, announcing and committing were three; the upload by a presigned URL counts for its address.
    assert len(refused) == 3
    assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
    assert all(int(answer.headers["retry-after"]) > 900 for answer in refused)
    remaining = [int(answer.headers["ratelimit-remaining"]) for answer in answers]
    assert remaining == [*range(16, -1, -1), 0, 0, 0]
    # Others are not concerned.
    assert limited["bob"].record(artifact)["id"] == artifact
    anyone = limited.anonymous()
    assert [anyone.http.get(path).status_code for _ in range(6)] == [200] * 5 + [429]
    assert httpx.get(anyone.url + "/health/live").status_code == 200


def test_a_refused_upload_is_answered_although_nobody_reads_it(limited: People) -> None:
    alice = limited["alice"]
    alice.call("create", alias="data", manifest={}, stage=True)
    statuses = [alice.http.put(FILES + f"{number}", content=b"x").status_code for number in range(20)]
    assert statuses == [200] * 19 + [429]
    headers = {"authorization": f"Bearer {alice.token}"}
    answer = requests.put(alice.url + FILES + "more", data=b"x" * 200_000, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")


@pytest.fixture
def budgeted(tmp_path: Path) -> Iterator[People]:
    """A service whose access log may take one mebibyte."""
    environment = {"ARTIFACT_MANAGER_ACCESS_LOG_BYTES": str(BUDGET)}
    with Server(tmp_path / "data", environment) as server, People(server) as people:
        yield people


def test_beyond_the_budget_commands_go_on(budgeted: People) -> None:
    alice = budgeted["alice"]
    artifact = alice.dataset("data", {"a.txt": b"a"})
    alice.call("set_download_weight", artifact_id=artifact, file_path="a.txt", download_weight=1)
    alice.call("get_file", artifact_id=artifact, file_path="a.txt")
    url = alice.call("get_file", artifact_id=artifact, file_path="a.txt", silent=True)
    _spend(alice, artifact)

    for method in ("get_file", "read_file"):
        error = alice.refused(method, artifact_id=artifact, file_path="a.txt")
        assert (error.status, error.code) == (507, "storage_full")
    for path in ("files/a.txt", "files/a.txt?use_proxy=true", "create-zip-file"):
        answer = alice.http.get(f"/ws-user-alice/artifacts/data/{path}")
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full"), path
    # What records nothing works, and so does a URL that was given before.
    assert alice.http.head(FILES + "a.txt").status_code == 200
    assert httpx.get(url).content == b"a"
    assert alice.files(artifact) == ["a.txt"]

    # A view is answered and not counted.
    counted = alice.record(artifact)["view_count"]
    assert alice.call("read", artifact_id=artifact)["view_count"] == counted
    assert alice.record(artifact)["download_count"] == 1.0

    # Commands go on.
    alice.call("edit", artifact_id=artifact, stage=True, manifest={"name": "changed"})
    alice.upload(artifact, "b.txt", b"b")
    assert alice.call("commit", artifact_id=artifact)["file_count"] == 2
    assert alice.call("reset_stats", artifact_id=artifact) is None
    assert alice.record(artifact)["view_count"] == 0.0
    log = budgeted.server.log
    assert log.count("access_log_budget_spent") == 1
    assert '"event":"views_dropped"' in log
    # Views follow their answers, so that the log ends a little above its budget, and grows no more.
    size = (budgeted.server.data_dir / "access-log.db").stat().st_size
    assert size < 4 * BUDGET


def _spend(alice: Client, artifact: str) -> None:
    """Look at an artifact until looking is not counted any more."""
    before = -1.0
    for _ in range(MOST_VIEWS):
        seen = alice.call("read", artifact_id=artifact)["view_count"]
        if seen == before:
            return
        before = seen
    raise AssertionError("The budget was never spent")

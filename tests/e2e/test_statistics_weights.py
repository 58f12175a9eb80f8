"""Download weights, whichever way they are given, and counters that a rebuild does not change."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.client import Client, People, alias_of
from tests.support.server import Server, run

WS = "/ws-user-alice/artifacts"


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    return people["alice"]


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


def _weights(alice: Client, alias: str) -> Any:
    return alice.record(alias)["config"].get("download_weights", {})


def _count(alice: Client, alias: str) -> float:
    return float(alice.record(alias)["download_count"])


def _put(alice: Client, alias: str, path: str, **query: Any) -> str:
    """Upload to the address of a file; gives the entity tag."""
    answer = alice.http.put(f"{WS}/{alias}/files/{path}", content=b"x", params=query)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["etag"])


WAYS: dict[str, Callable[[Client, str], object]] = {
    "put_file": lambda alice, alias: alice.upload(alias, "a.txt", b"x", download_weight=1.5),
    "put_file, a list": lambda alice, alias: alice.call(
        "put_file", artifact_id=alias, file_path=["a.txt", "b.txt"], download_weight=[1.5, 0]
    ),
    "put_file, one for all": lambda alice, alias: alice.call(
        "put_file", artifact_id=alias, file_path=["a.txt"], download_weight=1.5
    ),
    "put_file, again": lambda alice, alias: [
        alice.call("put_file", artifact_id=alias, file_path="a.txt", download_weight=weight) for weight in (9, 0, 1.5)
    ],
    "PUT": lambda alice, alias: _put(alice, alias, "a.txt", download_weight=1.5),
    "PUT, again": lambda alice, alias: [_put(alice, alias, "a.txt", download_weight=weight) for weight in (9, 1.5)],
    "PUT without one keeps it": lambda alice, alias: [
        _put(alice, alias, "a.txt", download_weight=1.5),
        _put(alice, alias, "a.txt"),
    ],
    "set_download_weight": lambda alice, alias: alice.call(
        "set_download_weight", artifact_id=alias, file_path="a.txt", download_weight=1.5
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_give_a_weight(alice: Client, alias: str, way: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    WAYS[way](alice, alias)
    if way.startswith(("put_file", "set_")):
        for path in ("a.txt", "b.txt"):
            _put(alice, alias, path)
    # Weights of a stage take effect when it is committed, one that was set by itself at once.
    assert _weights(alice, alias) == ({"a.txt": 1.5} if way == "set_download_weight" else {})
    alice.call("commit", artifact_id=alias)
    assert _weights(alice, alias) == {"a.txt": 1.5}
    alice.call("get_file", artifact_id=alias, file_path="a.txt")
    assert _count(alice, alias) == 1.5
    # The next version of the file has it too, as it is the path's.
    alice.call("edit", artifact_id=alias, stage=True)
    alice.upload(alias, "a.txt", b"second")
    alice.call("commit", artifact_id=alias)
    assert _weights(alice, alias) == {"a.txt": 1.5}
    alice.call("set_download_weight", artifact_id=alias, file_path="a.txt", download_weight=0)
    assert _weights(alice, alias) == {}
    alice.call("get_file", artifact_id=alias, file_path="a.txt")
    assert _count(alice, alias) == 1.5


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (-1, "Download weight must be non-negative"),
        (-0.001, "Download weight must be non-negative"),
        (1_000_001, "at most 1000000"),
        ("heavy", "download_weight"),
        (None, "Missing required argument: 'download_weight'"),
        ([1], "download_weight"),
    ],
)
def test_a_weight_that_is_none(alice: Client, weight: Any, text: str) -> None:
    if "odd-weights" not in alice.aliases():
        alice.dataset("odd-weights", {"a.txt": b"a"})
    error = alice.refused("set_download_weight", artifact_id="odd-weights", file_path="a.txt", download_weight=weight)
    assert (error.status, text in error.detail) == (400, True), error.detail
    assert _weights(alice, "odd-weights") == {}


def test_lists_of_weights_are_as_long_as_those_of_paths(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    for weights, text in (
        ([1], "download_weight list length (1) must match file_path list length (2)"),
        ([1, 2, 3], "download_weight list length (3) must match file_path list length (2)"),
        ([1, -2], "Download weight must be non-negative: -2.0 at index 1"),
    ):
        error = alice.refused("put_file", artifact_id=alias, file_path=["a", "b"], download_weight=weights)
        assert (error.status, text in error.detail) == (400, True), error.detail
    assert alice.files(alias, stage=True, include_pending=True) == []


def test_a_weight_may_come_before_its_file_and_outlive_it(alice: Client, alias: str) -> None:
    artifact = alice.dataset(alias, {"a.txt": b"a"})
    alice.call("set_download_weight", artifact_id=artifact, file_path="later/b.txt", download_weight=0.25)
    alice.call("set_download_weight", artifact_id=artifact, file_path="create-zip-file", download_weight=5)
    alice.call("edit", artifact_id=artifact, stage=True)
    _put(alice, alias, "later/b.txt")
    alice.call("commit", artifact_id=artifact)
    for path in ("", "?silent=true"):
        assert alice.http.get(f"{WS}/{alias}/files/later/b.txt{path}").status_code == 307
    assert _count(alice, artifact) == 0.25
    assert _weights(alice, artifact) == {"later/b.txt": 0.25, "create-zip-file": 5}


def test_the_statistics_in_the_manifest(alice: Client, alias: str) -> None:
    artifact = alice.dataset(alias, {"a.txt": b"a"})
    alice.call("edit", artifact_id=artifact, version="new", manifest={"name": "second"})
    alice.call("edit", artifact_id=artifact, stage=True, manifest={"name": "third"})
    for options, name in (({}, "second"), ({"version": "v0"}, alias), ({"stage": True}, "third")):
        record = alice.call("read", artifact_id=artifact, silent=True, include_metadata=True, **options)
        statistics = {key: value for key, value in record["manifest"].items() if key.startswith(".")}
        assert record["manifest"]["name"] == name
        assert set(statistics) == {
            ".view_count",
            ".download_count",
            ".file_count",
            ".created_at",
            ".last_modified",
            ".created_by",
        }
        assert all(record[key.removeprefix(".")] == value for key, value in statistics.items())
    at_rest = alice.get(f"{WS}/{alias}", include_metadata="true", silent="true")
    assert at_rest["manifest"][".file_count"] == at_rest["file_count"]


def test_a_rebuild_beside_the_service_changes_no_count(server: Server) -> None:
    with People(server) as people, ThreadPoolExecutor(8) as threads:
        alice, anyone = people["alice"], people.anonymous()
        artifacts = [alice.dataset(f"data-{number}", {"a.txt": b"a"}, permissions={"*": "r"}) for number in range(3)]
        for artifact in artifacts:
            alice.call("set_download_weight", artifact_id=artifact, file_path="a.txt", download_weight=0.5)

        def visit(number: int) -> None:
            artifact = artifacts[number % 3]
            client = (alice, anyone)[number % 2]
            client.call("read", artifact_id=artifact)
            client.call("get_file", artifact_id=artifact, file_path="a.txt")
            client.call("get_file", artifact_id=artifact, file_path="a.txt", silent=True)

        list(threads.map(visit, range(300)))
        alice.call("reset_stats", artifact_id=artifacts[2])
        expected = [(100.0, 50.0), (100.0, 50.0), (0.0, 0.0)]
        assert [_counts(alice, artifact) for artifact in artifacts] == expected

        # Visits go on while it is built.
        going_on = [threads.submit(visit, number) for number in range(300)]
        rebuilt = run("projections", "rebuild", "statistics", "--data-dir", str(server.data_dir))
        assert rebuilt.returncode == 0, rebuilt.stderr
        for visited in going_on:
            visited.result()
        expected = [(200.0, 100.0), (200.0, 100.0), (100.0, 50.0)]
        assert [_counts(alice, artifact) for artifact in artifacts] == expected
        # Who orders by views waits for those that follow their answers, so that the kill loses none.
        most = alice.aliases(order_by="view_count>", filters={"view_count": [200, 200]})
        assert sorted(most) == ["data-0", "data-1"]
        server.kill()
        server.start()
        assert [_counts(alice, artifact) for artifact in artifacts] == expected
        assert run("projections", "rebuild", "statistics", "--data-dir", str(server.data_dir)).returncode == 0
        alice.call("read", artifact_id=artifacts[0])
        assert _counts(alice, artifacts[0]) == (201.0, 100.0)
        assert [_counts(alice, artifact) for artifact in artifacts[1:]] == expected[1:]


def _counts(alice: Client, artifact: str) -> tuple[float, float]:
    record = alice.record(artifact)
    return record["view_count"], record["download_count"]

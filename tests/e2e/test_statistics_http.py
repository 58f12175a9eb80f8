"""Views and downloads: what counts, what does not, exactly, and what is left after a restart."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.client import METHODS, Client, People, alias_of, fetch
from tests.support.server import Server

ALICE = "ws-user-alice"
Call = Callable[[Client, str], object]


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


def _counts(client: Client, artifact_id: str) -> tuple[float, float]:
    record = client.record(artifact_id)
    return record["view_count"], record["download_count"]


def _weighed(alice: Client, alias: str) -> str:
    artifact = alice.dataset(alias, {"a.txt": b"aa", "d/b.txt": b"bb"})
    for path, weight in {"a.txt": 1, "d/b.txt": 0.5}.items():
        alice.call("set_download_weight", artifact_id=artifact, file_path=path, download_weight=weight)
    return artifact


def _rest(path: str, **query: Any) -> Call:
    def call(client: Client, alias: str) -> object:
        answer = client.http.get(f"/{ALICE}/artifacts/{alias}{path}", params=query)
        assert answer.status_code in {200, 206, 307}, answer.text
        return answer

    return call


def _method(method: str, **arguments: Any) -> Call:
    return lambda client, alias: client.call(method, artifact_id=alias, **arguments)


CALLS: dict[str, tuple[Call, tuple[float, float]]] = {
    "read": (_method("read"), (1, 0)),
    "read-silent": (_method("read", silent=True), (0, 0)),
    "read-version": (_method("read", version="v0"), (1, 0)),
    "read-rest": (_rest(""), (1, 0)),
    "read-rest-silent": (_rest("", silent="true"), (0, 0)),
    "list": (_method("list"), (1, 0)),
    "list-silent": (_method("list", silent=True), (0, 0)),
    "children-rest": (_rest("/children"), (1, 0)),
    "children-rest-silent": (_rest("/children", silent="true"), (0, 0)),
    "search": (_method("search"), (0, 0)),
    "list-files": (_method("list_files"), (0, 0)),
    "versions": (_rest("/versions"), (0, 0)),
    "history": (_rest("/history"), (0, 0)),
    "get-file": (_method("get_file", file_path="a.txt"), (0, 1)),
    "get-file-weight": (_method("get_file", file_path="d/b.txt"), (0, 0.5)),
    "get-file-batch": (_method("get_file", file_path=["a.txt", "d/b.txt"]), (0, 1.5)),
    "get-file-silent": (_method("get_file", file_path="a.txt", silent=True), (0, 0)),
    "read-file": (_method("read_file", file_path="a.txt"), (0, 0)),
    "file-redirect": (_rest("/files/a.txt"), (0, 1)),
    "file-streamed": (_rest("/files/a.txt", use_proxy="true"), (0, 1)),
    "file-silent": (_rest("/files/a.txt", use_proxy="true", silent="true"), (0, 0)),
    "file-listing": (_rest("/files/"), (0, 0)),
    "zip": (_rest("/create-zip-file"), (0, 1.5)),
    "zip-chosen": (_rest("/create-zip", files="d/b.txt"), (0, 0.5)),
    "zip-silent": (_rest("/create-zip-file", silent="true"), (0, 0)),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_counts(alice: Client, name: str) -> None:
    alias = f"counts-{name}"
    artifact = _weighed(alice, alias)
    call, expected = CALLS[name]
    call(alice, alias)
    assert _counts(alice, artifact) == expected
    call(alice, alias)
    assert _counts(alice, artifact) == (2 * expected[0], 2 * expected[1])


def test_the_answer_includes_this_view(alice: Client, alias: str) -> None:
    alice.dataset(alias)
    seen = [alice.call("read", artifact_id=alias)["view_count"] for _ in range(5)]
    assert seen == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_using_a_url_counts_nothing_more(alice: Client, alias: str) -> None:
    artifact = _weighed(alice, alias)
    url = alice.call("get_file", artifact_id=artifact, file_path="a.txt")
    for _ in range(3):
        fetch(url)
    assert _counts(alice, artifact) == (0, 1)


def test_what_fails_counts_nothing(alice: Client, people: People, alias: str) -> None:
    artifact = _weighed(alice, alias)
    alice.refused("get_file", artifact_id=artifact, file_path=["a.txt", "missing"])
    alice.refused("read", artifact_id=artifact, version="v9")
    people["bob"].refused("read", artifact_id=artifact)
    people["bob"].refused("get_file", artifact_id=artifact, file_path="a.txt")
    etag = alice.call("list_files", artifact_id=artifact)[0]["etag"]
    path = f"/{ALICE}/artifacts/{alias}/files/a.txt?use_proxy=true"
    assert alice.http.get(path, headers={"if-none-match": f'"{etag}"'}).status_code == 304
    assert alice.http.get(path, headers={"range": "bytes=9-"}).status_code == 416
    assert alice.http.head(path).status_code == 200
    assert _counts(alice, artifact) == (0, 0)


def test_counting_changes_nothing_else(alice: Client, alias: str) -> None:
    artifact = _weighed(alice, alias)
    before = alice.record(artifact)
    for _ in range(3):
        alice.call("read", artifact_id=artifact)
        alice.call("get_file", artifact_id=artifact, file_path="a.txt")
    after = alice.record(artifact)
    assert after == {**before, "view_count": 3.0, "download_count": 3.0}


def test_counts_outlive_edits_and_versions(alice: Client, alias: str) -> None:
    artifact = _weighed(alice, alias)
    alice.call("read", artifact_id=artifact)
    alice.call("get_file", artifact_id=artifact, file_path="a.txt")
    alice.call("edit", artifact_id=artifact, version="new", manifest={"name": "next"})
    alice.call("edit", artifact_id=artifact, stage=True)
    alice.call("discard", artifact_id=artifact)
    assert _counts(alice, artifact) == (1, 1)


def test_a_thousand_concurrent_downloads_are_counted_exactly(alice: Client, people: People, alias: str) -> None:
    artifact = _weighed(alice, alias)
    alice.call("edit", artifact_id=artifact, permissions={"*": "r"})
    clients = [alice, people["bob"], people.anonymous(), people.anonymous()]

    def download(number: int) -> None:
        clients[number % 4].call("get_file", artifact_id=artifact, file_path="d/b.txt")

    def view(number: int) -> None:
        clients[number % 4].call("read", artifact_id=artifact)

    with ThreadPoolExecutor(32) as threads:
        list(threads.map(lambda number: (view if number % 5 == 0 else download)(number), range(1250)))
    assert _counts(alice, artifact) == (250.0, 500.0)
    found = alice.call("search", filters={"alias": alias, "download_count": [500, 500], "view_count": [250, 250]})
    assert [record["alias"] for record in found] == [alias]


def test_lists_order_and_filter_by_counts(alice: Client, alias: str) -> None:
    parent = alice.call("create", alias=alias, type="collection", manifest={})["id"]
    for number in range(4):
        child = alice.dataset(f"{alias}-{number}", parent_id=parent)
        for _ in range(number):
            alice.call("read", artifact_id=child)
    names = [f"{alias}-{number}" for number in range(4)]
    assert alice.aliases(parent_id=parent, order_by="view_count>") == names[::-1]
    assert alice.aliases(parent_id=parent, order_by="view_count<") == names
    assert alice.aliases(parent_id=parent, filters={"view_count": 2}) == names[2:]
    assert alice.aliases(parent_id=parent, filters={"view_count": [1, 2]}) == names[1:3]
    listed = alice.call("list", parent_id=parent, silent=True)
    assert [record["view_count"] for record in listed] == [0.0, 1.0, 2.0, 3.0]


def test_reset_stats(alice: Client, people: People, alias: str) -> None:
    artifact = _weighed(alice, alias)
    alice.call("edit", artifact_id=artifact, permissions={"*": "r"})
    alice.call("read", artifact_id=artifact)
    alice.call("get_file", artifact_id=artifact, file_path="a.txt")
    refused = people["bob"].refused("reset_stats", artifact_id=artifact)
    assert (refused.status, "permission 'reset_stats'" in refused.detail) == (403, True)
    assert _counts(alice, artifact) == (1, 1)
    assert alice.call("reset_stats", artifact_id=artifact) is None
    assert _counts(alice, artifact) == (0, 0)
    assert alice.call("read", artifact_id=artifact)["view_count"] == 1.0
    # What was visited stays in the history.
    types = [item["type"] for item in alice.get(f"/{ALICE}/artifacts/{alias}/history", kinds="access")["items"]]
    assert {"access.viewed", "access.downloaded", "access.stats_reset"} <= set(types)


def test_include_metadata(alice: Client, alias: str) -> None:
    artifact = _weighed(alice, alias)
    alice.call("get_file", artifact_id=artifact, file_path="a.txt")
    record = alice.call("read", artifact_id=artifact, include_metadata=True)
    assert record["manifest"] == {
        "name": alias,
        ".view_count": 1.0,
        ".download_count": 1.0,
        ".file_count": 2,
        ".created_at": record["created_at"],
        ".last_modified": record["last_modified"],
        ".created_by": "alice",
    }
    assert alice.record(artifact)["manifest"] == {"name": alias}


def test_the_history_of_accesses(alice: Client, people: People, alias: str) -> None:
    artifact = _weighed(alice, alias)
    alice.call("edit", artifact_id=artifact, permissions={"*": "r"})
    people["bob"].call("read", artifact_id=artifact)
    people.anonymous().call("get_file", artifact_id=artifact, file_path=["a.txt", "d/b.txt"])
    alice.call("read", artifact_id=artifact, silent=True)
    alice.call("read_file", artifact_id=artifact, file_path="a.txt")
    path = f"/{ALICE}/artifacts/{alias}/history"
    assert all(not item["type"].startswith("access.") for item in alice.get(path)["items"])
    _wait_for(lambda: len(_accesses(alice, path)) == 4)
    by_kind = {item["data"].get("kind", "view"): item for item in _accesses(alice, path)}
    assert by_kind["url"]["data"]["files"] == ["a.txt", "d/b.txt"]
    assert by_kind["url"]["data"]["download_weight"] == 1.5
    assert by_kind["url"]["data"]["version"] == "v0"
    assert by_kind["read_file"]["actor"] == "alice"
    actors = [item["actor"] for item in _accesses(alice, path)]
    assert sorted(actors) == ["alice", "alice", "anonymouz-http", "bob"]

    # Page by page it is the same, newest first.
    whole = alice.get(path, kinds="access", limit=1000)
    assert whole["next_cursor"] is None
    times = [item["recorded_at"] for item in whole["items"]]
    assert times == sorted(times, reverse=True)
    paged: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = alice.get(path, kinds="access", limit=3, **({"cursor": cursor} if cursor else {}))
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == whole["items"]
    for wrong in ({"kinds": "all things"}, {"cursor": "nonsense"}, {"limit": "0"}):
        assert alice.http.get(path, params=wrong).status_code == 400


def _accesses(client: Client, path: str) -> list[Any]:
    items = client.get(path, kinds="access", limit=1000)["items"]
    return [item for item in items if item["type"].startswith("access.")]


def _wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what may follow an answer by a moment."""
    for _ in range(100):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("It did not come about")


def test_counts_survive_a_restart(server: Server) -> None:
    with People(server) as people:
        alice = people["alice"]
        artifact = _weighed(alice, "kept")
        for _ in range(7):
            alice.call("read", artifact_id=artifact)
        for _ in range(5):
            alice.call("get_file", artifact_id=artifact, file_path="d/b.txt")
        _wait_for(lambda: len(_accesses(alice, f"/{ALICE}/artifacts/kept/history")) == 12)
        server.kill()
        server.start()
        assert _counts(alice, artifact) == (7.0, 2.5)
        assert alice.call("read", artifact_id=artifact)["view_count"] == 8.0
        alice.call("reset_stats", artifact_id=artifact)
        server.kill()
        server.start()
        assert _counts(alice, artifact) == (0.0, 0.0)


def test_a_download_counts_before_its_bytes_leave(server: Server) -> None:
    """A kill right after the answer loses no download."""
    with People(server) as people:
        alice = people["alice"]
        artifact = _weighed(alice, "exact")
        for number in (1, 2):
            answer = alice.http.post(METHODS + "get_file", json={"artifact_id": artifact, "file_path": "a.txt"})
            assert answer.status_code == 200
            server.kill()
            server.start()
            assert _counts(alice, artifact) == (0.0, float(number))

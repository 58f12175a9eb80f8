"""Moving artifacts between collections, over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.client import Client, People, RefusedError
from tests.support.server import Server

ALICE = "ws-user-alice"


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


def collection(client: Client, alias: str, parent: str | None = None, **config: object) -> str:
    made = client.call(
        "create", alias=alias, type="collection", parent_id=parent, manifest={"name": alias}, config=config
    )
    return str(made["id"])


def test_lists_counters_records_and_history_follow(people: People) -> None:
    alice = people["alice"]
    old, new = collection(alice, "move-old"), collection(alice, "move-new")
    data = alice.dataset("move-data", {"a.txt": b"hello"}, parent_id=old)
    moved = alice.call("set_parent", artifact_id=data, new_parent_id=new, comment="It belongs there.")
    assert moved["parent_id"] == new
    assert alice.aliases(parent_id=old) == []
    assert alice.aliases(parent_id=new) == ["move-data"]
    assert [alice.record(one)["config"]["child_count"] for one in (old, new)] == [0, 1]
    assert alice.download(data, "a.txt") == b"hello"
    events = alice.get(f"/{ALICE}/artifacts/move-data/history")["items"]
    event = next(one for one in events if one["type"] == "artifact.parent_set")
    assert event["comment"] == "It belongs there."
    assert event["data"] == {"parent_id": alice.record(new)["_id"]}

    assert alice.call("set_parent", artifact_id=data, new_parent_id=None)["parent_id"] is None
    assert "move-data" in alice.aliases()
    assert [alice.record(one)["config"]["child_count"] for one in (old, new)] == [0, 0]
    alice.call("delete", artifact_id=new)


def test_what_is_below_comes_along(people: People) -> None:
    alice = people["alice"]
    top, other = collection(alice, "along-top"), collection(alice, "along-other")
    middle = collection(alice, "along-middle", top)
    leaf = alice.dataset("along-leaf", parent_id=middle)
    alice.call("edit", artifact_id=other, config={"permissions": {"bob": "r"}})
    bob = people["bob"]
    assert bob.refused("read", artifact_id=leaf).status == 403
    alice.call("set_parent", artifact_id=middle, new_parent_id=other)
    assert bob.call("read", artifact_id=leaf)["parent_id"] == middle
    assert bob.aliases(parent_id=middle) == ["along-leaf"]


def test_no_spelling_makes_a_circle(people: People) -> None:
    alice = people["alice"]
    top = collection(alice, "circle-top")
    below = collection(alice, "circle-below", top)
    spellings = [
        (top, "circle-top"),
        (top, alice.record(top)["_id"]),
        (alice.record(top)["_id"].upper(), top),
        ("circle-top", alice.record(below)["_id"]),
        (top, "circle-below"),
        (alice.record(top)["_id"], below),
    ]
    for artifact_id, parent_id in spellings:
        error = alice.refused("set_parent", artifact_id=artifact_id, new_parent_id=parent_id)
        assert error.status in {400, 404}, error
        assert alice.record(top)["parent_id"] is None


def test_two_moves_at_once_make_no_circle(people: People) -> None:
    alice = people["alice"]
    one, two = collection(alice, "race-one"), collection(alice, "race-two")

    def move(pair: tuple[str, str]) -> str | None:
        try:
            alice.call("set_parent", artifact_id=pair[0], new_parent_id=pair[1])
        except RefusedError as error:
            return error.detail
        return None

    with ThreadPoolExecutor(8) as threads:
        for _ in range(10):
            results = list(threads.map(move, [(one, two), (two, one)] * 2))
            parents = [alice.record(one)["parent_id"], alice.record(two)["parent_id"]]
            assert sorted(parents, key=str) in ([None, one], [None, two])
            assert None in results
            assert all(text is None or "circular dependency" in text for text in results)
            for artifact in (one, two):
                alice.call("set_parent", artifact_id=artifact)
    assert [alice.record(artifact)["config"]["child_count"] for artifact in (one, two)] == [0, 0]


def test_depth_counts_what_is_below(people: People) -> None:
    alice = people["alice"]
    parent = collection(alice, "deep-0")
    for level in range(1, 15):
        parent = collection(alice, f"deep-{level}", parent)
    top = collection(alice, "tower-0")
    middle = collection(alice, "tower-1", top)
    error = alice.refused("set_parent", artifact_id=top, new_parent_id=parent)
    assert (error.status, "16 levels" in error.detail) == (400, True)
    alice.call("set_parent", artifact_id=middle, new_parent_id=parent)
    assert alice.refused("create", alias="deep-end", manifest={}, parent_id=middle).status == 400


def test_rights_are_asked_before_anything_is_told(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    mine = collection(bob, "bobs-own")
    data = alice.dataset("kept-data", parent_id=collection(alice, "kept"))
    assert bob.refused("set_parent", artifact_id=data, new_parent_id=mine).status == 403
    assert people.anonymous().refused("set_parent", artifact_id=data).status in {401, 403}
    assert alice.refused("set_parent", artifact_id=data, new_parent_id=mine).status == 403
    assert alice.refused("set_parent", artifact_id=data, new_parent_id="nothing-there").status == 404
    assert alice.record(data)["parent_id"] == f"{ALICE}/kept"


def test_a_deleted_or_strict_collection_takes_nothing(people: People) -> None:
    alice = people["alice"]
    schema = {"type": "object", "required": ["license"]}
    strict = collection(alice, "strict", collection_schema=schema)
    gone = collection(alice, "gone")
    alice.call("delete", artifact_id=gone)
    data = alice.dataset("unlicensed")
    assert alice.refused("set_parent", artifact_id=data, new_parent_id=strict).status == 400
    assert alice.refused("set_parent", artifact_id=data, new_parent_id=gone).status == 404
    alice.call("edit", artifact_id=data, manifest={"name": "x", "license": "MIT"})
    assert alice.call("set_parent", artifact_id=data, new_parent_id=strict)["parent_id"] == strict


def test_it_survives_a_restart_and_a_rebuilt_catalog(server: Server) -> None:
    with People(server) as people:
        alice = people["alice"]
        old, new = collection(alice, "old"), collection(alice, "new")
        data = alice.dataset("data", parent_id=old)
        alice.call("set_parent", artifact_id=data, new_parent_id=new)
        server.kill()
        for file in (server.data_dir / "projections").glob("catalog*"):
            file.unlink()
        server.start()
    with People(server) as people:
        alice = people["alice"]
        assert alice.aliases(parent_id=new) == ["data"]
        assert alice.aliases(parent_id=old) == []

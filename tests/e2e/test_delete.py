"""Deleting versions, artifacts and whole trees, over HTTP."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.client import METHODS, Client, People
from tests.support.server import Server

ALICE = "ws-user-alice"
SECONDS = 60


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


def versions(client: Client, alias: str, *names: str) -> None:
    """Make an artifact whose versions of these names hold their name as manifest and as file."""
    client.call("create", alias=alias, manifest={"name": names[0]}, stage=True)
    for number, name in enumerate(names):
        if number:
            client.call("edit", artifact_id=alias, manifest={"name": name}, version="new", stage=True)
        client.upload(alias, "file", name.encode())
        client.call("commit", artifact_id=alias, version=name)


def shown(client: Client, alias: str, version: str | int | None = None) -> tuple[str, bytes]:
    record = client.record(alias, version=version)
    return record["manifest"]["name"], client.download(alias, "file", version=version)


def test_the_others_keep_names_indexes_manifests_and_bytes(people: People) -> None:
    alice = people["alice"]
    versions(alice, "kept", "v0", "v1", "beta", "v3")
    alice.call("delete", artifact_id="kept", version="v1", comment="It was wrong.")
    assert [one["version"] for one in alice.record("kept")["versions"]] == ["v0", "beta", "v3"]
    for name, index in (("v0", 0), ("beta", 2), ("v3", 3)):
        assert shown(alice, "kept", name) == shown(alice, "kept", index) == (name, name.encode())
    for gone in ("v1", 1):
        assert alice.refused("read", artifact_id="kept", version=gone).code == "version_not_found"
        assert alice.refused("list_files", artifact_id="kept", version=gone).code == "version_not_found"
        assert alice.refused("get_file", artifact_id="kept", file_path="file", version=gone).status == 404
    answer = alice.http.get(f"/{ALICE}/artifacts/kept/files/file", params={"version": "v1"})
    assert answer.status_code == 404

    alice.call("delete", artifact_id="kept", version="latest", delete_files=True)
    assert shown(alice, "kept") == ("beta", b"beta")
    alice.call("delete", artifact_id="kept", version=0)
    assert shown(alice, "kept") == ("beta", b"beta")
    error = alice.refused("delete", artifact_id="kept", version="beta")
    assert (error.status, error.code) == (400, "invalid_state")

    # An index is never given again, whatever the new version is called.
    alice.call("edit", artifact_id="kept", manifest={"name": "v1"}, version="new", stage=True)
    alice.upload("kept", "file", b"v1")
    record = alice.call("commit", artifact_id="kept", version="v1")
    assert [one["version"] for one in record["versions"]] == ["beta", "v1"]
    assert shown(alice, "kept", 4) == shown(alice, "kept", "v1") == ("v1", b"v1")
    assert alice.refused("read", artifact_id="kept", version=3).status == 404

    events = alice.get(f"/{ALICE}/artifacts/kept/history")["items"]
    told = [event for event in events if event["type"] == "artifact.version_deleted"]
    assert [event["data"]["version_name"] for event in told] == ["v0", "v3", "v1"]
    assert told[-1]["comment"] == "It was wrong."


def test_what_remains_can_be_edited_by_name(people: People) -> None:
    alice = people["alice"]
    versions(alice, "edited", "v0", "v1", "v2")
    alice.call("delete", artifact_id="edited", version="v1")
    alice.call("edit", artifact_id="edited", version="v0", manifest={"name": "v0 again"})
    alice.call("edit", artifact_id="edited", version="v0", stage=True)
    alice.upload("edited", "more", b"more")
    alice.call("commit", artifact_id="edited")
    assert shown(alice, "edited", "v0") == ("v0 again", b"v0")
    assert alice.files("edited", version="v0") == ["file", "more"]
    assert (shown(alice, "edited"), alice.files("edited")) == (("v2", b"v2"), ["file"])
    error = alice.refused("edit", artifact_id="edited", version="v1", manifest={"name": "x"})
    assert "['v0', 'v2']" in error.detail


def test_a_copy_that_was_staged_survives_the_version_that_it_started_from(people: People) -> None:
    alice = people["alice"]
    versions(alice, "based", "v0", "v1")
    alice.call("edit", artifact_id="based", version="new", stage=True, copy_files=True)
    alice.call("delete", artifact_id="based", version="v1")
    assert alice.files("based", stage=True) == ["file"]
    alice.call("commit", artifact_id="based")
    assert shown(alice, "based") == ("v0", b"v1")


def test_what_is_refused(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    versions(alice, "refusing", "v0", "v1")
    error = alice.refused("delete", artifact_id="refusing", version="stage")
    assert (error.status, "use the 'discard' function instead" in error.detail) == (400, True)
    error = alice.refused("delete", artifact_id="refusing", version="v5")
    assert error.detail == "ValueError: Version 'v5' does not exist. Available versions: ['v0', 'v1']"
    error = alice.refused("delete", artifact_id="refusing", version=10)
    assert error.detail == "ValueError: Version index 10 is out of range. Available indices: 0, 1"
    alice.call("edit", artifact_id="refusing", stage=True)
    assert alice.refused("delete", artifact_id="refusing", version="v1").code == "invalid_state"
    assert bob.refused("delete", artifact_id="refusing", version="v0").status in {403, 404}
    alice.call("edit", artifact_id="refusing", config={"permissions": {"bob": "r"}}, stage=False)
    assert bob.refused("delete", artifact_id=f"{ALICE}/refusing", version="v0").status == 403
    assert bob.refused("delete", artifact_id=f"{ALICE}/refusing", version="v9").status == 403
    assert len(alice.record("refusing")["versions"]) == 2


def tree(client: Client, root: str) -> list[str]:
    """Make a collection with committed, staged and nested artifacts; gives their ids."""
    made = [client.call("create", alias=root, type="collection", manifest={})["id"]]
    for level in range(3):
        branch = f"{root}-{level}"
        client.call("create", alias=branch, type="collection", parent_id=made[-1], manifest={})
        made.append(f"{ALICE}/{branch}")
        for number in range(4):
            alias = f"{root}-{level}-{number}"
            client.call("create", alias=alias, parent_id=made[-1], manifest={"name": root}, stage=number == 3)
            made.append(f"{ALICE}/{alias}")
        made.append(made.pop(-5))
    return made


def test_a_tree_goes_as_a_whole(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    made = tree(alice, "forest")
    alice.call("create", alias="bystander", manifest={"name": "forest"})
    error = alice.refused("delete", artifact_id="forest")
    assert (error.code, "recursive=True" in error.detail) == ("not_empty", True)
    assert bob.refused("delete", artifact_id=f"{ALICE}/forest", recursive=True).status == 403
    alice.call("delete", artifact_id="forest", recursive=True, comment="Cut down.")
    for artifact_id in made:
        assert alice.refused("read", artifact_id=artifact_id).status == 404
    assert alice.aliases(keywords=["forest"], stage="all") == ["bystander"]
    # All names are free again.
    assert tree(alice, "forest") == made
    alice.call("delete", artifact_id="forest", recursive=True, delete_files=True)
    assert alice.refused("delete", artifact_id="forest", recursive=True).status == 404


def test_recursive_on_something_without_children(people: People) -> None:
    alice = people["alice"]
    alice.dataset("single", {"a": b"1"})
    alice.call("delete", artifact_id="single", recursive=True, delete_files=True)
    assert alice.refused("read", artifact_id="single").status == 404


def test_killed_in_the_middle_the_rest_goes_later(tmp_path: Path) -> None:
    settings = {"ARTIFACT_MANAGER_JANITOR_INTERVAL_SECONDS": "0.5"}
    with Server(tmp_path / "data", settings) as server, People(server) as people:
        alice = people["alice"]
        alice.call("create", alias="root", type="collection", manifest={})
        alice.call("create", alias="spared", type="collection", manifest={})
        alice.call("create", alias="safe", parent_id="spared", manifest={})
        for branch in range(4):
            alice.call("create", alias=f"branch-{branch}", type="collection", parent_id="root", manifest={})
            for leaf in range(75):
                alice.call("create", alias=f"leaf-{branch}-{leaf}", parent_id=f"branch-{branch}", manifest={})

        def delete() -> None:
            try:
                httpx.post(
                    f"{server.url}{METHODS}delete",
                    json={"artifact_id": "root", "recursive": True},
                    headers={"authorization": f"Bearer {alice.token}"},
                    timeout=SECONDS,
                )
            except httpx.TransportError:
                return

        deleting = threading.Thread(target=delete)
        deleting.start()
        ends = time.monotonic() + SECONDS
        while alice.http.get(f"/{ALICE}/artifacts/root").status_code == 200:
            assert time.monotonic() < ends
        server.kill()
        deleting.join()
    with Server(tmp_path / "data", settings) as server, People(server) as people:
        alice = people["alice"]
        # The root was closed, so nothing below it is to be seen, whatever is left of it.
        assert alice.refused("read", artifact_id="leaf-3-74").status == 404
        assert sorted(alice.aliases()) == ["spared"]
        left = [f"leaf-{branch}-{leaf}" for branch in range(4) for leaf in range(75)]
        ends = time.monotonic() + SECONDS
        while left:
            assert time.monotonic() < ends, left
            # Its alias is free when an artifact is gone for good.
            answer = alice.http.post(f"{METHODS}create", json={"alias": left[-1], "manifest": {}})
            if answer.status_code == 200:
                left.pop()
            else:
                assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
                time.sleep(0.2)
        assert alice.aliases(parent_id="spared") == ["safe"]

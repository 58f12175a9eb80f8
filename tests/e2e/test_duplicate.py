"""Copies of artifacts, over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.client import Client, People, fetch
from tests.support.server import Server

ALICE, BOB = "ws-user-alice", "ws-user-bob"
FILES = {"a.txt": b"hello", "d/b.txt": b"below"}


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


def shared(client: Client, alias: str) -> str:
    return client.dataset(alias, FILES, type="dataset", config={"permissions": {"bob": "r"}, "color": "red"})


def test_a_reader_copies_into_his_own_workspace(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    source = shared(alice, "copy-me")
    alice.call("set_download_weight", artifact_id=source, file_path="a.txt", download_weight=0.5)
    made = bob.call("duplicate", source_artifact_id=source, target_alias="mine")
    assert made["id"] == f"{BOB}/mine"
    assert (made["type"], made["manifest"], made["created_by"]) == ("dataset", {"name": "copy-me"}, "bob")
    assert made["config"]["color"] == "red"
    assert made["config"]["permissions"] == {"bob": "*"}
    assert [(version["version"], version["comment"]) for version in made["versions"]] == [("v0", None)]
    assert (made["view_count"], made["download_count"], made["parent_id"]) == (0, 0, None)
    assert {path: bob.download("mine", path) for path in FILES} == FILES
    assert alice.refused("read", artifact_id=made["id"]).status == 403

    fetch(bob.call("get_file", artifact_id="mine", file_path="a.txt"))
    assert bob.record("mine")["download_count"] == 0.5
    assert alice.record(source)["download_count"] == 0


def test_source_and_copy_go_their_own_ways(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    source = shared(alice, "apart")
    copy = bob.call("duplicate", source_artifact_id=source)["id"]
    bob.call("edit", artifact_id=copy, stage=True)
    bob.upload(copy, "a.txt", b"changed")
    bob.call("remove_file", artifact_id=copy, file_path="d/b.txt")
    bob.upload(copy, "c.txt", b"new")
    bob.call("commit", artifact_id=copy)
    assert bob.files(copy) == ["a.txt", "c.txt"]
    assert bob.download(copy, "a.txt") == b"changed"
    assert {path: alice.download(source, path) for path in FILES} == FILES
    alice.call("delete", artifact_id=source, delete_files=True)
    assert bob.download(copy, "c.txt") == b"new"


def test_a_draft_in_a_collection(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    source = shared(alice, "for-review")
    gallery = alice.call(
        "create", alias="copies", type="collection", manifest={}, config={"permissions": {"bob": "rd+"}}
    )["id"]
    assert bob.refused("duplicate", source_artifact_id=source, target_parent_id=gallery).status == 403
    draft = bob.call("duplicate", source_artifact_id=source, target_parent_id=gallery, stage=True, target_alias="d1")
    assert (draft["id"], draft["parent_id"], draft["versions"]) == (f"{ALICE}/d1", gallery, [])
    assert bob.files(draft["id"], stage=True) == ["a.txt", "d"]
    bob.call("remove_file", artifact_id=draft["id"], file_path="a.txt")
    alice.call("commit", artifact_id=draft["id"])
    assert alice.files(draft["id"]) == ["d"]
    assert alice.record(gallery)["config"]["child_count"] == 1
    error = bob.refused("duplicate", source_artifact_id=source, target_parent_id=gallery, target_workspace=BOB)
    assert (error.status, "does not match parent's workspace" in error.detail) == (400, True)


def test_a_copy_of_a_copy_and_many_at_once(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    source = shared(alice, "popular")

    def copied(number: int) -> str:
        return str(bob.call("duplicate", source_artifact_id=source, target_alias=f"many-{number}")["id"])

    with ThreadPoolExecutor(8) as threads:
        copies = list(threads.map(copied, range(40)))
    again = bob.call("duplicate", source_artifact_id=copies[-1], target_alias="again")["id"]
    for one in [*copies, again]:
        assert bob.download(one, "d/b.txt") == b"below"


def test_what_is_refused(people: People) -> None:
    alice, bob, eve = people["alice"], people["bob"], people["eve"]
    source = shared(alice, "guarded")
    assert eve.refused("duplicate", source_artifact_id=source).status == 403
    assert eve.refused("duplicate", source_artifact_id=f"{ALICE}/nothing").status == 404
    assert people.anonymous().refused("duplicate", source_artifact_id=source).status in {401, 403}
    assert bob.refused("duplicate", source_artifact_id=source, target_workspace=ALICE).status == 403
    alice.call("create", alias="unfinished", manifest={}, stage=True)
    error = alice.refused("duplicate", source_artifact_id="unfinished")
    assert (error.status, error.code) == (400, "invalid_state")
    bob.call("duplicate", source_artifact_id=source, target_alias="taken")
    assert bob.refused("duplicate", source_artifact_id=source, target_alias="taken").status == 409
    again = bob.call("duplicate", source_artifact_id=source, target_alias="taken", overwrite=True)
    assert len(again["versions"]) == 1


def test_secrets_stay_unless_asked_for_by_one_who_may_read_them(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    source = shared(alice, "secretive")
    alice.call("set_secret", artifact_id=source, secret_key="KEY", secret_value="hidden value")
    plain = alice.call("duplicate", source_artifact_id=source)["id"]
    assert alice.call("get_secret", artifact_id=plain, secret_key="KEY") is None
    assert bob.refused("duplicate", source_artifact_id=source, remove_secrets=False).status == 403
    whole = alice.call("duplicate", source_artifact_id=source, remove_secrets=False)["id"]
    alice.call("delete", artifact_id=source, delete_files=True)
    assert alice.call("get_secret", artifact_id=whole, secret_key="KEY") == "hidden value"


def test_history_names_the_loan_to_managers_alone(people: People) -> None:
    alice, bob = people["alice"], people["bob"]
    source = shared(alice, "lender")
    copy = bob.call("duplicate", source_artifact_id=source, comment="For my own work.")

    def lent(client: Client) -> dict[str, object]:
        events = client.get(f"/{ALICE}/artifacts/lender/history")["items"]
        return next(dict(event["data"]) for event in events if event["type"] == "artifact.files_lent")

    assert lent(alice) == {"borrower": copy["_id"]}
    assert lent(bob) == {}
    created = bob.get(f"/{BOB}/artifacts/{copy['alias']}/history")["items"][-1]
    assert (created["type"], created["comment"]) == ("artifact.created", "For my own work.")
    assert created["data"]["duplicate_of"] == alice.record(source)["_id"]

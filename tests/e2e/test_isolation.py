"""What callers must not do to one another, not even at the same moment."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from tests.support.client import Client, People, RefusedError, put
from tests.support.server import Server


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture
def alice(people: People) -> Client:
    return people["alice"]


@pytest.fixture
def bob(people: People) -> Client:
    return people["bob"]


def test_an_index_is_given_once_whatever_runs_at_the_same_time(alice: Client) -> None:
    for number in range(10):
        record = alice.call("create", alias=f"race-{number}", manifest={"name": "x"})

        def edit(options: dict[str, Any], artifact_id: str = record["id"]) -> None:
            with suppress(RefusedError):
                alice.call("edit", artifact_id=artifact_id, **options)

        options: list[dict[str, Any]] = [{"stage": False, "version": "new"}] * 5 + [{"stage": True, "version": "new"}]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(edit, options))
        if alice.record(record["id"], stage=True)["staging"] is not None:
            alice.call("commit", artifact_id=record["id"])
        versions = alice.call("versions", artifact_id=record["id"])["items"]
        assert [entry["index"] for entry in versions] == list(range(len(versions)))
        assert len({entry["version"] for entry in versions}) == len(versions)


def test_an_answer_is_about_the_artifact_that_was_commanded(alice: Client, bob: Client) -> None:
    shared: dict[str, Any] = {"manifest": {"name": "shared"}, "permissions": {"bob": "rw"}}
    for _ in range(20):
        artifact_id = alice.call("create", alias="moving", overwrite=True, **shared)["id"]

        def edit(number: int, artifact_id: str = artifact_id) -> str | None:
            with suppress(RefusedError):
                answer = bob.call("edit", artifact_id=artifact_id, manifest={"name": str(number)})
                return str(answer["manifest"]["name"])
            return None

        with ThreadPoolExecutor(5) as pool:
            edits = [pool.submit(edit, number) for number in range(4)]
            pool.submit(alice.call, "create", alias="moving", overwrite=True, manifest={"name": "private"})
        assert "private" not in {one.result() for one in edits}


def test_who_may_commit_but_not_read_is_told_the_names_alone(alice: Client, bob: Client) -> None:
    draft = alice.call("create", alias="sealed", manifest={"secret": "m"}, permissions={"bob": ["commit"]}, stage=True)[
        "id"
    ]
    answer = bob.call("commit", artifact_id=draft)
    assert "manifest" not in answer
    assert answer["versions"] == [{"version": "v0"}]
    assert bob.refused("read", artifact_id=draft).status == 403


def test_a_refusal_does_not_tell_whether_a_stage_is_open(alice: Client, people: People) -> None:
    artifact_id = alice.call("create", alias="quiet", manifest={"name": "x"}, permissions={"*": "r"})["id"]
    before = people.anonymous().refused("edit", artifact_id=artifact_id, stage=False).detail
    alice.call("edit", artifact_id=artifact_id, stage=True)
    assert people.anonymous().refused("edit", artifact_id=artifact_id, stage=False).detail == before


def test_the_history_hides_who_looked_at_a_stage(alice: Client, people: People) -> None:
    artifact_id = alice.call("create", alias="watched", manifest={"name": "x"}, permissions={"*": "r"}, stage=True)[
        "id"
    ]
    alice.upload(artifact_id, "plan.txt", b"x")
    alice.upload(artifact_id, "kept.txt", b"x")
    alice.call("read", artifact_id=artifact_id)
    alice.call("get_file", artifact_id=artifact_id, file_path="plan.txt", stage=True)
    alice.call("remove_file", artifact_id=artifact_id, file_path="plan.txt")
    alice.call("commit", artifact_id=artifact_id)
    alice.call("read", artifact_id=artifact_id)
    # A download is durable when it is answered, and so is what came before it.
    alice.call("get_file", artifact_id=artifact_id, file_path="kept.txt")
    seen = people.anonymous().call("history", artifact_id=artifact_id, kinds="access")["items"]
    assert "plan.txt" not in str(seen)
    assert [item["data"]["version"] for item in seen if item["type"] == "access.viewed"] == ["v0"]
    own = alice.call("history", artifact_id=artifact_id, kinds="access")["items"]
    assert "plan.txt" in str(own)


def test_the_history_goes_on_behind_what_is_hidden(alice: Client, people: People) -> None:
    artifact_id = alice.call("create", alias="long", manifest={"name": "0"}, permissions={"*": "r"})["id"]
    for number in range(1, 4):
        alice.call("edit", artifact_id=artifact_id, manifest={"name": str(number)})
        alice.call("edit", artifact_id=artifact_id, stage=True)
        alice.call("discard", artifact_id=artifact_id)
    for caller in (alice, people.anonymous()):
        whole = [item["event_id"] for item in caller.call("history", artifact_id=artifact_id, kinds="access")["items"]]
        paged: list[str] = []
        cursor = None
        while True:
            page = caller.call("history", artifact_id=artifact_id, kinds="access", limit=2, cursor=cursor)
            paged += [item["event_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert paged == whole


def test_an_upload_is_in_the_name_of_who_got_its_url(alice: Client, bob: Client) -> None:
    draft = alice.call("create", alias="both", manifest={"name": "x"}, permissions={"bob": "rw"}, stage=True)["id"]
    alice.call("put_file", artifact_id=draft, file_path="f")
    url = bob.call("put_file", artifact_id=draft, file_path="f")
    assert put(url, b"bob's").status_code == 200
    events = alice.call("history", artifact_id=draft)["items"]
    assert [event["actor"] for event in events if event["type"] == "stage.file_uploaded"] == ["bob"]


def test_an_anonymous_caller_decides_nobodys_access(alice: Client, people: People) -> None:
    parent = alice.call("create", alias="open", type="collection", manifest={"name": "o"}, permissions={"*": "r+"})[
        "id"
    ]
    for permissions in ({"*": "*"}, {"carol": "n"}):
        refusal = people.anonymous().refused("create", parent_id=parent, manifest={}, permissions=permissions)
        assert refusal.status == 403
    made = people.anonymous().call("create", parent_id=parent, manifest={"name": "mine"})
    assert alice.record(made["id"])["config"]["permissions"] == {}


def test_nothing_of_a_hidden_collection_is_told_before_the_right_is_asked(alice: Client, people: People) -> None:
    hidden = alice.call(
        "create",
        alias="hidden-parts",
        type="collection",
        manifest={"name": "h"},
        config={"id_parts": {"animal": ["secret value!"]}},
    )
    refusal = people.anonymous().refused("create", parent_id=hidden["_id"], alias="{animal}", manifest={"name": "x"})
    assert refusal.status == 403
    assert "secret" not in refusal.detail
    assert "hidden-parts" not in refusal.detail


def test_a_writer_does_not_raise_himself_by_another_spelling(alice: Client, bob: Client) -> None:
    artifact_id = alice.call("create", alias="spelling", manifest={"name": "x"}, permissions={"bob": "rw"})["id"]
    for config in ({"inherit_writes": True}, {"inherit_writes": 1}, {"private_children": None}):
        assert bob.refused("edit", artifact_id=artifact_id, config=config).status in {400, 403}


def test_an_artifact_cannot_replace_its_own_parent(alice: Client) -> None:
    parent = alice.call("create", alias="ouroboros", type="collection", manifest={"name": "o"})["id"]
    refusal = alice.refused("create", alias="ouroboros", parent_id=parent, manifest={"name": "x"}, overwrite=True)
    assert refusal.status == 400
    assert alice.record(parent)["alias"] == "ouroboros"


def test_a_stage_is_not_aimed_at_files_that_are_in_its_way(alice: Client) -> None:
    artifact_id = alice.dataset("in-the-way", {"a": b"1"})
    alice.call("edit", artifact_id="in-the-way", stage=True, version="new")
    alice.upload("in-the-way", "a/b", b"2")
    refusal = alice.refused("edit", artifact_id="in-the-way", version="stage")
    assert (refusal.status, "'a'" in refusal.detail) == (400, True)
    alice.call("commit", artifact_id="in-the-way")
    assert artifact_id


def test_a_refused_commit_writes_nothing(alice: Client, shared_server: Server) -> None:
    draft = alice.call("create", alias="incomplete", manifest={"name": "x"}, stage=True)["id"]
    alice.upload(draft, "here", b"1")
    alice.call("put_file", artifact_id=draft, file_path="missing")
    objects = shared_server.data_dir / "objects"
    before = sum(1 for path in objects.rglob("*") if path.is_file())
    assert alice.refused("commit", artifact_id=draft).code == "file_not_found"
    assert sum(1 for path in objects.rglob("*") if path.is_file()) == before

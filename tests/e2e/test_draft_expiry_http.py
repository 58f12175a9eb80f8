"""A running service lets drafts expire by itself, and its history says why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import METHODS, Client, People, put
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory: Path = tmp_path_factory.mktemp("expiry")
    environment = {"ARTIFACT_MANAGER_JANITOR_INTERVAL_SECONDS": "0.05"}
    with Server(directory / "data", environment) as server, People(server) as people:
        yield people["alice"]


def is_there(alice: Client, artifact_id: str) -> bool:
    answer = alice.http.post(METHODS + "read", json={"artifact_id": artifact_id, "silent": True})
    assert answer.status_code in (200, 404), answer.text
    return answer.status_code == 200


def make_hasty(alice: Client, collection: str) -> None:
    """Let drafts expire now that they are there, however long it took to make them."""
    alice.call("edit", artifact_id=collection, config={"draft_ttl": 1})


def history(alice: Client, alias: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = alice.get(f"/ws-user-alice/artifacts/{alias}/history")["items"]
    return events


def test_a_draft_and_its_upload_urls_end_and_the_alias_is_free(alice: Client) -> None:
    hasty = alice.call("create", alias="hasty", type="collection", manifest={})["id"]
    kept = alice.call("create", alias="kept", type="collection", manifest={}, parent_id=hasty, config={"draft_ttl": 0})
    alice.call("create", alias="kept-draft", manifest={}, stage=True, parent_id=kept["id"])
    draft = alice.call("create", alias="forgotten", manifest={}, stage=True, parent_id=hasty)["id"]
    url = alice.call("put_file", artifact_id=draft, file_path="a.txt")
    make_hasty(alice, hasty)
    wait_until(lambda: not is_there(alice, draft), "the draft has expired")
    assert put(url, b"late").status_code == 403
    alice.call("create", alias="forgotten", manifest={"name": "new"})
    # It is older, and in a collection whose drafts do not expire.
    assert is_there(alice, "ws-user-alice/kept-draft")


def test_a_staged_edit_ends_and_the_history_says_why(alice: Client) -> None:
    collection = alice.call("create", alias="edits", type="collection", manifest={})["id"]
    artifact_id = alice.dataset("edited", {"a.txt": b"one"}, parent_id=collection)
    alice.call("edit", artifact_id=artifact_id, manifest={"name": "two"}, stage=True)
    alice.upload(artifact_id, "a.txt", b"two")
    make_hasty(alice, collection)
    wait_until(lambda: any(one["type"] == "artifact.discarded" for one in history(alice, "edited")), "it has expired")
    (discarded,) = (one for one in history(alice, "edited") if one["type"] == "artifact.discarded")
    assert discarded["data"]["reason"] == "expired"
    assert discarded["actor"] == "service:janitor"
    assert alice.record(artifact_id)["staging"] is None
    assert alice.download(artifact_id, "a.txt") == b"one"


@pytest.mark.parametrize("value", [-1, 1.5, "soon", True])
def test_a_wrong_time_to_live_is_refused(alice: Client, value: Any) -> None:
    refused = alice.refused("create", alias="wrong", manifest={}, config={"draft_ttl": value})
    assert refused.status == 400
    assert "config.draft_ttl must be whole seconds" in refused.detail

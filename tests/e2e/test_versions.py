"""Staging and versions: what goes where, what a commit makes of it, and that committed bytes never change."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.client import Client, People, RefusedError, alias_of, fetch, put
from tests.support.server import Server


@pytest.fixture(scope="module")
def alice(shared_server: Server) -> Iterator[Client]:
    with People(shared_server) as people:
        yield people["alice"]


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    """Give an alias that no other test uses."""
    return alias_of(request.node.name)


def _names(record: dict[str, object]) -> list[str]:
    versions = record["versions"]
    assert isinstance(versions, list)
    return [version["version"] for version in versions]


def _new_version(alice: Client, artifact_id: str, files: dict[str, bytes], version: str | None = None) -> None:
    alice.call("edit", artifact_id=artifact_id, stage=True, version="new")
    for path, data in files.items():
        alice.upload(artifact_id, path, data)
    alice.call("commit", artifact_id=artifact_id, version=version)


def test_a_draft_becomes_v0(alice: Client, alias: str) -> None:
    draft = alice.call("create", alias=alias, manifest={"name": "one"}, stage=True)
    assert (_names(draft), draft["staging"], draft["file_count"]) == ([], [{"_intent": "new_version"}], 0)
    # A draft can be edited many times, and stays one.
    edited = alice.call("edit", artifact_id=draft["id"], manifest={"name": "two"})
    assert (_names(edited), edited["manifest"]) == ([], {"name": "two"})
    assert alice.record(draft["id"])["manifest"] == {"name": "two"}
    assert alice.record(draft["id"])["staging"] is None
    assert alice.record(draft["id"], version="stage")["staging"] == [{"_intent": "new_version"}]
    alice.upload(draft["id"], "a.txt", b"a")
    committed = alice.call("commit", artifact_id=draft["id"], comment="done")
    assert _names(committed) == ["v0"]
    assert committed["versions"][0]["comment"] == "done"
    assert (committed["manifest"], committed["staging"], committed["file_count"]) == ({"name": "two"}, None, 1)


def test_the_first_commit_can_name_its_version(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    assert _names(alice.call("commit", artifact_id=alias, version="first release")) == ["first release"]
    assert alice.record(alias, version="first release")["alias"] == alias


def test_custom_and_default_names_mix(alice: Client, alias: str) -> None:
    alice.dataset(alias)
    _new_version(alice, alias, {}, "v5")
    _new_version(alice, alias, {})
    # The default name is that of the index; a taken one is skipped.
    _new_version(alice, alias, {}, "v4")
    record = alice.call("edit", artifact_id=alias, version="new")
    assert _names(record) == ["v0", "v5", "v2", "v4", "v6"]


def test_a_version_name_is_taken_only_once(alice: Client, alias: str) -> None:
    alice.dataset(alias)
    alice.call("edit", artifact_id=alias, stage=True, version="new")
    error = alice.refused("commit", artifact_id=alias, version="v0")
    assert "Version 'v0' already exists. Existing versions: ['v0']" in error.detail
    assert error.status == 409
    assert _names(alice.call("commit", artifact_id=alias, version="v1-beta")) == ["v0", "v1-beta"]


@pytest.mark.parametrize("name", ["stage", "new", "latest", "a/b", "x" * 129, "tab\tin it", ""])
def test_impossible_version_names_are_refused(alice: Client, name: str) -> None:
    if "impossible" not in alice.aliases(stage="all"):
        alice.call("create", alias="impossible", manifest={}, stage=True)
    assert alice.refused("commit", artifact_id="impossible", version=name).status == 400
    assert _names(alice.record("impossible")) == []


def test_a_commit_without_intent_ignores_the_name(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"one"})
    alice.call("edit", artifact_id=alias, stage=True, manifest={"name": "changed"})
    alice.upload(alias, "b.txt", b"two")
    committed = alice.call("commit", artifact_id=alias, version="ignored", comment="more")
    assert _names(committed) == ["v0"]
    assert committed["versions"][0]["comment"] == "more"
    assert (committed["manifest"], committed["file_count"]) == ({"name": "changed"}, 2)
    assert alice.refused("read", artifact_id=alias, version="ignored").status == 404


def test_a_new_version_starts_empty(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"one"})
    _new_version(alice, alias, {"b.txt": b"two"})
    assert alice.files(alias) == ["b.txt"]
    assert alice.files(alias, version="v0") == ["a.txt"]
    assert alice.download(alias, "a.txt", version="v0") == b"one"
    assert alice.refused("get_file", artifact_id=alias, file_path="a.txt").status == 404


def test_copy_files_starts_from_the_latest(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"one", "d/b.txt": b"two"})
    alice.call("edit", artifact_id=alias, stage=True, version="new", copy_files=True)
    assert alice.files(alias, stage=True) == ["a.txt", "d"]
    alice.upload(alias, "a.txt", b"changed")
    alice.call("remove_file", artifact_id=alias, file_path="d/b.txt")
    alice.call("commit", artifact_id=alias)
    assert alice.files(alias) == ["a.txt"]
    assert (alice.download(alias, "a.txt"), alice.download(alias, "a.txt", version="v0")) == (b"changed", b"one")
    assert alice.download(alias, "d/b.txt", version="v0") == b"two"
    at_once = alice.call("edit", artifact_id=alias, version="new", copy_files=True)
    assert (_names(at_once), at_once["file_count"]) == (["v0", "v1", "v2"], 1)


def test_an_intent_survives_later_edits(alice: Client, alias: str) -> None:
    alice.dataset(alias)
    alice.call("edit", artifact_id=alias, stage=True, version="new")
    staged = alice.call("edit", artifact_id=alias, manifest={"name": "later"})
    assert staged["staging"] == [{"_intent": "new_version"}]
    assert alice.call("edit", artifact_id=alias, stage=True)["staging"] == [{"_intent": "new_version"}]
    assert alice.call("edit", artifact_id=alias, version="stage")["staging"] == [{"_intent": "edit_version"}]
    assert _names(alice.call("commit", artifact_id=alias)) == ["v0"]


def test_edit_in_place_updates_the_latest_version(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"one"})
    edited = alice.call("edit", artifact_id=alias, manifest={"name": "new"}, comment="why", type="dataset")
    assert (_names(edited), edited["manifest"], edited["type"]) == (["v0"], {"name": "new"}, "dataset")
    assert (edited["versions"][0]["comment"], edited["file_count"], edited["staging"]) == ("why", 1, None)
    at_once = alice.call("edit", artifact_id=alias, manifest={"name": "newer"}, version="new")
    assert (_names(at_once), at_once["file_count"]) == (["v0", "v1"], 0)
    assert alice.record(alias, version="v0")["manifest"] == {"name": "new"}
    assert alice.record(alias)["manifest"] == {"name": "newer"}


def test_an_older_version_is_edited_by_its_name(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"0"}, manifest={"n": 0})
    for number in (1, 2):
        alice.call("edit", artifact_id=alias, stage=True, version="new", manifest={"n": number})
        alice.upload(alias, f"{number}.txt", b"x")
        alice.call("commit", artifact_id=alias)
    # In place: its manifest alone.
    alice.call("edit", artifact_id=alias, version="v0", manifest={"n": "edited"}, comment="history")
    assert [alice.record(alias, version=f"v{n}")["manifest"]["n"] for n in range(3)] == ["edited", 1, 2]
    assert alice.record(alias)["manifest"] == {"n": 2}
    # In a stage: its manifest and files; the commit goes there whatever name is given.
    staged = alice.call("edit", artifact_id=alias, version="v1", stage=True)
    assert staged["manifest"] == {"n": 1}
    assert alice.files(alias, stage=True) == ["1.txt"]
    alice.upload(alias, "more.txt", b"y")
    committed = alice.call("commit", artifact_id=alias, version="v9", comment="grown")
    assert _names(committed) == ["v0", "v1", "v2"]
    assert committed["versions"][1]["comment"] == "grown"
    assert (committed["manifest"], committed["file_count"]) == ({"n": 2}, 1)
    assert alice.files(alias, version="v1") == ["1.txt", "more.txt"]
    assert alice.files(alias) == ["2.txt"]
    assert alice.files(alias, version="v0") == ["a.txt"]
    assert [alice.record(alias, version=f"v{n}")["manifest"]["n"] for n in range(3)] == ["edited", 1, 2]


def test_stage_false_towards_an_older_version_keeps_its_manifest(alice: Client, alias: str) -> None:
    alice.dataset(alias, manifest={"n": 0})
    alice.call("edit", artifact_id=alias, version="new", manifest={"n": 1})
    alice.call("edit", artifact_id=alias, stage=True)
    alice.upload(alias, "a.txt", b"a")
    alice.call("edit", artifact_id=alias, stage=False, version="v0")
    assert [alice.record(alias, version=name)["manifest"]["n"] for name in ("v0", "v1")] == [0, 1]
    assert (alice.files(alias, version="v0"), alice.files(alias)) == (["a.txt"], [])


@pytest.mark.parametrize("stage", [None, True, False])
def test_an_unknown_version_cannot_be_edited(alice: Client, stage: bool | None) -> None:
    if "known" not in alice.aliases():
        alice.dataset("known")
    error = alice.refused("edit", artifact_id="known", version="custom-v2.0", stage=stage, manifest={"x": 1})
    assert (error.status, "Invalid version 'custom-v2.0'" in error.detail) == (400, True)
    assert alice.record("known")["manifest"] == {"name": "known"}


def test_reading_by_name_index_latest_and_stage(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"0"}, manifest={"n": 0})
    alice.call("edit", artifact_id=alias, stage=True, version="new", manifest={"n": 1})
    alice.upload(alias, "b.txt", b"1")
    assert alice.record(alias)["manifest"] == {"n": 0}
    assert alice.record(alias, stage=True)["manifest"] == {"n": 1}
    alice.call("commit", artifact_id=alias, version="1")
    alice.call("edit", artifact_id=alias, version="new", manifest={"n": 2})
    reads = {0: 0, "0": 0, "v0": 0, 1: 1, "1": 1, 2: 2, "latest": 2, None: 2, "stage": 2}
    for version, number in reads.items():
        assert alice.record(alias, version=version)["manifest"] == {"n": number}, version
    assert alice.get(f"/ws-user-alice/artifacts/{alias}", version="1")["manifest"] == {"n": 1}
    assert alice.record(alias, version="v0")["file_count"] == 1
    for unknown in (3, -1, "v7", "5"):
        for method in ("read", "list_files"):
            error = alice.refused(method, artifact_id=alias, version=unknown)
            assert (error.status, "does not exist" in error.detail) == (404, True), unknown
    both = alice.refused("read", artifact_id=alias, version="v0", stage=True)
    assert (both.status, "cannot specify a version" in both.detail) == (400, True)


def test_a_staged_edit_is_seen_in_the_stage_alone(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"one"}, manifest={"name": "old"}, config={"colour": "red"})
    alice.call("edit", artifact_id=alias, stage=True, manifest={"name": "new"}, config={"colour": "blue"}, type="t")
    alice.upload(alias, "b.txt", b"two")
    for record in (alice.record(alias), *alice.call("search", filters={"alias": alias})):
        assert (record["manifest"], record["config"]["colour"], record["type"]) == ({"name": "old"}, "red", "generic")
        assert record["staging"] is None
    staged = alice.record(alias, version="stage")
    assert (staged["manifest"], staged["config"]["colour"], staged["type"]) == ({"name": "new"}, "blue", "t")
    assert staged["staging"] == [{"path": "b.txt"}, {"_intent": "edit_version"}]
    assert alice.files(alias) == ["a.txt"]
    assert alice.refused("get_file", artifact_id=alias, file_path="b.txt").status == 404
    assert alice.download(alias, "b.txt", stage=True) == b"two"
    assert alice.download(alias, "a.txt", version="stage") == b"one"


def test_committed_bytes_never_change(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"first"})
    url_before = alice.call("get_file", artifact_id=alias, file_path="a.txt")
    alice.call("edit", artifact_id=alias, stage=True)
    put_url = alice.upload(alias, "a.txt", b"second")
    # Readers keep the committed bytes until the commit, whichever way they read.
    assert alice.download(alias, "a.txt") == b"first"
    assert fetch(url_before) == b"first"
    assert alice.call("read_file", artifact_id=alias, file_path="a.txt")["content"] == "first"
    assert alice.download(alias, "a.txt", stage=True) == b"second"
    # An upload can be repeated while the stage is open; the last one counts.
    assert put(put_url, b"third").status_code == 200
    alice.call("commit", artifact_id=alias)
    assert alice.download(alias, "a.txt") == b"third"
    # A URL names bytes, not a path: it goes on giving what it was made for.
    assert fetch(url_before) == b"first"
    late = put(put_url, b"late")
    assert (late.status_code, late.json()["code"]) == (403, "permission_denied")
    alice.call("edit", artifact_id=alias, stage=True)
    assert put(put_url, b"later").status_code == 403
    alice.call("commit", artifact_id=alias)
    assert alice.download(alias, "a.txt") == b"third"


def test_older_versions_keep_their_bytes_for_ever(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"0"})
    for number in range(1, 5):
        _new_version(alice, alias, {"a.txt": str(number).encode()})
    alice.call("edit", artifact_id=alias, stage=True)
    alice.upload(alias, "a.txt", b"changed")
    alice.call("commit", artifact_id=alias)
    assert [alice.download(alias, "a.txt", version=f"v{n}") for n in range(5)] == [b"0", b"1", b"2", b"3", b"changed"]


def test_discard_brings_the_committed_state_back(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"one", "b.txt": b"two"}, manifest={"name": "kept"}, config={"colour": "red"})
    before = alice.record(alias)
    alice.call("edit", artifact_id=alias, stage=True, manifest={"name": "gone"}, config={"colour": "blue"})
    put_url = alice.upload(alias, "a.txt", b"gone")
    alice.upload(alias, "c.txt", b"gone")
    alice.call("remove_file", artifact_id=alias, file_path="b.txt")
    discarded = alice.call("discard", artifact_id=alias)
    assert discarded["staging"] is None
    for record in (discarded, alice.record(alias), alice.record(alias, version="stage")):
        assert {**record, "last_modified": 0} == {**before, "last_modified": 0}
    assert alice.files(alias) == ["a.txt", "b.txt"]
    assert (alice.download(alias, "a.txt"), alice.download(alias, "b.txt")) == (b"one", b"two")
    assert put(put_url, b"late").status_code == 403
    again = alice.refused("discard", artifact_id=alias)
    assert (again.status, again.detail) == (
        400,
        "ValueError: No staged changes to discard. Artifact is not in staging mode.",
    )


def test_a_discarded_draft_is_an_empty_artifact(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={"name": "draft"}, stage=True)
    alice.upload(alias, "a.txt", b"one")
    discarded = alice.call("discard", artifact_id=alias)
    assert (discarded["staging"], discarded["versions"]) == (None, [])
    assert alice.files(alias) == []
    assert alias not in alice.aliases()
    assert alias not in alice.aliases(stage=True)
    assert alias in alice.aliases(stage="all")
    error = alice.refused("commit", artifact_id=alias)
    assert (error.status, error.detail) == (400, "AssertionError: Artifact must be in staging mode to commit.")
    # It can be taken up again.
    alice.call("edit", artifact_id=alias, stage=True)
    assert _names(alice.call("commit", artifact_id=alias)) == ["v0"]


def test_edit_of_a_staged_artifact_stays_staged_unless_told_otherwise(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"one"})
    alice.call("edit", artifact_id=alias, stage=True)
    alice.upload(alias, "b.txt", b"two", download_weight=2)
    assert alice.call("edit", artifact_id=alias, manifest={"name": "staged"})["staging"] is not None
    assert alice.record(alias)["manifest"] == {"name": alias}
    done = alice.call("edit", artifact_id=alias, stage=False, comment="all at once")
    assert (done["staging"], done["manifest"], done["file_count"]) == (None, {"name": "staged"}, 2)
    assert (_names(done), done["versions"][0]["comment"]) == (["v0"], "all at once")
    assert done["config"]["download_weights"] == {"b.txt": 2.0}


def test_stage_false_checks_as_commit_does(alice: Client, alias: str) -> None:
    alice.dataset(alias)
    alice.call("edit", artifact_id=alias, stage=True, version="new")
    alice.call("put_file", artifact_id=alias, file_path="missing.txt")
    error = alice.refused("edit", artifact_id=alias, stage=False, manifest={"name": "no"})
    assert (error.status, "missing.txt" in error.detail) == (404, True)
    assert alice.record(alias)["manifest"] == {"name": alias}
    alice.upload(alias, "missing.txt", b"here")
    done = alice.call("edit", artifact_id=alias, stage=False, manifest={"name": "yes"})
    assert (_names(done), done["manifest"], done["file_count"]) == (["v0", "v1"], {"name": "yes"}, 1)


def test_a_missing_upload_fails_the_commit_and_changes_nothing(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"old.txt": b"old"})
    before = alice.record(alias)
    alice.call("edit", artifact_id=alias, stage=True, manifest={"name": "new"})
    alice.upload(alias, "here.txt", b"here")
    alice.call("remove_file", artifact_id=alias, file_path="old.txt")
    alice.call("put_file", artifact_id=alias, file_path=["z.txt", "missing.txt"])
    error = alice.refused("commit", artifact_id=alias)
    assert error.status == 404
    assert "FileNotFoundError: File 'missing.txt' does not exist in the artifact." in error.detail
    assert "1 more" in error.detail
    assert {**alice.record(alias), "last_modified": 0} == {**before, "last_modified": 0}
    assert alice.files(alias) == ["old.txt"]
    assert len(alice.record(alias, stage=True)["staging"]) == 5
    for path in ("z.txt", "missing.txt"):
        alice.call("remove_file", artifact_id=alias, file_path=path)
    alice.call("commit", artifact_id=alias)
    assert alice.files(alias) == ["here.txt"]


def test_remove_file(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"a", "b.txt": b"b"})
    refused = alice.refused("remove_file", artifact_id=alias, file_path="a.txt")
    assert (refused.status, refused.detail) == (400, "AssertionError: Artifact must be in staging mode.")
    alice.call("edit", artifact_id=alias, stage=True)
    announced = alice.call("put_file", artifact_id=alias, file_path="announced.txt")
    alice.upload(alias, "staged.txt", b"s")
    for path in ("a.txt", "announced.txt", "staged.txt", "nowhere.txt"):
        assert alice.call("remove_file", artifact_id=alias, file_path=path) is None
    assert alice.record(alias, stage=True)["staging"] == [
        {"path": "a.txt", "_remove": True},
        {"_intent": "edit_version"},
    ]
    # The committed file stays for readers until the commit.
    assert (alice.files(alias), alice.files(alias, stage=True)) == (["a.txt", "b.txt"], ["b.txt"])
    assert alice.refused("get_file", artifact_id=alias, file_path="a.txt", stage=True).status == 404
    assert put(announced, b"late").status_code == 403
    alice.call("commit", artifact_id=alias)
    assert alice.files(alias) == ["b.txt"]


def test_a_removal_under_a_new_version_leaves_the_old_one_alone(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"a"})
    alice.call("edit", artifact_id=alias, stage=True, version="new")
    alice.call("remove_file", artifact_id=alias, file_path="a.txt")
    alice.call("commit", artifact_id=alias)
    assert (alice.files(alias, version="v0"), alice.files(alias, version="v1")) == (["a.txt"], [])
    assert alice.download(alias, "a.txt", version="v0") == b"a"


def test_a_removed_file_can_come_back(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"old"})
    alice.call("edit", artifact_id=alias, stage=True)
    alice.call("remove_file", artifact_id=alias, file_path="a.txt")
    alice.upload(alias, "a.txt", b"new")
    # Taken out again, what is left is the removal of nothing: the committed file stays.
    assert alice.record(alias, stage=True)["staging"] == [{"path": "a.txt"}, {"_intent": "edit_version"}]
    alice.call("commit", artifact_id=alias)
    assert alice.download(alias, "a.txt") == b"new"


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [("a", "a/b", "'a'"), ("a/b", "a", "'a'"), ("a/b/c", "a/b", "'a/b'"), ("x", "x/y/z", "'x'")],
)
@pytest.mark.parametrize("is_committed", [True, False])
def test_a_path_is_a_file_or_a_directory(
    alice: Client, alias: str, first: str, second: str, named: str, is_committed: bool
) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    alice.upload(alias, first, b"1")
    if is_committed:
        alice.call("commit", artifact_id=alias)
        alice.call("edit", artifact_id=alias, stage=True)
    error = alice.refused("put_file", artifact_id=alias, file_path=second)
    assert (error.status, named in error.detail) == (400, True), error.detail
    assert alice.refused("write_file", artifact_id=alias, file_path=second, content="x").status == 400
    alice.call("remove_file", artifact_id=alias, file_path=first)
    alice.upload(alias, second, b"2")
    alice.call("commit", artifact_id=alias)
    assert alice.download(alias, second) == b"2"


def test_a_file_and_a_directory_in_one_batch_are_refused(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    error = alice.refused("put_file", artifact_id=alias, file_path=["d/e", "d"])
    assert (error.status, "'d'" in error.detail) == (400, True)
    assert alice.record(alias, stage=True)["staging"] == [{"_intent": "new_version"}]


def test_listing_the_stage(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"a", "d/x.txt": b"x"})
    alice.call("edit", artifact_id=alias, stage=True)
    alice.upload(alias, "b.txt", b"bb", download_weight=0.25)
    alice.call("put_file", artifact_id=alias, file_path=["pending.txt", "d/later.txt"], download_weight=[1, 0])
    assert alice.files(alias) == ["a.txt", "d"]
    assert alice.files(alias, stage=True) == ["a.txt", "b.txt", "d"]
    assert all("pending" not in entry for entry in alice.call("list_files", artifact_id=alias, version="stage"))
    entries = {
        entry["name"]: entry for entry in alice.call("list_files", artifact_id=alias, stage=True, include_pending=True)
    }
    assert list(entries) == ["a.txt", "b.txt", "d", "d/later.txt", "pending.txt"]
    assert {name: entry.get("pending") for name, entry in entries.items()} == {
        "a.txt": False,
        "b.txt": False,
        "d": None,
        "d/later.txt": True,
        "pending.txt": True,
    }
    assert entries["pending.txt"] == {
        "type": "file",
        "name": "pending.txt",
        "size": 0,
        "last_modified": None,
        "etag": None,
        "pending": True,
        "download_weight": 1.0,
    }
    assert (entries["b.txt"]["size"], entries["b.txt"]["download_weight"]) == (2, 0.25)
    page = alice.files(alias, stage=True, include_pending=True, limit=2, offset=1)
    assert page == ["b.txt", "d"]
    assert alice.files(alias, stage=True, dir_path="d") == ["x.txt"]
    assert alice.files(alias, dir_path="nowhere") == []


def test_a_page_of_files_continues_where_the_last_one_ended(alice: Client, alias: str) -> None:
    names = [f"f{number:03}.txt" for number in range(25)]
    alice.dataset(alias, {name: name.encode() for name in names})
    pages = [alice.files(alias, limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert [name for page in pages for name in page] == names
    for wrong in ({"limit": 0}, {"limit": 10_001}, {"offset": -1}):
        assert alice.refused("list_files", artifact_id=alias, **wrong).status == 400


def test_batches(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    paths = ["a.txt", "./d/b.txt", "c.txt"]
    urls = alice.call("put_file", artifact_id=alias, file_path=paths, download_weight=[1, 0, 2.5])
    # The spelling is the caller's.
    assert list(urls) == paths
    for path, url in urls.items():
        assert put(url, path.encode()).status_code == 200
    assert alice.record(alias, stage=True)["staging"] == [
        {"path": "a.txt", "download_weight": 1.0},
        {"path": "d/b.txt"},
        {"path": "c.txt", "download_weight": 2.5},
        {"_intent": "new_version"},
    ]
    alice.call("commit", artifact_id=alias)
    got = alice.call("get_file", artifact_id=alias, file_path=paths)
    assert {path: fetch(url) for path, url in got.items()} == {path: path.encode() for path in paths}
    assert alice.record(alias)["download_count"] == 3.5
    missing = alice.refused("get_file", artifact_id=alias, file_path=["a.txt", "no.txt"])
    assert (missing.status, missing.detail) == (
        404,
        "FileNotFoundError: File 'no.txt' does not exist in the artifact.",
    )
    assert alice.record(alias)["download_count"] == 3.5
    for method in ("put_file", "get_file"):
        empty = alice.refused(method, artifact_id=alias, file_path=[])
        assert (empty.status, "must contain at least one path" in empty.detail) == (400, True)


def test_weights(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    alice.upload(alias, "a.txt", b"a", download_weight=1)
    alice.upload(alias, "a.txt", b"a", download_weight=0.5)
    # At once, for any path, staged or not.
    alice.call("set_download_weight", artifact_id=alias, file_path="later.txt", download_weight=3)
    assert alice.record(alias)["config"]["download_weights"] == {"later.txt": 3.0}
    alice.call("commit", artifact_id=alias)
    assert alice.record(alias)["config"]["download_weights"] == {"a.txt": 0.5, "later.txt": 3.0}
    alice.call("set_download_weight", artifact_id=alias, file_path="later.txt", download_weight=0)
    alice.call("set_download_weight", artifact_id=alias, file_path="a.txt", download_weight=2)
    assert alice.record(alias)["config"]["download_weights"] == {"a.txt": 2.0}
    alice.call("get_file", artifact_id=alias, file_path="a.txt")
    assert alice.record(alias)["download_count"] == 2.0

    alice.call("edit", artifact_id=alias, stage=True)
    refusals = {
        "put_file": {"file_path": "b.txt", "download_weight": -1},
        "set_download_weight": {"file_path": "b.txt", "download_weight": -0.5},
    }
    for method, arguments in refusals.items():
        error = alice.refused(method, artifact_id=alias, **arguments)
        assert (error.status, "Download weight must be non-negative" in error.detail) == (400, True)
    listed = alice.refused("put_file", artifact_id=alias, file_path=["b", "c"], download_weight=[1, -2])
    assert "at index 1" in listed.detail
    lengths = alice.refused("put_file", artifact_id=alias, file_path=["b", "c"], download_weight=[1])
    assert "download_weight list length (1) must match file_path list length (2)" in lengths.detail
    assert alice.record(alias, stage=True)["staging"] == [{"_intent": "edit_version"}]


def test_what_needs_a_stage_says_so(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"a.txt": b"a"})
    put_error = alice.refused("put_file", artifact_id=alias, file_path="b.txt")
    write_error = alice.refused("write_file", artifact_id=alias, file_path="b.txt", content="x")
    commit_error = alice.refused("commit", artifact_id=alias)
    assert [error.status for error in (put_error, write_error, commit_error)] == [400, 400, 400]
    assert put_error.detail == "AssertionError: Artifact must be in staging mode."
    assert "Artifact must be in staging mode. Call edit(artifact_id, stage=True) first." in write_error.detail
    assert commit_error.detail == "AssertionError: Artifact must be in staging mode to commit."


def test_versions_are_listed_page_by_page(alice: Client, alias: str) -> None:
    alice.dataset(alias)
    for _ in range(4):
        alice.call("edit", artifact_id=alias, version="new")
    found: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = alice.get(f"/ws-user-alice/artifacts/{alias}/versions", **query)
        found += [item["version"] for item in page["items"]]
        assert page["total"] == 5
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ["v0", "v1", "v2", "v3", "v4"]


def test_parallel_announcements_lose_nothing(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)
    paths = [f"f{number:03}.txt" for number in range(100)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda path: alice.upload(alias, path, path.encode(), download_weight=1), paths))
    staged = alice.record(alias, stage=True)["staging"]
    assert sorted(entry["path"] for entry in staged[:-1]) == paths
    assert all(entry["download_weight"] == 1 for entry in staged[:-1])
    assert alice.call("commit", artifact_id=alias)["file_count"] == 100


def _commit(alice: Client, artifact_id: str) -> Any:
    while True:
        try:
            return alice.call("commit", artifact_id=artifact_id)
        except RefusedError as error:
            if error.status != 409:
                raise


def test_a_commit_amid_uploads_holds_all_that_were_acknowledged(alice: Client, alias: str) -> None:
    alice.call("create", alias=alias, manifest={}, stage=True)

    def write(worker: int) -> int:
        for number in range(1_000):
            try:
                alice.call("write_file", artifact_id=alias, file_path=f"{worker}/{number}", content="x")
            except RefusedError as error:
                if error.status != 400:
                    raise
                return number
            # Files that never stop coming would starve the commit, which then says so with 409.
            time.sleep(0.05)
        raise AssertionError("The stage was never closed")

    with ThreadPoolExecutor(4) as threads:
        written = [threads.submit(write, worker) for worker in range(4)]
        while len(alice.record(alias, stage=True)["staging"]) < 20:
            time.sleep(0.02)
        committed = _commit(alice, alias)
        assert committed["file_count"] == sum(future.result() for future in written)
    assert alice.record(alias)["staging"] is None

"""Creating artifacts: aliases, places, cards, schemas, and every way in which a client spells its arguments."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.client import METHODS, Client, People, RefusedError, alias_of
from tests.support.server import Server

ALICE = "ws-user-alice"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RECORD_KEYS = {
    "id",
    "_id",
    "_permissions",
    "alias",
    "config",
    "created_at",
    "created_by",
    "download_count",
    "file_count",
    "last_modified",
    "manifest",
    "parent_id",
    "staging",
    "type",
    "versions",
    "view_count",
    "workspace",
}


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


def _collection(client: Client, alias: str, **config: Any) -> str:
    created = client.call("create", alias=alias, type="collection", manifest={"name": alias}, config=config)
    return str(created["id"])


def test_the_record(alice: Client, alias: str) -> None:
    before = int(time.time())
    record = alice.call("create", alias=alias, manifest={"name": "x"}, comment="begun")
    assert set(record) == RECORD_KEYS
    assert (record["id"], record["workspace"], record["alias"]) == (f"{ALICE}/{alias}", ALICE, alias)
    assert UUID.fullmatch(record["_id"])
    assert (record["type"], record["parent_id"], record["created_by"]) == ("generic", None, "alice")
    assert before <= record["created_at"] == record["last_modified"] <= int(time.time())
    assert (record["download_count"], record["view_count"], record["file_count"]) == (0.0, 0.0, 0)
    assert isinstance(record["view_count"], float)
    assert record["config"]["permissions"] == {"alice": "*"}
    assert "set_secret" in record["_permissions"]["alice"]
    assert record["versions"] == [{"version": "v0", "comment": "begun", "created_at": record["created_at"]}]
    assert record["staging"] is None
    assert alice.record(record["_id"]) == record


@pytest.mark.parametrize("name", ["a", "A.b-C_9", "0", "x" * 64, "  padded  "])
def test_good_aliases(alice: Client, name: str) -> None:
    record = alice.call("create", alias=name, manifest={})
    assert record["alias"] == name.strip()
    alice.call("delete", artifact_id=record["id"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("-", "reserved"),
        ("~", "reserved"),
        ("_", "reserved"),
        ("", "Invalid alias"),
        ("-a", "Invalid alias"),
        (".a", "Invalid alias"),
        ("a b", "Invalid alias"),
        ("a!", "Invalid alias"),
        ("ä", "Invalid alias"),
        ("a\x00", "Invalid alias"),
        ("x" * 65, "Alias is too long (65 characters); the maximum is 64"),
        ("01890a5d-ac96-774b-bcce-b302099a8057", "cannot be a UUID"),
        ("a/b/c", "Invalid artifact ID format"),
        ("{timestamp", "Invalid alias"),
        ("a {uuid}", "Invalid alias"),
    ],
)
def test_bad_aliases(alice: Client, name: str, text: str) -> None:
    error = alice.refused("create", alias=name, manifest={})
    assert (error.status, text in error.detail) == (400, True), error.detail


def test_a_generated_alias_is_four_words(alice: Client) -> None:
    names = {alice.call("create", manifest={})["alias"] for _ in range(10)}
    assert len(names) == 10
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+){3}", name) for name in names)


def test_patterns(alice: Client, people: People) -> None:
    record = alice.call("create", alias="{uuid}", manifest={})
    assert record["alias"] == record["_id"]
    assert alice.record(record["alias"])["_id"] == record["_id"]
    prefixed = alice.call("create", alias="run-{uuid}", manifest={})
    assert prefixed["alias"] == "run-" + prefixed["_id"]
    milliseconds = int(alice.call("create", alias="t.{timestamp}", manifest={})["alias"].removeprefix("t."))
    assert abs(milliseconds / 1000 - time.time()) < 60
    assert alice.call("create", alias="by-{user_id}", manifest={})["alias"] == "by-alice"
    odd = people["google-oauth2|Zoë"].call("create", alias="by-{user_id}", manifest={})
    assert odd["alias"] == "by-google-oauth2-Zo-"
    random = alice.call("create", alias="x-{anything}", manifest={})["alias"]
    assert len(random) == 2 + 36
    zenodo = alice.refused("create", alias="z-{zenodo_id}", manifest={})
    assert (zenodo.status, "zenodo_id" in zenodo.detail) == (400, True)


def test_id_parts_of_the_collection(alice: Client, alias: str) -> None:
    parts = {"animals": ["dog", "cat"], "colors": ["red", "blue"], "kind": "pet"}
    parent = _collection(alice, alias, id_parts=parts)
    names = {
        alice.call("create", parent_id=parent, alias="{kind}-{colors}-{animals}", manifest={})["alias"]
        for _ in range(4)
    }
    # Each is taken once, so that all four exist after four tries.
    assert names == {"pet-red-dog", "pet-red-cat", "pet-blue-dog", "pet-blue-cat"}
    exhausted = alice.refused("create", parent_id=parent, alias="{kind}-{colors}-{animals}", manifest={})
    assert "unique alias" in exhausted.detail


def test_ways_of_saying_where(alice: Client, people: People, alias: str) -> None:
    assert alice.call("create", alias=f"{ALICE}/{alias}-1", manifest={})["id"] == f"{ALICE}/{alias}-1"
    assert alice.call("create", artifact_id=f"{ALICE}/{alias}-2", manifest={})["id"] == f"{ALICE}/{alias}-2"
    assert alice.call("create", alias=f"{alias}-3", workspace=ALICE, manifest={})["workspace"] == ALICE
    agreeing = {"artifact_id": f"{ALICE}/{alias}-4", "workspace": ALICE, "alias": f"{alias}-4"}
    assert alice.call("create", **agreeing, manifest={})["alias"] == f"{alias}-4"
    parent = _collection(alice, f"{alias}-c", permissions={"@": "r+"})
    child = alice.call("create", alias=f"{alias}-5", parent_id=parent, workspace=ALICE, manifest={})
    assert child["parent_id"] == parent
    # A child lives in the workspace of its parent, whoever makes it.
    foreign = people["bob"].call("create", alias=f"{alias}-6", parent_id=parent, manifest={})
    assert (foreign["workspace"], foreign["created_by"]) == (ALICE, "bob")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"artifact_id": f"{ALICE}/one", "alias": "other"}, "Cannot specify both"),
        ({"artifact_id": f"{ALICE}/one", "workspace": "elsewhere"}, "Cannot specify both"),
        ({"artifact_id": "one"}, "must be in format 'workspace/alias'"),
        ({"artifact_id": f"{ALICE}/one/two"}, "Invalid artifact ID format"),
        ({"alias": f"{ALICE}/one", "workspace": "elsewhere"}, "Workspace must match the alias workspace"),
        ({"alias": "one", "workspace": "elsewhere", "parent_id": f"{ALICE}/places"}, "does not match parent's"),
        ({"alias": "elsewhere/one", "parent_id": f"{ALICE}/places"}, "does not match parent's workspace"),
        ({"alias": "/one"}, "Invalid artifact ID format"),
    ],
)
def test_disagreement_about_the_place(alice: Client, arguments: dict[str, str], text: str) -> None:
    if "places" not in alice.aliases(limit=1000):
        _collection(alice, "places")
    error = alice.refused("create", manifest={}, **arguments)
    assert (error.status, text in error.detail) == (400, True), error.detail


def test_nobody_creates_where_he_may_not(alice: Client, people: People, alias: str) -> None:
    bob, anyone = people["bob"], people.anonymous()
    for client in (bob, anyone):
        for place in ({"alias": f"{ALICE}/{alias}"}, {"artifact_id": f"{ALICE}/{alias}"}, {"workspace": ALICE}):
            assert client.refused("create", manifest={}, **place).status == 403
    assert bob.refused("create", alias=alias, workspace="no-such-workspace", manifest={}).status in {403, 404}
    assert bob.refused("create", alias=alias, parent_id=f"{ALICE}/no-such", manifest={}).status == 404
    unnamed = anyone.refused("create", alias=alias, manifest={})
    assert (unnamed.status, "non-persistent workspace" in unnamed.detail) == (403, True)
    assert alice.refused("read", artifact_id=alias).status == 404


def test_a_taken_alias(alice: Client, alias: str) -> None:
    first = alice.dataset(alias)
    error = alice.refused("create", alias=alias, manifest={})
    assert (error.status, error.code) == (409, "already_exists")
    assert error.detail == (
        f"FileExistsError: Artifact with alias '{alias}' already exists, please choose a different alias "
        f"or remove the existing artifact (ID: {first})."
    )
    parent = _collection(alice, alias + "-c")
    other = alice.refused("create", alias=alias, parent_id=parent, manifest={})
    assert "already exists under a different parent artifact" in other.detail
    alice.call("delete", artifact_id=alias)
    assert alice.call("create", alias=alias, manifest={"name": "again"})["_id"] != first


def test_one_of_many_at_once_gets_the_alias(alice: Client, alias: str) -> None:
    def create(number: int) -> int:
        try:
            alice.call("create", alias=alias, manifest={"n": number})
        except RefusedError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(create, range(32)))
    assert sorted(statuses) == [200] + [409] * 31


def test_overwrite_begins_a_new_life(alice: Client, alias: str) -> None:
    alice.dataset(alias, {"old.txt": b"old"}, manifest={"name": "old"})
    alice.call("edit", artifact_id=alias, version="new")
    alice.call("read", artifact_id=alias)
    old = alice.record(alias)
    new = alice.call("create", alias=alias, manifest={"name": "new"}, overwrite=True)
    assert new["_id"] != old["_id"]
    assert ([v["version"] for v in new["versions"]], new["view_count"], new["file_count"]) == (["v0"], 0.0, 0)
    assert alice.files(alias) == []
    assert alice.refused("get_file", artifact_id=alias, file_path="old.txt").status == 404
    assert alice.refused("read", artifact_id=old["_id"]).status == 404
    assert [record["_id"] for record in alice.call("search", filters={"alias": alias})] == [new["_id"]]
    draft = alice.call("create", alias=alias, manifest={}, overwrite=True, stage=True)
    assert draft["versions"] == []
    fresh = alice.call("create", alias=alias + "-free", manifest={}, overwrite=True)
    assert fresh["alias"] == alias + "-free"


def test_a_collection_with_children_is_not_overwritten(alice: Client, alias: str) -> None:
    parent = _collection(alice, alias)
    alice.dataset(alias + "-child", parent_id=parent)
    error = alice.refused("create", alias=alias, manifest={}, overwrite=True)
    assert error.status in {400, 409}
    assert f"Cannot overwrite artifact '{parent}' as it has 1 child artifacts." in error.detail
    alice.call("delete", artifact_id=alias + "-child")
    assert alice.call("create", alias=alias, type="collection", manifest={}, overwrite=True)["alias"] == alias


def test_overwrite_needs_rights_on_the_old_one(alice: Client, people: People, alias: str) -> None:
    parent = _collection(alice, alias, permissions={"@": "r+"})
    alice.dataset(alias + "-child", parent_id=parent)
    error = people["bob"].refused(
        "create", alias=alias + "-child", parent_id=parent, manifest={"name": "taken"}, overwrite=True
    )
    assert (error.status, "'delete'" in error.detail) == (403, True)
    assert alice.record(alias + "-child")["manifest"] == {"name": alias + "-child"}


SCHEMA = {
    "type": "object",
    "properties": {"record_type": {"type": "string", "enum": ["dataset", "model"]}},
    "required": ["name", "record_type"],
}
GOOD = {"name": "x", "record_type": "model"}
BAD = {"name": "x", "record_type": "cake"}


def test_the_schema_of_a_collection(alice: Client, alias: str) -> None:
    parent = _collection(alice, alias, collection_schema=SCHEMA)
    error = alice.refused("create", alias=alias + "-1", parent_id=parent, manifest=BAD)
    assert (error.status, error.code) == (400, "schema_violation")
    assert "ValidationError: 'cake' is not one of" in error.detail
    assert alice.refused("read", artifact_id=alias + "-1").status == 404
    alice.call("create", alias=alias + "-1", parent_id=parent, manifest=GOOD)
    assert alice.refused("edit", artifact_id=alias + "-1", manifest=BAD).status == 400
    # A draft may be incomplete; its commit may not.
    alice.call("edit", artifact_id=alias + "-1", manifest=BAD, stage=True)
    assert "ValidationError" in alice.refused("commit", artifact_id=alias + "-1").detail
    assert alice.record(alias + "-1")["manifest"] == GOOD
    alice.call("create", alias=alias + "-2", parent_id=parent, manifest={}, stage=True)
    missing = alice.refused("commit", artifact_id=alias + "-2")
    assert "is a required property" in missing.detail
    assert alice.refused("edit", artifact_id=alias + "-2", stage=False, manifest=BAD).status == 400
    alice.call("edit", artifact_id=alias + "-2", manifest=GOOD)
    assert alice.call("commit", artifact_id=alias + "-2")["manifest"] == GOOD


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        "text",
        [],
        {"$ref": "http://127.0.0.1/schema"},
        {"properties": {"a": {"$ref": "file:///x"}}},
    ],
)
def test_an_impossible_schema_is_refused(alice: Client, alias: str, schema: Any) -> None:
    config = {"collection_schema": schema}
    assert alice.refused("create", type="collection", manifest={}, config=config).status == 400
    _collection(alice, alias)
    assert alice.refused("edit", artifact_id=alias, config=config).status == 400


@pytest.mark.parametrize(
    ("kind", "manifest", "is_good"),
    [
        ("generic", {"name": "x", "tags": ["a"], "extra": 1}, True),
        ("generic", {"tags": "a"}, False),
        ("generic", {"name": 1}, False),
        ("collection", {"name": "x", "collection": []}, True),
        ("collection", {"collection": "text"}, False),
        ("collection", {"collection_schema": {"type": "nonsense"}}, False),
        ("dataset", {"tags": "a", "name": 1}, True),
    ],
)
def test_cards(alice: Client, kind: str, manifest: dict[str, Any], is_good: bool) -> None:
    if is_good:
        record = alice.call("create", type=kind, manifest=manifest)
        assert (record["type"], record["manifest"]) == (kind, manifest)
    else:
        assert alice.refused("create", type=kind, manifest=manifest).status == 400


def test_a_manifest_is_needed(alice: Client) -> None:
    error = alice.refused("create", alias="without")
    assert (error.status, "Manifest must be provided." in error.detail) == (400, True)


def test_numbers_that_json_has_not_are_kept_as_text(alice: Client, alias: str) -> None:
    body = (
        f'{{"alias": "{alias}", "type": "t", "manifest": {{"a": NaN, "b": [Infinity, {{"c": -Infinity}}], "d": 1.5}},'
        ' "config": {"limit": Infinity}}'
    )
    headers = {"content-type": "application/json"}
    answer = alice.http.post(METHODS + "create", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    kept = {"a": "NaN", "b": ["Infinity", {"c": "-Infinity"}], "d": 1.5}
    assert answer.json()["manifest"] == kept
    assert alice.record(alias)["manifest"] == kept
    assert alice.record(alias)["config"]["limit"] == "Infinity"
    edit = json.dumps({"artifact_id": alias, "manifest": {"x": float("nan")}})
    edited = alice.http.post(METHODS + "edit", content=edit, headers=headers)
    assert edited.json()["manifest"] == {"x": "NaN"}


@pytest.mark.parametrize(
    ("arguments", "versions"),
    [
        ({}, ["v0"]),
        ({"version": None}, ["v0"]),
        ({"version": "new"}, ["v0"]),
        ({"version": "1.0"}, ["1.0"]),
        ({"version": "stage"}, []),
        ({"stage": True}, []),
        ({"stage": True, "version": "1.0"}, []),
    ],
)
def test_the_first_version(alice: Client, alias: str, arguments: dict[str, Any], versions: list[str]) -> None:
    record = alice.call("create", alias=alias, manifest={}, **arguments)
    assert [version["version"] for version in record["versions"]] == versions
    if not versions:
        assert record["staging"] == [{"_intent": "new_version"}]
        committed = alice.call("commit", artifact_id=alias)
        assert [version["version"] for version in committed["versions"]] == ["v0"]


@pytest.mark.parametrize("version", ["latest", "a/b", "", "x" * 129])
def test_a_bad_first_version(alice: Client, version: str) -> None:
    assert alice.refused("create", manifest={}, version=version).status == 400


def test_a_comment_has_a_default(alice: Client, alias: str) -> None:
    assert alice.call("create", alias=alias, manifest={})["versions"][0]["comment"] == "Initial version"
    assert alice.refused("create", manifest={}, comment="x" * 4097).status == 400


def test_the_type(alice: Client) -> None:
    assert alice.call("create", manifest={}, type=None)["type"] == "generic"
    assert alice.call("create", manifest={"name": 1}, type="my own kind")["type"] == "my own kind"
    collection = alice.call("create", manifest={}, type="collection")
    assert (collection["config"]["is_collection"], collection["config"]["child_count"]) == (True, 0)


def test_any_artifact_becomes_a_collection_by_its_first_child(alice: Client, alias: str) -> None:
    parent = alice.dataset(alias)
    assert "is_collection" not in alice.record(alias)["config"]
    child = alice.call("create", parent_id=alice.record(alias)["_id"], manifest={}, stage=True)
    assert child["parent_id"] == parent
    config = alice.record(alias)["config"]
    assert (config["is_collection"], config["child_count"]) == (True, 1)
    alice.call("delete", artifact_id=child["id"])
    assert alice.record(alias)["config"]["child_count"] == 0


def test_permissions_by_either_name(alice: Client, alias: str) -> None:
    wanted: dict[str, Any] = {"*": "r", "bob": ["read", "create"]}
    given: dict[str, dict[str, Any]] = {
        "by-argument": {"permissions": wanted},
        "by-config": {"config": {"permissions": wanted}},
    }
    for name, arguments in given.items():
        record = alice.call("create", alias=f"{alias}-{name}", manifest={}, **arguments)
        assert record["config"]["permissions"] == {**wanted, "alice": "*"}
        assert record["_permissions"]["bob"] == ["read", "draft", "attach"]
    both = alice.call("create", manifest={}, permissions={"*": "l"}, config={"permissions": {"*": "rw"}, "a": 1})
    assert both["config"] == {"permissions": {"*": "l", "alice": "*"}, "a": 1}
    edited = alice.call("edit", artifact_id=both["id"], permissions={"*": "r"})
    # An edit says the whole of it, so that even the creator can be left out; the owner of the workspace stays in.
    assert edited["config"] == {"permissions": {"*": "r"}, "a": 1}
    kept = alice.call("edit", artifact_id=both["id"], config={"b": 2})
    assert kept["config"] == {"permissions": {"*": "r"}, "b": 2}
    impossible: list[Any] = [{"*": "everything"}, {"*": 7}, {"*": None}, []]
    for wrong in impossible:
        assert alice.refused("create", manifest={}, config={"permissions": wrong}).status == 400, wrong


def test_the_body_of_a_client_that_sends_every_argument(alice: Client, alias: str) -> None:
    """A public client sends all keys, null where its user gave nothing."""
    base = {"parent_id": None, "type": None, "config": None, "version": None, "secrets": None, "comment": None}
    manifest = {"name": "n", "description": "d"}
    record = alice.call("create", **base, alias=alias, workspace=ALICE, manifest=manifest, stage=None, overwrite=None)
    assert (record["manifest"], record["type"], len(record["versions"])) == (manifest, "generic", 1)
    draft = alice.call("create", **base, alias=alias, workspace=None, manifest=manifest, stage=True, overwrite=True)
    assert draft["versions"] == []
    alice.call("edit", artifact_id=alias, stage=None, manifest=None, type=None, config=None, version=None, comment=None)
    alice.call("put_file", artifact_id=alias, file_path="a.txt", version=None, use_proxy=None, use_local_url=None)
    alice.upload(alias, "a.txt", b"a", version="v0", download_weight=None, expires_in=None)
    alice.call("commit", artifact_id=alias, version=None, comment=None)
    listed = alice.call(
        "list",
        parent_id=None,
        keywords=None,
        filters=None,
        mode=None,
        offset=None,
        limit=None,
        order_by=None,
        silent=None,
        stage=None,
    )
    assert alias in [record["alias"] for record in listed]
    files = alice.get(METHODS + "list_files", artifact_id=alias, dir_path=".", limit="1000")
    assert [file["name"] for file in files] == ["a.txt"]
    answer = alice.http.get(
        METHODS + "get_file", params={"artifact_id": alias, "file_path": "a.txt", "use_proxy": "false"}
    )
    # The client strips the quotes from the text, so nothing in it may be escaped.
    assert answer.text.startswith('"http')
    assert "\\" not in answer.text
    assert json.loads(answer.text) == answer.text.strip('"')
    assert alice.call("delete", artifact_id=alias, delete_files=None, recursive=None, version=None) is None


def test_a_query_is_read_by_declared_types(alice: Client) -> None:
    alice.call("create", alias="2024", manifest={"name": "digits"})
    assert alice.get(METHODS + "read", artifact_id="2024", silent="true")["alias"] == "2024"
    found = alice.get(
        METHODS + "list", filters='{"alias": "2024"}', limit="5", pagination="true", keywords='["digits"]'
    )
    assert (found["total"], found["limit"]) == (1, 5)


@pytest.mark.parametrize(
    ("method", "arguments", "status", "text"),
    [
        ("create", {"manifest": "text"}, 400, "manifest"),
        ("create", {"manifest": {}, "bogus": 1}, 400, "got an unexpected keyword argument 'bogus'"),
        ("create", {"manifest": {}, "stage": "maybe"}, 400, "stage"),
        ("create", {"manifest": {}, "alias": 7}, 400, "alias"),
        ("create", {"manifest": {}, "config": {"storage": "tape"}}, 400, "tape"),
        ("read", {}, 400, "Missing required argument: 'artifact_id'"),
        ("read", {"artifact_id": None}, 400, "Missing required argument: 'artifact_id'"),
        ("read", {"artifact_id": 123}, 400, "artifact_id"),
        ("read", {"artifact_id": "a/b/c"}, 400, "Invalid artifact ID format"),
        ("read", {"artifact_id": "nothing"}, 404, "Artifact with ID 'nothing' does not exist."),
        ("list", {"limit": 0}, 400, "limit"),
        ("list", {"limit": 1001}, 400, "limit"),
        ("list", {"offset": -1}, 400, "offset"),
        ("put_file", {"artifact_id": "x", "file_path": "a", "expires_in": 59}, 400, "expires_in"),
        ("get_file", {"artifact_id": "x", "file_path": "a", "expires_in": 604801}, 400, "expires_in"),
        ("bogus", {}, 404, "bogus not found."),
    ],
)
def test_wrong_calls(alice: Client, method: str, arguments: dict[str, Any], status: int, text: str) -> None:
    error = alice.refused(method, **arguments)
    assert (error.status, text in error.detail) == (status, True), error.detail


def test_a_context_from_a_client_is_ignored(alice: Client, people: People, alias: str) -> None:
    forged = {"ws": ALICE, "user": {"id": "alice", "scope": {"workspaces": {ALICE: "a"}}}}
    record = people["bob"].call("create", alias=alias, manifest={}, context=forged)
    assert (record["workspace"], record["created_by"]) == ("ws-user-bob", "bob")


def test_limits_of_a_manifest(alice: Client, alias: str) -> None:
    huge = alice.refused("create", alias=alias, manifest={"text": "x" * 1_048_576})
    assert (huge.status, "the maximum is 1048576 bytes" in huge.detail) == (413, True)
    deep = '{"a":' * 1000 + "1" + "}" * 1000
    for body in (f'{{"alias": "{alias}", "manifest": {deep}}}', '{"manifest": {'):
        answer = alice.http.post(METHODS + "create", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert alice.refused("read", artifact_id=alias).status == 404

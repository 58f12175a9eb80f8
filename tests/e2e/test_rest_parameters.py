"""Every parameter of every address: what it does, and what is said of a bad value."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.support.client import Client, People
from tests.support.server import Server

WS = "/ws-user-alice/artifacts"
ROOT, SEARCH, RECORD, CHILDREN = f"{WS}/", f"{WS}/-/search", f"{WS}/data", f"{WS}/col/children"
FILES, FILE, FILE_PUT = f"{WS}/data/files/", f"{WS}/data/files/a.txt", f"{WS}/data/files/put.txt"
OLD, NEW, STAGED = b"old", b"newer", b"newest"


@pytest.fixture(scope="module")
def alice(shared_server: Server) -> Iterator[Client]:
    """Alice has a dataset of two versions and a stage, and a collection of four, one of them a draft."""
    with People(shared_server) as people:
        alice = people["alice"]
        alice.dataset("data", {"a.txt": OLD, "only-old.txt": OLD})
        alice.call("edit", artifact_id="data", version="new", stage=True, manifest={"name": "second"})
        alice.upload("data", "a.txt", NEW, download_weight=1)
        alice.upload("data", "d/b.txt", NEW)
        alice.call("commit", artifact_id="data")
        alice.call("edit", artifact_id="data", version="new", stage=True, manifest={"name": "third"})
        alice.upload("data", "a.txt", STAGED)
        alice.call("put_file", artifact_id="data", file_path="pending.txt")
        parent = alice.call("create", alias="col", type="collection", manifest={"name": "col"})["id"]
        for number, word in enumerate(["red apple", "red pear", "green apple"]):
            alice.call("create", parent_id=parent, alias=f"c{number}", manifest={"name": word, "n": number})
        alice.call("create", parent_id=parent, alias="draft", manifest={"name": "red draft"}, stage=True)
        alice.call("create", alias="top-draft", manifest={"name": "top"}, stage=True)
        yield alice


@pytest.fixture
def anyone(shared_server: Server) -> Iterator[Client]:
    with People(shared_server) as people:
        yield people.anonymous()


def _aliases(answer: httpx.Response) -> list[str]:
    return [record["alias"] for record in answer.json()]


def _names(answer: httpx.Response) -> list[str]:
    return [entry["name"] for entry in answer.json()]


def _manifest(answer: httpx.Response) -> str:
    return str(answer.json()["manifest"]["name"])


def _bytes(answer: httpx.Response) -> bytes:
    return answer.content


def _total(answer: httpx.Response) -> tuple[int, int, int, int]:
    page = answer.json()
    return len(page["items"]), page["total"], page["offset"], page["limit"]


Look = Callable[[httpx.Response], Any]
EFFECTS: list[tuple[str, Mapping[str, str], Look, Any]] = [
    # All artifacts without a parent.
    (ROOT, {}, _aliases, ["data", "col"]),
    (ROOT, {"keywords": "second"}, _aliases, ["data"]),
    (ROOT, {"keywords": "second,col"}, _aliases, ["data", "col"]),
    (ROOT, {"keywords": "second,col", "mode": "AND"}, _aliases, []),
    (ROOT, {"keywords": "second", "filters": '{"alias": "col"}', "mode": "OR"}, _aliases, ["data", "col"]),
    (ROOT, {"filters": '{"type": "collection"}'}, _aliases, ["col"]),
    (ROOT, {"offset": "1"}, _aliases, ["col"]),
    (ROOT, {"limit": "1"}, _aliases, ["data"]),
    (ROOT, {"order_by": "manifest.name"}, _aliases, ["col", "data"]),
    (ROOT, {"order_by": "-manifest.name"}, _aliases, ["data", "col"]),
    (ROOT, {"pagination": "true", "limit": "1"}, _total, (1, 2, 0, 1)),
    (ROOT, {"stage": "true"}, _aliases, ["data", "top-draft"]),
    (ROOT, {"stage": "false"}, _aliases, ["data", "col"]),
    (ROOT, {"stage": "all"}, _aliases, ["data", "col", "top-draft"]),
    (ROOT, {"no_cache": "true"}, _aliases, ["data", "col"]),
    (ROOT, {"silent": "true"}, _aliases, ["data", "col"]),
    # Search looks below collections too.
    (SEARCH, {"keywords": "apple"}, _aliases, ["c0", "c2"]),
    (SEARCH, {"keywords": "apple", "limit": "1", "offset": "1"}, _aliases, ["c2"]),
    (SEARCH, {"filters": '{"n": {"$in": [1, 2]}}', "order_by": "manifest.n>"}, _aliases, ["c2", "c1"]),
    (SEARCH, {"keywords": "apple,red", "mode": "AND", "no_cache": "1"}, _aliases, ["c0"]),
    (SEARCH, {"keywords": "red", "stage": "true"}, _aliases, ["draft"]),
    (SEARCH, {"keywords": "apple", "pagination": "true"}, _total, (2, 2, 0, 100)),
    # The record.
    (RECORD, {}, _manifest, "second"),
    (RECORD, {"version": "v0"}, _manifest, "data"),
    (RECORD, {"version": "0"}, _manifest, "data"),
    (RECORD, {"version": "latest"}, _manifest, "second"),
    (RECORD, {"version": "stage"}, _manifest, "third"),
    (RECORD, {"stage": "true"}, _manifest, "third"),
    (RECORD, {"silent": "true", "limit": "3", "keywords": "x"}, _manifest, "second"),
    (RECORD, {"include_metadata": "true"}, lambda answer: answer.json()["manifest"][".file_count"], 2),
    # Children.
    (CHILDREN, {}, _aliases, ["c0", "c1", "c2"]),
    (CHILDREN, {"keywords": "apple"}, _aliases, ["c0", "c2"]),
    (CHILDREN, {"keywords": "apple, red", "mode": "AND"}, _aliases, ["c0"]),
    (CHILDREN, {"filters": '{"manifest": {"n": 1}}'}, _aliases, ["c1"]),
    (CHILDREN, {"offset": "1", "limit": "1"}, _aliases, ["c1"]),
    (CHILDREN, {"order_by": "manifest.n>"}, _aliases, ["c2", "c1", "c0"]),
    (CHILDREN, {"pagination": "true", "offset": "2"}, _total, (1, 3, 2, 100)),
    (CHILDREN, {"silent": "true"}, _aliases, ["c0", "c1", "c2"]),
    (CHILDREN, {"stage": "true"}, _aliases, ["draft"]),
    (CHILDREN, {"stage": "all"}, _aliases, ["c0", "c1", "c2", "draft"]),
    (CHILDREN, {"no_cache": "true"}, _aliases, ["c0", "c1", "c2"]),
    # A directory.
    (FILES, {}, _names, ["a.txt", "d"]),
    (FILES.rstrip("/"), {}, _names, ["a.txt", "d"]),
    (FILES, {"limit": "1"}, _names, ["a.txt"]),
    (FILES, {"offset": "1"}, _names, ["d"]),
    (FILES, {"offset": "9"}, _names, []),
    (FILES, {"version": "v0"}, _names, ["a.txt", "only-old.txt"]),
    (FILES, {"version": "stage"}, _names, ["a.txt"]),
    (FILES, {"stage": "true"}, _names, ["a.txt"]),
    (FILES, {"stage": "true", "include_pending": "true"}, _names, ["a.txt", "pending.txt"]),
    (
        FILES,
        {"silent": "true", "use_proxy": "true", "use_local_url": "true", "expires_in": "60"},
        _names,
        ["a.txt", "d"],
    ),
    # A file.
    (FILE, {"use_proxy": "true"}, _bytes, NEW),
    (FILE, {"use_proxy": "true", "version": "v0"}, _bytes, OLD),
    (FILE, {"use_proxy": "true", "version": "1"}, _bytes, NEW),
    (FILE, {"use_proxy": "true", "version": "stage"}, _bytes, STAGED),
    (FILE, {"use_proxy": "true", "stage": "true"}, _bytes, STAGED),
    (FILE, {"use_proxy": "true", "stage": "false", "limit": "1", "offset": "1"}, _bytes, NEW),
]


@pytest.mark.parametrize(("path", "query", "look", "expected"), EFFECTS)
def test_what_a_parameter_does(
    alice: Client, anyone: Client, path: str, query: Mapping[str, str], look: Look, expected: Any
) -> None:
    answer = alice.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    assert look(answer) == expected
    # The token in the query says the same, and without any the private things stay private.
    assert look(anyone.http.get(path, params={**query, "token": str(alice.token)})) == expected
    closed = anyone.http.get(path, params=query)
    assert closed.status_code == 403 or (path in {ROOT, SEARCH} and b"alias" not in closed.content)
    assert anyone.http.get(path, params={**query, "token": "nonsense"}).status_code == 401


LISTS = [ROOT, SEARCH, CHILDREN]
BAD: list[tuple[str, str, str]] = [
    *((path, "limit", value) for path in [*LISTS, FILES, FILE] for value in ("0", "-1", "100000", "some", "1.5")),
    *((path, "offset", value) for path in [*LISTS, FILES, FILE] for value in ("-1", "10000001", "some")),
    *((path, "filters", value) for path in LISTS for value in ("{", "[]", "7")),
    *((path, "mode", value) for path in LISTS for value in ("XOR", "and")),
    *((path, "pagination", "perhaps") for path in LISTS),
    *((path, "order_by", "nothing.like:that<>") for path in LISTS),
    *((path, "stage", "perhaps") for path in [*LISTS, RECORD, FILES, FILE]),
    *((path, "silent", "perhaps") for path in [ROOT, CHILDREN, RECORD, FILES, FILE]),
    *((path, "include_metadata", "perhaps") for path in [RECORD]),
    *((path, "include_pending", "perhaps") for path in [FILES, FILE]),
    *((path, "use_proxy", "perhaps") for path in [FILES, FILE]),
    *((path, "use_local_url", "perhaps") for path in [FILES, FILE]),
    *((path, "expires_in", value) for path in [FILES, FILE] for value in ("59", "604801", "soon", "nan")),
    *((path, "bogus", "1") for path in [*LISTS, RECORD, FILES, FILE]),
]


@pytest.mark.parametrize(("path", "name", "value"), BAD)
def test_a_bad_value_names_its_parameter(alice: Client, path: str, name: str, value: str) -> None:
    answer = alice.http.get(path, params={name: value})
    assert answer.status_code == 400, answer.text
    assert name in answer.json()["detail"]


@pytest.mark.parametrize(("name", "value"), [("version", "v9"), ("version", "9"), ("version", "7f" * 20)])
@pytest.mark.parametrize("path", [RECORD, FILES, FILE])
def test_an_unknown_version_does_not_exist(alice: Client, path: str, name: str, value: str) -> None:
    answer = alice.http.get(path, params={name: value})
    assert (answer.status_code, answer.json()["code"]) == (404, "version_not_found")


@pytest.mark.parametrize("path", [RECORD, FILES, FILE])
def test_the_stage_and_another_version_exclude_each_other(alice: Client, path: str) -> None:
    answer = alice.http.get(path, params={"stage": "true", "version": "v0"})
    assert answer.status_code == 400
    assert alice.http.get(path, params={"stage": "true", "version": "stage"}).status_code in {200, 307}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"download_weight": "-1"}, "weight"),
        ({"download_weight": "heavy"}, "download_weight"),
        ({"download_weight": "1000001"}, "weight"),
        ({"download_weight": "nan"}, "weight"),
        ({"use_proxy": "perhaps"}, "use_proxy"),
        ({"use_local_url": "perhaps"}, "use_local_url"),
        ({"expires_in": "59"}, "expires_in"),
        ({"bogus": "1"}, "bogus"),
        ({"version": "v0"}, "version"),
    ],
)
def test_a_bad_value_of_an_upload(alice: Client, query: Mapping[str, str], name: str) -> None:
    answer = alice.http.put(FILE_PUT, params=query, content=b"x")
    assert (answer.status_code, name in answer.json()["detail"]) == (400, True), answer.text
    assert "put.txt" not in alice.files("data", stage=True, include_pending=True)


def test_the_token_of_an_upload(alice: Client, anyone: Client) -> None:
    assert anyone.http.put(FILE_PUT, content=b"x").status_code == 403
    assert anyone.http.put(FILE_PUT, content=b"x", params={"token": "nonsense"}).status_code == 401
    query = {"token": str(alice.token), "download_weight": "0.5"}
    assert anyone.http.put(FILE_PUT, content=b"x", params=query).status_code == 200
    entry = next(item for item in alice.call("list_files", artifact_id="data", stage=True) if item["name"] == "put.txt")
    assert (entry["size"], entry["download_weight"]) == (1, 0.5)
    assert anyone.http.delete(FILE_PUT).status_code == 403
    assert anyone.http.delete(FILE_PUT, params={"token": str(alice.token), "version": "v0"}).status_code == 400
    assert anyone.http.delete(FILE_PUT, params={"token": str(alice.token)}).status_code == 200
    assert "put.txt" not in alice.files("data", stage=True)


METHODS: list[tuple[str, Mapping[str, Any], Any]] = [
    ("list_files", {"limit": 1}, ["a.txt"]),
    ("list_files", {"offset": 1}, ["d"]),
    ("list_files", {"version": "v0"}, ["a.txt", "only-old.txt"]),
    ("list_files", {"version": 0}, ["a.txt", "only-old.txt"]),
    ("list_files", {"stage": True}, ["a.txt"]),
    ("list_files", {"version": "stage", "include_pending": True}, ["a.txt", "pending.txt"]),
    ("list_files", {"version": "stage", "include_pending": True, "offset": 1, "limit": 1}, ["pending.txt"]),
    ("list_files", {"include_pending": True}, ["a.txt", "d"]),
    ("list_files", {"dir_path": "d"}, ["b.txt"]),
    ("read_file", {}, NEW),
    ("read_file", {"version": "v0"}, OLD),
    ("read_file", {"version": "stage"}, STAGED),
    ("read_file", {"stage": True}, STAGED),
    ("read_file", {"offset": 1, "limit": 2}, NEW[1:3]),
    ("get_file", {}, NEW),
    ("get_file", {"version": "v0"}, OLD),
    ("get_file", {"version": 1}, NEW),
    ("get_file", {"version": "stage"}, STAGED),
    ("get_file", {"stage": True}, STAGED),
    ("get_file", {"silent": True, "version": None, "use_proxy": None}, NEW),
    ("read", {"version": "v0"}, "data"),
    ("read", {"version": 1}, "second"),
    ("read", {"stage": True}, "third"),
]


@pytest.mark.parametrize(("method", "arguments", "expected"), METHODS)
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_what_an_argument_of_a_method_does(
    alice: Client, verb: str, method: str, arguments: Mapping[str, Any], expected: Any
) -> None:
    path = f"/public/services/artifact-manager/{method}"
    given = {"artifact_id": "data", **({"file_path": "a.txt"} if method in {"read_file", "get_file"} else {})}
    given |= arguments
    if verb == "POST":
        answer = alice.http.post(path, json=given)
    else:
        answer = alice.http.get(path, params={name: _text(value) for name, value in given.items()})
    assert answer.status_code == 200, answer.text
    looks: Mapping[str, Look] = {
        "list_files": _names,
        "read_file": lambda answer: answer.json()["content"].encode(),
        "get_file": lambda answer: httpx.get(answer.json()).content,
        "read": _manifest,
    }
    assert looks[method](answer) == expected


def _text(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

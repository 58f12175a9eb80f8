"""Paths, aliases and ids of every wrong kind, in bodies and in addresses."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from domain.ids import alias_key, children_counter, workspace_key
from tests.support.client import METHODS, People
from tests.support.refusals import Watch
from tests.support.server import Server

ALICE = "ws-user-alice"
FILES = f"/{ALICE}/artifacts/draft/files/"
PATHS = [
    "..",
    "../a.txt",
    "a/../b",
    "a/..",
    "..\\a.txt",
    "a\\..\\b",
    "/a.txt",
    "//a.txt",
    "a\0.txt",
    "a\n.txt",
    "\x7f",
    "\x85",
    "a" * 256,
    "é" * 128,
    "a/" * 512 + "a",
    "/".join(["a" * 255] * 4) + "/aa",
]
NO_FILES = ["", ".", "./", "/", "a/", "a/.", "d/"]
FILE_METHODS: dict[str, dict[str, Any]] = {
    "put_file": {"artifact_id": "draft"},
    "write_file": {"artifact_id": "draft", "content": "x"},
    "remove_file": {"artifact_id": "draft"},
    "set_download_weight": {"artifact_id": "draft", "download_weight": 1},
    "get_file": {"artifact_id": "data"},
    "read_file": {"artifact_id": "data"},
}


@pytest.mark.parametrize("path", PATHS + NO_FILES, ids=lambda path: repr(path)[:24])
def test_paths_that_name_no_file(watch: Watch, path: str) -> None:
    for method, arguments in FILE_METHODS.items():
        answer = watch.alice.http.post(METHODS + method, json={**arguments, "file_path": path})
        watch.check(answer, 400, code="invalid_path")
    for method in ("put_file", "get_file"):
        batch = {**FILE_METHODS[method], "file_path": ["a.txt", path]}
        watch.check(watch.alice.http.post(METHODS + method, json=batch), 400, code="invalid_path")


@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith("/")], ids=lambda path: repr(path)[:24])
def test_paths_that_name_no_directory(watch: Watch, path: str) -> None:
    answer = watch.alice.http.post(METHODS + "list_files", json={"artifact_id": "data", "dir_path": path})
    watch.check(answer, 400, code="invalid_path")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path)[:24])
def test_paths_in_an_address(watch: Watch, path: str) -> None:
    # All is encoded, dots and slashes too, so that no client makes the path another one on its way.
    address = FILES + "".join(f"%{byte:02x}" for byte in path.encode())
    watch.check(watch.alice.http.put(address, content=b"x"), 400, code="invalid_path")
    watch.check(watch.alice.http.get(address), 400, code="invalid_path")
    watch.check(watch.alice.http.delete(address), 400, code="invalid_path")
    assert watch.alice.http.head(address).status_code == 400


def test_what_is_a_file_is_no_directory(watch: Watch) -> None:
    alice = watch.alice.http
    watch.check(alice.get(f"/{ALICE}/artifacts/data/files/d"), 404, code="file_not_found")
    watch.check(alice.get(f"/{ALICE}/artifacts/data/files/a.txt/"), 404, code="file_not_found")
    watch.check(alice.get(f"/{ALICE}/artifacts/data/files/a.txt/x"), 404, code="file_not_found")
    watch.check(alice.put(f"/{ALICE}/artifacts/draft/files/d/", content=b"x"), 400, code="invalid_path")


@pytest.mark.parametrize("verb", ["put_file", "get_file", "list_files"])
def test_half_a_character_in_a_path(watch: Watch, verb: str) -> None:
    key = "dir_path" if verb == "list_files" else "file_path"
    body = b'{"artifact_id": "draft", "%s": "a\\ud800"}' % key.encode()
    watch.check(watch.alice.http.post(METHODS + verb, content=body), 400, code="invalid_argument")


ALIASES = [
    "",
    " ",
    "-",
    "~",
    "_",
    "-a",
    ".a",
    "..",
    "a b",
    "a\0",
    "a\nb",
    "a?",
    "a#b",
    "a%2fb",
    "a\\b",
    "a:b",
    "é",
    "\u202eabc",
    "a" * 65,
    "a" * 5_000,
    "{",
    "{}",
    "a}",
    "{zenodo_id}",
    "01a210b5-03c7-704a-8f03-ae015fdeac2d",
    "01A210B5-03C7-704A-8F03-AE015FDEAC2D",
]


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: repr(alias)[:24])
def test_aliases_of_every_wrong_kind(watch: Watch, alias: str) -> None:
    for arguments in ({"alias": alias}, {"alias": f"{ALICE}/{alias}"}, {"artifact_id": f"{ALICE}/{alias}"}):
        answer = watch.alice.http.post(METHODS + "create", json={**arguments, "manifest": {}, "stage": True})
        watch.check(answer, 400)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"alias": "a/b/c"}, 400, "invalid_id"),
        ({"alias": "/a"}, 400, "invalid_id"),
        ({"artifact_id": "a"}, 400, "invalid_id"),
        ({"alias": f"{ALICE}/x", "workspace": "public"}, 400, "invalid_argument"),
        ({"alias": "x", "artifact_id": f"{ALICE}/y"}, 400, "invalid_argument"),
        ({"alias": "x", "parent_id": "gallery", "workspace": "public"}, 400, "invalid_argument"),
        ({"alias": "x", "parent_id": "nothing"}, 404, "artifact_not_found"),
        ({"alias": "x", "parent_id": "a/b/c"}, 400, "invalid_id"),
        ({"alias": "x", "workspace": "nowhere"}, 404, "workspace_not_found"),
        ({"alias": "x", "workspace": "../etc"}, 404, "workspace_not_found"),
        ({"alias": "x", "workspace": "health"}, 404, "workspace_not_found"),
        ({"alias": "x", "workspace": "public"}, 403, "permission_denied"),
        ({"alias": "data"}, 409, "already_exists"),
        ({"alias": " data "}, 409, "already_exists"),
    ],
)
def test_places_where_nothing_can_be_created(watch: Watch, arguments: dict[str, Any], status: int, code: str) -> None:
    answer = watch.alice.http.post(METHODS + "create", json={**arguments, "manifest": {}})
    watch.check(answer, status, code=code)


ID_METHODS: dict[str, dict[str, Any]] = {
    "read": {},
    "edit": {"manifest": {}},
    "commit": {},
    "discard": {},
    "delete": {},
    "list_files": {},
    "history": {},
    "versions": {},
    "reset_stats": {},
    "put_file": {"file_path": "a"},
    "get_file": {"file_path": "a"},
    "remove_file": {"file_path": "a"},
}


def _check_id(watch: Watch, text: str, status: int, code: str) -> None:
    alice = watch.alice.http
    for method, arguments in ID_METHODS.items():
        answer = alice.post(METHODS + method, json={**arguments, "artifact_id": text})
        watch.check(answer, status, code=code)
    watch.check(alice.post(METHODS + "list", json={"parent_id": text}), status, code=code)


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("nothing", 404, "artifact_not_found"),
        ("\0", 404, "artifact_not_found"),
        ("DATA", 404, "artifact_not_found"),
        ("../data", 404, "artifact_not_found"),
        ("ws-user-bob/data", 404, "artifact_not_found"),
        ("00000000-0000-0000-0000-000000000000", 404, "artifact_not_found"),
        ("{00000000-0000-0000-0000-000000000000}", 404, "artifact_not_found"),
        ("/", 400, "invalid_id"),
        ("data/", 400, "invalid_id"),
        ("/data", 400, "invalid_id"),
        (f"{ALICE}/../data", 400, "invalid_id"),
        ("x" * 1_025, 400, "invalid_type"),
    ],
)
def test_ids_of_nothing(watch: Watch, text: str, status: int, code: str) -> None:
    _check_id(watch, text, status, code)


def test_ids_of_what_is_no_artifact(watch: Watch) -> None:
    ids = {record["alias"]: record["_id"] for record in watch.alice.call("list", stage="all")}
    others = [
        _stage_of(watch, ids["draft"]),
        alias_key(ALICE, "data").id,
        alias_key(ALICE, "nothing").id,
        workspace_key(ALICE).id,
        children_counter(UUID(ids["gallery"])),
    ]
    for other in others:
        _check_id(watch, str(other), 404, "artifact_not_found")
        watch.check(watch.alice.http.get(f"/{ALICE}/artifacts/{other}"), 404, code="artifact_not_found")
        watch.check(watch.alice.http.get(f"/{ALICE}/artifacts/{other}/files/a"), 404, code="artifact_not_found")


def _stage_of(watch: Watch, artifact_id: str) -> UUID:
    """Take the id of a draft's stage from the place of what was stored in it."""
    found = next(watch.server.data_dir.glob(f"objects/objects/{artifact_id}/*"), None)
    assert found is not None
    return UUID(found.name.split("-", 1)[1])


@pytest.mark.parametrize("text", ["%ff", "%00", "no%2Fthing", "nothing", "x" * 2_000])
def test_ids_in_an_address(watch: Watch, text: str) -> None:
    for address in ("", "/children", "/history", "/versions", "/files/a"):
        watch.check(watch.alice.http.get(f"/{ALICE}/artifacts/{text}{address}"), 400, 404)


def test_a_uuid_is_found_however_it_is_written(furnished: People) -> None:
    alice = furnished["alice"]
    artifact_id = alice.record("data")["_id"].upper()
    assert alice.record(artifact_id)["alias"] == "data"
    assert alice.get(f"/{ALICE}/artifacts/{artifact_id}", silent=True)["alias"] == "data"
    assert alice.download(artifact_id, "a.txt") == b"hello"


def test_a_stranger_cannot_make_an_artifact_vanish_by_asking_for_the_id_of_its_alias(server: Server) -> None:
    with People(server) as people:
        alice, stranger = people["alice"], people.anonymous()
        alice.dataset("data", {"a.txt": b"hello"})
        draft = alice.call("create", alias="draft", manifest={}, stage=True)
        url = alice.call("put_file", artifact_id="draft", file_path="a.txt")
        stage = url.split("/v0-")[1].split("/")[0]
        # After a start nothing is known yet of what kind these ids are.
        server.terminate()
        server.start()
        for other in (alias_key(ALICE, "data").id, alias_key(ALICE, "draft").id, stage):
            assert stranger.refused("read", artifact_id=str(other)).status == 404
            assert stranger.refused("list_files", artifact_id=str(other)).status == 404
        assert alice.record("data")["alias"] == "data"
        assert alice.refused("create", alias="data", manifest={}).code == "already_exists"
        alice.upload("draft", "a.txt", b"late")
        assert alice.call("commit", artifact_id="draft")["_id"] == draft["_id"]


def test_names_are_shown_quoted_and_short(watch: Watch) -> None:
    path = "\x1b[31m" + "x" * 2_000
    answer = watch.alice.http.post(METHODS + "put_file", json={"artifact_id": "draft", "file_path": path})
    detail = watch.check(answer, 400, code="invalid_path")["detail"]
    assert "\x1b" not in detail
    assert len(detail) < 400
    address = f"/{ALICE}/artifacts/{quote('<script>')}"
    answer = watch.alice.http.get(address)
    watch.check(answer, 404)
    assert answer.headers["x-content-type-options"] == "nosniff"

"""Lists and searches: filters, keywords, order, pages, stages, fields, and that a list shows what was acknowledged."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.client import METHODS, Client, People, alias_of
from tests.support.server import Server

ALICE = "ws-user-alice"
ZOO = f"{ALICE}/zoo"
ANIMALS: Mapping[str, Mapping[str, Any]] = {
    "ant": {"name": "Ant", "legs": 6, "tags": ["small", "insect"], "habitat": {"kind": "soil", "depth": 1.5}},
    "bear": {"name": "Brown Bear", "legs": 4, "tags": ["big", "mammal"], "habitat": {"kind": "forest"}},
    "crow": {"name": "Crow", "legs": 2, "tags": ["bird"], "habitat": {"kind": "forest"}, "note": "100% black_bird"},
    "dove": {"name": "Dove", "legs": 2, "tags": ["bird", "small"], "habitat": None, "note": "Grüße"},
    "eel": {"name": "eel", "tags": [], "is_fish": True, "legs": 0},
}


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    """Make the zoo: five animals, a draft, and one of them with an open stage."""
    alice = people["alice"]
    alice.call("create", alias="zoo", type="collection", manifest={"name": "Zoo"}, config={"permissions": {"*": "r"}})
    for number, (alias, manifest) in enumerate(ANIMALS.items()):
        alice.call(
            "create",
            alias=alias,
            parent_id=ZOO,
            manifest=manifest,
            type="insect" if alias == "ant" else "animal",
            config={"priority": 10 - number, "shape": {"a": [1, 2]}, "permissions": {"bob": "rw"} if number else {}},
        )
    alice.call("create", alias="fox", parent_id=ZOO, manifest={"name": "Fox draft"}, type="animal", stage=True)
    alice.call("edit", artifact_id="crow", stage=True, manifest={"name": "Raven"})
    return alice


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


def _found(alice: Client, **arguments: Any) -> list[str]:
    return alice.aliases(parent_id=ZOO, **arguments)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["ant", "bear", "crow", "dove", "eel"]),
        ({"type": "insect"}, ["ant"]),
        ({"alias": "bear"}, ["bear"]),
        ({"created_by": "alice", "type": "animal"}, ["bear", "crow", "dove", "eel"]),
        ({"created_by": "bob"}, []),
        ({"workspace": "elsewhere"}, []),
        ({"created_at": 0}, ["ant", "bear", "crow", "dove", "eel"]),
        ({"created_at": [None, 10]}, []),
        ({"last_modified": 99_999_999_999}, []),
        ({"view_count": [0, 0]}, ["ant", "bear", "crow", "dove", "eel"]),
        ({"download_count": 1}, []),
        ({"manifest": {"legs": 2}}, ["crow", "dove"]),
        ({"manifest": {"legs": 2.0}}, ["crow", "dove"]),
        ({"manifest": {"name": "Ant"}}, ["ant"]),
        ({"manifest": {"name": "ant"}}, []),
        ({"manifest": {"name": "*o*"}}, ["bear", "crow", "dove"]),
        ({"manifest": {"name": "brown*"}}, ["bear"]),
        ({"manifest": {"name": {"$like": "*OW*"}}}, ["bear", "crow"]),
        ({"manifest": {"note": {"$like": "100* black_bird"}}}, ["crow"]),
        ({"manifest": {"note": "100* blackxbird"}}, []),
        ({"manifest": {"name": {"$in": ["Ant", "eel"]}}}, ["ant", "eel"]),
        ({"manifest": {"tags": "bird"}}, ["crow", "dove"]),
        ({"manifest": {"tags": {"$all": ["small", "bird"]}}}, ["dove"]),
        ({"manifest": {"tags": ["bird", "small"]}}, ["dove"]),
        ({"manifest": {"tags": {"$in": ["big", "insect"]}}}, ["ant", "bear"]),
        ({"manifest": {"legs": {"$in": [0, 6]}}}, ["ant", "eel"]),
        ({"manifest": {"is_fish": True}}, ["eel"]),
        ({"manifest": {"habitat": {"kind": "forest"}}}, ["bear", "crow"]),
        ({"manifest": {"habitat.kind": "forest"}}, ["bear", "crow"]),
        ({"manifest.habitat.kind": "soil"}, ["ant"]),
        ({"name": "Dove"}, ["dove"]),
        ({"manifest": {"$or": [{"legs": 6}, {"name": "eel"}]}}, ["ant", "eel"]),
        ({"manifest": {"$and": [{"legs": 2}, {"tags": "small"}]}}, ["dove"]),
        ({"manifest": {"legs": 2, "tags": "small"}}, ["dove"]),
        ({"config": {"priority": 9}}, ["bear"]),
        ({"config": {"shape": {"a": [1, 2]}}, "type": "insect"}, ["ant"]),
        ({"config": {"shape": {"a": [2, 1]}}}, []),
        ({"permissions/bob": "rw"}, ["bear", "crow", "dove", "eel"]),
        ({"permissions/bob": "r"}, []),
        ({"config": {"permissions": {"bob": "rw", "alice": "*"}}}, ["bear", "crow", "dove", "eel"]),
        ({"version": "committed"}, ["ant", "bear", "crow", "dove", "eel"]),
        ({"version": "latest"}, ["ant", "bear", "crow", "dove", "eel"]),
        ({"version": "stage"}, ["crow", "fox"]),
        ({"version": "*"}, ["ant", "bear", "crow", "dove", "eel", "fox"]),
        ({"stage": True}, ["crow", "fox"]),
        ({"stage": "all", "type": "animal"}, ["bear", "crow", "dove", "eel", "fox"]),
        ({"parent_id": ZOO, "type": "insect"}, ["ant"]),
    ],
)
def test_filters(alice: Client, filters: Mapping[str, Any], expected: list[str]) -> None:
    assert _found(alice, filters=filters) == expected
    assert [r["alias"] for r in alice.call("search", parent_id=ZOO, filters=filters)] == expected
    rest = alice.get(f"/{ALICE}/artifacts/zoo/children", filters=json.dumps(filters), silent="true")
    assert [record["alias"] for record in rest] == expected
    page = alice.call("search", parent_id=ZOO, filters=filters, pagination=True, limit=1)
    assert page["total"] == len(expected)


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"type": 7}, "type"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"view_count": [1, 2, 3]}, "view_count"),
        ({"download_count": None}, "download_count"),
        ({"version": "v0"}, "Invalid version value"),
        ({"stage": "maybe"}, "stage"),
        ({"manifest": "text"}, "manifest"),
        ({"manifest": {"name": {"$like": 1}}}, "manifest.name.$like"),
        ({"manifest": {"name": {"$in": "text"}}}, "manifest.name.$in"),
        ({"manifest": {"name": {"$like": "a", "$gt": 1}}}, "manifest.name.$gt"),
        ({"manifest": {"$nor": []}}, "$nor"),
        ({"manifest": {"$or": []}}, "$or"),
        ({"config": 1}, "config"),
        ({"permissions/bob": 1}, "permissions/bob"),
        ({"parent_id": 7}, "parent_id"),
        ({"$where": "1"}, "$where"),
        ({"version": "stage", "stage": False}, "do not agree"),
    ],
)
def test_wrong_filters_name_the_key(alice: Client, filters: Mapping[str, Any], named: str) -> None:
    for method in ("list", "search"):
        error = alice.refused(method, parent_id=ZOO, filters=filters)
        assert (error.status, error.code, named in error.detail) == (400, "invalid_argument", True), error.detail


def test_a_refused_list_counts_no_view(alice: Client) -> None:
    before = alice.record(ZOO)["view_count"]
    wrong: list[Mapping[str, Any]] = [
        {"filters": {"type": 7}},
        {"order_by": "bogus"},
        {"cursor": "bogus"},
        {"stage": True, "filters": {"version": "committed"}},
    ]
    for arguments in wrong:
        assert alice.refused("list", parent_id=ZOO, **arguments).status == 400
    assert alice.record(ZOO)["view_count"] == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"keywords": ["bear"]}, ["bear"]),
        ({"keywords": ["OW"]}, ["bear", "crow"]),
        ({"keywords": ["ant", "eel"]}, ["ant", "eel"]),
        ({"keywords": "eel"}, ["eel"]),
        ({"keywords": ["forest"]}, ["bear", "crow"]),
        ({"keywords": ["GRÜSSE"]}, ["dove"]),
        ({"keywords": ["0% b"]}, ["crow"]),
        ({"keywords": ["k_b"]}, ["crow"]),
        ({"keywords": ["%"]}, ["crow"]),
        ({"keywords": ["legs"]}, []),
        ({"keywords": ["raven"]}, []),
        ({"keywords": []}, ["ant", "bear", "crow", "dove", "eel"]),
        ({"keywords": ["small", "bird"], "mode": "AND"}, ["dove"]),
        ({"keywords": ["small", "bird"], "mode": "OR"}, ["ant", "crow", "dove"]),
        ({"keywords": ["small", "bird"], "filters": {"manifest": {"legs": 2}}}, ["crow", "dove"]),
        ({"keywords": ["big"], "filters": {"type": "insect"}, "mode": "OR"}, ["ant", "bear"]),
        ({"keywords": ["big"], "filters": {"type": "insect"}, "mode": "AND"}, []),
        ({"filters": {"type": "insect", "alias": "eel"}, "mode": "OR"}, ["ant", "eel"]),
        ({"keywords": ["draft"], "mode": "OR"}, []),
        ({"keywords": ["draft"], "mode": "OR", "stage": "all"}, ["fox"]),
    ],
)
def test_keywords_and_modes(alice: Client, arguments: Mapping[str, Any], expected: list[str]) -> None:
    assert _found(alice, **arguments) == expected


def test_mode_or_stays_within_its_scope(alice: Client) -> None:
    listed = alice.call("list", filters={"type": "insect", "alias": "zoo"}, mode="OR")
    assert [record["alias"] for record in listed] == ["zoo"]
    searched = alice.call("search", filters={"type": "insect", "alias": "zoo"}, mode="OR")
    assert [record["alias"] for record in searched] == ["zoo", "ant"]
    for arguments in ({"mode": "XOR"}, {"keywords": [1]}, {"keywords": ["x"] * 33}):
        assert alice.refused("list", **arguments).status == 400


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (None, ["ant", "bear", "crow", "dove", "eel"]),
        ("id", ["ant", "bear", "crow", "dove", "eel"]),
        ("id>", ["eel", "dove", "crow", "bear", "ant"]),
        ("-id", ["eel", "dove", "crow", "bear", "ant"]),
        ("created_at<", ["ant", "bear", "crow", "dove", "eel"]),
        ("-created_at", ["eel", "dove", "crow", "bear", "ant"]),
        ("view_count>", ["eel", "dove", "crow", "bear", "ant"]),
        ("manifest.legs", ["eel", "crow", "dove", "bear", "ant"]),
        ("manifest.legs<", ["eel", "crow", "dove", "bear", "ant"]),
        ("manifest.legs>", ["ant", "bear", "dove", "crow", "eel"]),
        ("-manifest.legs", ["ant", "bear", "dove", "crow", "eel"]),
        ("manifest.name", ["ant", "bear", "crow", "dove", "eel"]),
        ("manifest.habitat.kind", ["bear", "crow", "ant", "dove", "eel"]),
        ("manifest.habitat.kind>", ["ant", "crow", "bear", "eel", "dove"]),
        ("config.priority<", ["eel", "dove", "crow", "bear", "ant"]),
        ("manifest.nothing", ["ant", "bear", "crow", "dove", "eel"]),
    ],
)
def test_order(alice: Client, order_by: str | None, expected: list[str]) -> None:
    assert _found(alice, order_by=order_by) == expected
    assert _walk(alice, order_by) == expected


def _walk(alice: Client, order_by: str | None) -> list[str]:
    """Go from page to page by the cursor."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = alice.call("search", parent_id=ZOO, order_by=order_by, pagination=True, limit=2, cursor=cursor)
        found += [record["alias"] for record in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize(
    "order_by",
    ["bogus", "manifest", "manifest.", "-", "<", "type;drop", "manifest.a'b", "config.permissions.bob", "alias"],
)
def test_wrong_orders(alice: Client, order_by: str) -> None:
    error = alice.refused("list", order_by=order_by)
    assert (error.status, "order_by" in error.detail) == (400, True)


def test_pages(alice: Client) -> None:
    page = alice.call("list", parent_id=ZOO, pagination=True, offset=1, limit=2, silent=True)
    assert {key: page[key] for key in ("total", "offset", "limit")} == {"total": 5, "offset": 1, "limit": 2}
    assert [record["alias"] for record in page["items"]] == ["bear", "crow"]
    assert _found(alice, offset=3, limit=10) == ["dove", "eel"]
    assert _found(alice, offset=99) == []
    empty = alice.call("list", parent_id=ZOO, pagination=True, offset=99)
    assert (empty["items"], empty["total"], empty["next_cursor"]) == ([], 5, None)
    both = alice.refused("list", parent_id=ZOO, pagination=True, offset=1, cursor=page["next_cursor"])
    assert both.status == 400


def test_a_cursor_walk_over_many_equals_the_offset_walk(alice: Client, alias: str) -> None:
    parent = alice.call("create", alias=alias, type="collection", manifest={})["id"]
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda number: alice.call("create", parent_id=parent, manifest={"n": number % 7, "t": str(number)}),
                range(120),
            )
        )
    for order_by in ("id", "-id", "manifest.n", "manifest.n>", "manifest.t<", "-last_modified"):
        whole = alice.aliases(parent_id=parent, order_by=order_by, limit=1000)
        assert len(set(whole)) == 120
        by_offset = [
            name
            for offset in range(0, 130, 25)
            for name in alice.aliases(parent_id=parent, order_by=order_by, limit=25, offset=offset)
        ]
        by_cursor: list[str] = []
        cursor: str | None = None
        while True:
            page = alice.call("search", parent_id=parent, order_by=order_by, limit=25, pagination=True, cursor=cursor)
            by_cursor += [record["alias"] for record in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert by_offset == by_cursor == whole


@pytest.mark.parametrize("cursor", ["nonsense", "", "AAAA", "x" * 5000])
def test_a_foreign_cursor_is_refused(alice: Client, cursor: str) -> None:
    assert alice.refused("search", parent_id=ZOO, cursor=cursor, pagination=True).status == 400


def test_list_fields(alice: Client, alias: str) -> None:
    rows = alice.call(
        "list", parent_id=ZOO, limit=1, list_fields=["id", "manifest.name", "manifest.habitat.kind", "bogus.x"]
    )
    assert rows == [{"id": f"{ALICE}/ant", "manifest": {"name": "Ant", "habitat": {"kind": "soil"}}}]
    config = {"list_fields": ["alias", "download_count"]}
    parent = alice.call("create", alias=alias, type="collection", manifest={}, config=config)["id"]
    alice.dataset(alias + "-1", parent_id=parent)
    assert alice.call("list", parent_id=parent) == [{"alias": alias + "-1", "download_count": 0.0}]
    asked = alice.call("list", parent_id=parent, list_fields=["type"])
    assert asked == [{"type": "generic"}]
    rest = alice.get(f"/{ALICE}/artifacts/{alias}/children")
    assert rest == [{"alias": alias + "-1", "download_count": 0.0}]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (None, ["ant", "bear", "crow", "dove", "eel"]),
        (False, ["ant", "bear", "crow", "dove", "eel"]),
        ("false", ["ant", "bear", "crow", "dove", "eel"]),
        (True, ["crow", "fox"]),
        ("true", ["crow", "fox"]),
        ("all", ["ant", "bear", "crow", "dove", "eel", "fox"]),
    ],
)
def test_stage_scopes(alice: Client, stage: bool | str | None, expected: list[str]) -> None:
    assert _found(alice, stage=stage) == expected
    records = {record["alias"]: record for record in alice.call("list", parent_id=ZOO, stage=stage, silent=True)}
    if "fox" in records:
        assert (records["fox"]["manifest"], records["fox"]["versions"]) == ({"name": "Fox draft"}, [])
        assert records["fox"]["staging"] == [{"_intent": "new_version"}]
        assert records["crow"]["staging"] == [{"_intent": "edit_version"}]
    # A committed artifact is listed with what is committed.
    assert records["crow"]["manifest"]["name"] == "Crow"


def test_stage_and_filter_must_agree(alice: Client) -> None:
    assert alice.refused("list", parent_id=ZOO, stage=True, filters={"version": "committed"}).status == 400
    assert _found(alice, stage=True, filters={"version": "stage"}) == ["crow", "fox"]
    assert _found(alice, stage="all", filters={"version": "*"}) == [*ANIMALS, "fox"]


def test_ways_of_naming_the_collection(alice: Client) -> None:
    uuid = alice.record(ZOO)["_id"]
    for arguments in (
        {"parent_id": ZOO},
        {"parent_id": "zoo"},
        {"parent_id": uuid},
        {"artifact_id": "zoo"},
        {"parent_id": uuid, "artifact_id": ZOO},
        {"filters": {"parent_id": "zoo"}},
        {"filters": {"parent_id": uuid}, "parent_id": ZOO},
    ):
        for method in ("list", "search"):
            found = alice.call(method, **arguments)
            assert [record["alias"] for record in found] == list(ANIMALS), arguments
            assert {record["parent_id"] for record in found} == {ZOO}
    assert alice.refused("list", parent_id=ZOO, artifact_id="crow").status == 400
    assert alice.refused("list", parent_id=ZOO, filters={"parent_id": None}).status == 400
    assert alice.refused("list", parent_id="nothing").status == 404


def test_roots_and_searches(alice: Client) -> None:
    listed = [record["alias"] for record in alice.call("list", limit=1000)]
    assert "zoo" in listed
    assert "ant" not in listed
    searched = [record["alias"] for record in alice.call("search", limit=1000)]
    assert {"zoo", "ant"} <= set(searched)
    roots = alice.call("search", filters={"parent_id": None}, limit=1000)
    assert [record["alias"] for record in roots] == listed
    assert alice.get("/ws-of-nobody/artifacts/") == []
    rest = alice.get(f"/{ALICE}/artifacts/-/search", keywords="crow,dove", order_by="id", silent="true")
    assert [record["alias"] for record in rest] == ["crow", "dove"]


def test_the_record_in_a_list_is_that_of_read(alice: Client) -> None:
    listed = {record["alias"]: record for record in alice.call("list", parent_id=ZOO, silent=True)}
    for alias in ANIMALS:
        assert listed[alias] == alice.record(alias)


def test_a_list_shows_what_was_acknowledged_before_it(people: People, alice: Client, alias: str) -> None:
    parent = alice.call("create", alias=alias, type="collection", manifest={}, permissions={"@": "r+"})["id"]
    clients = [people["alice"], people["bob"]]

    def work(worker: int) -> None:
        client = clients[worker % 2]
        for number in range(25):
            name = f"c-{worker}-{number}"
            client.call("create", alias=name, parent_id=parent, manifest={"name": name})
            assert client.aliases(parent_id=parent, filters={"manifest": {"name": name}}) == [name]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    page = alice.call("list", parent_id=parent, pagination=True, limit=1)
    assert page["total"] == 200


def test_every_change_shows_at_once(alice: Client, alias: str) -> None:
    parent = alice.call("create", alias=alias, type="collection", manifest={})["id"]
    child = alice.call("create", parent_id=parent, manifest={"name": "n0"}, stage=True)["id"]

    def names(**arguments: Any) -> list[str]:
        return [record["manifest"]["name"] for record in alice.call("list", parent_id=parent, **arguments)]

    assert (names(), names(stage=True)) == ([], ["n0"])
    alice.call("commit", artifact_id=child)
    assert (names(), names(stage=True)) == (["n0"], [])
    for number in range(1, 20):
        alice.call("edit", artifact_id=child, manifest={"name": f"n{number}"})
        assert names(keywords=[f"n{number}"]) == [f"n{number}"]
        assert names(filters={"manifest": {"name": f"n{number - 1}"}}) == []
    alice.call("edit", artifact_id=parent, permissions={"alice": "*", "*": "r"})
    alice.call("delete", artifact_id=child)
    assert names(stage="all") == []


def test_freshness_can_be_chosen(alice: Client, alias: str) -> None:
    answer = alice.http.post(METHODS + "create", json={"alias": alias, "manifest": {"name": alias}})
    position = answer.headers["x-event-position"]
    query = {"filters": json.dumps({"alias": alias})}
    for wish in ({"min_position": position}, {"consistency": "strong"}):
        found = alice.get(f"/{ALICE}/artifacts/", **query, **wish)
        assert [record["alias"] for record in found] == [alias]
    assert alice.get(f"/{ALICE}/artifacts/", **query, consistency="eventual") is not None
    for wish in ({"min_position": "soon"}, {"consistency": "never"}):
        assert alice.http.get(f"/{ALICE}/artifacts/", params=wish).status_code == 400

"""Collections whose schema cannot be used, or is meant to hold the service up."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import METHODS, Client, People, alias_of
from tests.support.refusals import Watch

# Python's own engine would need longer than the universe is old.
HOSTILE_TEXT = "a" * 50_000 + "!"
DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(60)} | {"d60": {}},
}
ENDLESS = {"allOf": [{"$ref": "#"}]}


@pytest.mark.parametrize(
    "schema",
    [
        [],
        "object",
        {"type": "nonsense"},
        {"$schema": 5},
        {"$schema": "http://127.0.0.1:1/schema"},
        {"properties": {"x": {"$ref": "http://127.0.0.1:1/schema"}}},
        {"properties": {"x": {"$ref": "file:///etc/passwd"}}},
        {"$id": "http://127.0.0.1:1/", "$ref": "schema"},
        {"properties": {"x": {"pattern": "("}}},
        {"properties": {"x": {"pattern": "a{99999}"}}},
        {"properties": {"x": {"pattern": "(a)\\1"}}},
        {"unevaluatedProperties": False},
    ],
)
def test_a_schema_that_cannot_be_used(watch: Watch, schema: Any) -> None:
    config = {"collection_schema": schema}
    create = {"alias": "bad", "type": "collection", "manifest": {}, "config": config}
    watch.check(watch.alice.http.post(METHODS + "create", json=create), 400)
    watch.check(watch.alice.http.post(METHODS + "edit", json={"artifact_id": "gallery", "config": config}), 400)


@pytest.fixture
def others(furnished: People) -> Iterator[list[int]]:
    """Count what another caller gets done meanwhile."""
    done: list[int] = []
    ends = threading.Event()

    def work() -> None:
        with Client(furnished.server.url, furnished["alice"].token).http as http:
            while not ends.is_set():
                done.append(http.get("/ws-user-alice/artifacts/").status_code)

    thread = threading.Thread(target=work)
    thread.start()
    yield done
    ends.set()
    thread.join()


@pytest.mark.parametrize(
    ("schema", "manifest", "code"),
    [
        ({"properties": {"x": {"pattern": "(a+)+$"}}}, {"x": HOSTILE_TEXT}, "schema_violation"),
        ({"patternProperties": {"(a|a)*!": False}}, {HOSTILE_TEXT: 1}, "schema_violation"),
        (DOUBLING, {}, "invalid_argument"),
        (ENDLESS, {}, "invalid_argument"),
    ],
)
def test_a_hostile_schema_harms_its_owner_alone(
    furnished: People,
    others: list[int],
    request: pytest.FixtureRequest,
    schema: dict[str, Any],
    manifest: dict[str, Any],
    code: str,
) -> None:
    alice, watch = furnished["alice"], Watch(furnished)
    alias = alias_of(request.node.name)[-40:].strip("-")
    alice.call("create", alias=alias, type="collection", manifest={}, config={"collection_schema": schema})
    draft = alice.call("create", alias=f"{alias}-d", parent_id=alias, manifest=manifest, stage=True)
    before = watch.heads()
    for method, arguments in (
        ("create", {"alias": "bad", "parent_id": alias, "manifest": manifest}),
        ("commit", {"artifact_id": draft["id"]}),
        ("edit", {"artifact_id": draft["id"], "stage": False}),
    ):
        watch.check(alice.http.post(METHODS + method, json=arguments), 400, code=code)
    assert watch.heads() == before
    assert watch.problems() == []
    # Whoever waited has been answered, and the service still takes commands.
    assert set(others) <= {200}
    alice.call("create", alias=f"{alias}-after", manifest={})

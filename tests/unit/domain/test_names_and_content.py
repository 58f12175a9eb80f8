import re
from typing import Any

import pytest

from domain.artifact.config import changes_access, new_config, replaced_config
from domain.artifact.content import check_card, clean
from domain.artifact.names import check_typed_alias, expand_alias, next_version_name
from domain.artifact.schema import check_against_schema, check_schema
from domain.artifact.words import random_alias
from domain.errors import InvalidArgumentError, SchemaViolationError, TooLargeError
from domain.events import JsonObject
from tests.support.given import uid


@pytest.mark.parametrize("alias", ["a", "my-data", "Data_2.1", "x" * 64, "{uuid}", "m-{timestamp}", "{a}-{b}"])
def test_aliases_that_are_fine(alias: str) -> None:
    assert check_typed_alias(f" {alias} ") == alias


@pytest.mark.parametrize(
    ("alias", "text"),
    [
        ("-", "reserved"),
        ("~", "reserved"),
        ("_", "reserved"),
        ("x" * 65, "too long .65 characters.; the maximum is 64"),
        ("", "Invalid alias"),
        (".hidden", "Invalid alias"),
        ("a b", "Invalid alias"),
        ("a/b", "Invalid alias"),
        ("naïve", "Invalid alias"),
        ("a{b", "Invalid alias"),
        ("{uuid} x", "Invalid alias"),
        ("0f7a9a6e-6a30-7c7e-8c0a-0123456789ab", "cannot be a UUID"),
        ("a\nb", "Invalid alias"),
    ],
)
def test_aliases_that_are_not(alias: str, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        check_typed_alias(alias)


def expand(pattern: str, **fields: Any) -> str:
    defaults: dict[str, Any] = {
        "artifact_id": uid("me"),
        "now": 1_700_000_000_123_456,
        "user_id": "auth0|abc/def",
        "id_parts": {"animals": ["dog", "cat"], "tone": "soft", "empty": []},
        "choose": lambda count: count - 1,
        "random_uuid": lambda: uid("random"),
    }
    return expand_alias(pattern, **{**defaults, **fields})


def test_patterns() -> None:
    assert expand("{uuid}") == str(uid("me"))
    assert expand("m-{timestamp}") == "m-1700000000123"
    assert expand("by-{user_id}") == "by-auth0-abc-def"
    assert expand("{tone}-{animals}") == "soft-cat"
    assert expand("x{unknown}") == f"x{uid('random')}"
    assert expand("x{empty}") == f"x{uid('random')}"


@pytest.mark.parametrize("pattern", ["{zenodo_id}", "{zenodo_conceptrecid}"])
def test_publishing_patterns_need_publishing(pattern: str) -> None:
    with pytest.raises(InvalidArgumentError, match=re.escape(pattern)):
        expand(pattern)


def test_a_part_that_makes_no_alias_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="Invalid alias"):
        expand("{animals}", id_parts={"animals": ["a/b"]})


def test_random_aliases_are_aliases() -> None:
    assert check_typed_alias(random_alias(lambda count: count - 1)).count("-") == 3
    assert random_alias(lambda _: 0) != random_alias(lambda count: count - 1)


def test_default_version_names_skip_taken_ones() -> None:
    assert next_version_name(1, {"v0"}) == "v1"
    assert next_version_name(1, {"v0", "v1", "v2"}) == "v3"


DEPTH = 20


def limited(value: JsonObject, limit: int = 1000) -> JsonObject:
    return clean(value, argument="manifest", limit_bytes=limit, limit_depth=DEPTH)


def test_non_finite_numbers_become_their_names() -> None:
    value = {"a": float("nan"), "b": [float("inf"), {"c": float("-inf")}], "d": 1.5}
    assert limited(value) == {"a": "NaN", "b": ["Infinity", {"c": "-Infinity"}], "d": 1.5}


def test_size_and_depth_are_limited() -> None:
    assert limited({"a": "x" * 900})
    with pytest.raises(TooLargeError, match="manifest has"):
        limited({"a": "é" * 900})
    nested: JsonObject = {}
    for _ in range(DEPTH - 1):
        nested = {"n": nested}
    assert limited(nested, 10_000)
    with pytest.raises(InvalidArgumentError, match="nested too deep"):
        limited({"n": nested}, 10_000)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="type bytes"):
        limited({"a": b"x"})
    with pytest.raises(InvalidArgumentError, match="cannot be written"):
        limited({"a": "\ud800"})


def test_cards() -> None:
    check_card("generic", {"name": "x", "tags": ["a"], "anything": 1})
    check_card("dataset", {"name": 5})
    with pytest.raises(SchemaViolationError, match=r"manifest.name"):
        check_card("generic", {"name": 5})
    with pytest.raises(SchemaViolationError, match=r"manifest.tags"):
        check_card("generic", {"tags": "a"})
    with pytest.raises(InvalidArgumentError, match="not a valid JSON Schema"):
        check_card("collection", {"collection_schema": {"type": "nonsense"}})


def test_schemas() -> None:
    check_schema({"type": "object", "$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a"}}})
    with pytest.raises(InvalidArgumentError, match="must be a JSON Schema object"):
        check_schema([])
    with pytest.raises(InvalidArgumentError, match="other documents"):
        check_schema({"properties": {"x": {"$ref": "http://example.org/schema"}}})
    with pytest.raises(InvalidArgumentError, match="points nowhere"):
        check_against_schema({"$ref": "#/$defs/none"}, {})
    with pytest.raises(SchemaViolationError, match=r"ValidationError: .*\(at a\)"):
        check_against_schema({"properties": {"a": {"type": "string"}}}, {"a": 1})


def test_a_new_config_leaves_out_what_the_service_sets() -> None:
    assert new_config({"x": 1, "child_count": 5, "is_collection": True}) == {"x": 1, "permissions": {}}


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"permissions": "r"}, "permissions must be an object"),
        ({"permissions": {"bob": 5}}, "Invalid permission"),
        ({"permissions": {str(number): "r" for number in range(1_001)}}, "at most"),
        ({"permissions": {"bob": ["read"] * 101}}, "Invalid permission"),
        ({"inherit_writes": 1}, "config.inherit_writes must be true or false"),
        ({"private_children": None}, "config.private_children must be true or false"),
        ({"recipient_field": 1}, "config.recipient_field"),
        ({"list_fields": [1]}, "config.list_fields"),
    ],
)
def test_keys_that_the_service_reads_are_checked(config: JsonObject, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        new_config(config)


def test_access_changes_are_seen_as_json() -> None:
    assert changes_access({"inherit_writes": 1}, {"inherit_writes": True})
    assert changes_access({}, {"private_children": None})
    assert not changes_access({"permissions": {"a": "r", "b": "r"}}, {"permissions": {"b": "r", "a": "r"}, "x": 1})


def test_a_replaced_config_keeps_what_the_service_keeps() -> None:
    current = {"permissions": {"a": "*"}, "inherit_writes": True, "is_collection": True, "old": 1, "storage": "raw"}
    assert replaced_config(current, None, None) is None
    assert replaced_config(current, {"new": 2, "is_collection": False}, None) == {
        "permissions": {"a": "*"},
        "inherit_writes": True,
        "is_collection": True,
        "new": 2,
        "storage": "raw",
    }

"""The schema of a collection: what it may say, and that no schema can hold the service up.

Nothing here is timed: what is not bounded does not end while anybody waits.
"""

from typing import Any

import pytest

from domain.artifact.schema import MAX_SHOWN_CHARACTERS, check_against_schema, check_schema
from domain.errors import InvalidArgumentError, SchemaViolationError
from domain.events import JsonObject

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def of(**properties: Any) -> JsonObject:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize("dialect", [{}, {"$schema": DRAFT_7}, {"$schema": DRAFT_2020}])
def test_a_manifest_is_checked(dialect: JsonObject) -> None:
    schema = {
        **dialect,
        **of(name={"type": "string", "pattern": "^c"}, parts={"uniqueItems": True}, next={"$ref": "#"}),
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": False,
        "required": ["name"],
    }
    check_schema(schema)
    check_against_schema(schema, {"name": "cells", "parts": [1, "1", True], "x-a": 1, "next": {"name": "c"}})
    for broken, text in (
        ({}, "'name' is a required property (at manifest)"),
        ({"name": "d"}, "'d' does not match '^c' (at name)"),
        ({"name": "c", "parts": [1, 1.0]}, "equal (at parts)"),
        ({"name": "c", "x-a": "1"}, "is not of type 'integer' (at x-a)"),
        ({"name": "c", "other": 1}, "Additional properties are not allowed ('other' was unexpected)"),
        ({"name": "c", "next": {"name": 1}}, "is not of type 'string' (at next.name)"),
    ):
        with pytest.raises(SchemaViolationError) as refused:
            check_against_schema(schema, broken)
        assert text in refused.value.detail


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ([], "must be a JSON Schema object"),
        ({"type": "nonsense"}, "not a valid JSON Schema"),
        ({"$schema": []}, "2020-12 or Draft 7"),
        ({"$schema": "http://["}, "2020-12 or Draft 7"),
        ({"$schema": "http://example.org/schema"}, "2020-12 or Draft 7"),
        ({"$ref": 5}, "not a valid JSON Schema"),
        (of(x={"$ref": "http://example.org/schema"}), "other documents"),
        (of(x={"$ref": "file:///etc/passwd"}), "other documents"),
        ({"$id": "http://example.org/", "$ref": "other"}, "other documents"),
        (of(x={"pattern": "("}), "Invalid pattern"),
        (of(x={"pattern": "a{99999}"}), "too large"),
        (of(x={"pattern": "x" * 2_000}), "more than 1000 characters"),
        (of(x={"pattern": r"(a)\1"}), "Unsupported pattern"),
        ({"patternProperties": {"(?=a)": {}}}, "Unsupported pattern"),
        ({"unevaluatedProperties": False}, "is not available"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        check_schema(schema)


def _use(schema: JsonObject, manifest: JsonObject) -> None:
    check_schema(schema)
    check_against_schema(schema, manifest)


def _nested(levels: int) -> JsonObject:
    schema: JsonObject = {"type": "object"}
    for _ in range(levels):
        schema = {"allOf": [schema]}
    return schema


def _doubling(levels: int) -> JsonObject:
    steps: JsonObject = {f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**steps, f"d{levels}": {}}}


HOSTILE_TEXT = "a" * 50_000 + "!"


@pytest.mark.parametrize(
    ("schema", "manifest"),
    [
        (of(x={"pattern": "(a+)+$"}), {"x": HOSTILE_TEXT}),
        (of(x={"pattern": "^(a|a)*b$"}), {"x": HOSTILE_TEXT}),
        (of(x={"$schema": DRAFT_7, "pattern": "(a+)+$"}), {"x": HOSTILE_TEXT}),
        ({"patternProperties": {"(a+)+$": False}, "additionalProperties": False}, {HOSTILE_TEXT: 1}),
        (_doubling(40), {}),
        ({"allOf": [{"$ref": "#"}]}, {}),
        ({"$schema": DRAFT_2020, "$dynamicRef": "#x", "$dynamicAnchor": "x"}, {}),
        (_nested(100), {}),
        ({"anyOf": [{"type": "string"}] * 500}, {"x": "x" * 1_000_000}),
        (of(x={"items": {"enum": list(range(3_000))}}), {"x": ["y"] * 50_000}),
    ],
)
def test_a_hostile_schema_is_given_up_soon(schema: JsonObject, manifest: JsonObject) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        _use(schema, manifest)
    assert len(refused.value.detail) < 2 * MAX_SHOWN_CHARACTERS


def test_many_different_items_are_compared_without_comparing_each_with_each() -> None:
    items = [*map(str, range(30_000)), *range(30_000), *({"n": number} for number in range(10_000))]
    check_against_schema(of(x={"uniqueItems": True}), {"x": items})

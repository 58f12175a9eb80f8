"""Orders, facets and what they keep of an artifact."""

from typing import Any

import pytest

from domain.errors import InvalidArgumentError
from domain.filters import (
    DEFAULT_ORDER,
    MAX_LEAVES,
    Builtin,
    BuiltinField,
    ContentField,
    Order,
    count_unindexed,
    facets,
    in_order,
    listed,
    parse_order,
)
from domain.filters.facets import CONFIG_WHOLE
from domain.filters.oracle import Document, document_of, is_like
from domain.filters.values import canonical, fold, number_of, stored
from tests.support.catalog import Artifacts, PlainCatalog, query


def document(manifest: dict[str, Any], config: dict[str, Any] | None = None, position: int = 1) -> Document:
    artifacts = Artifacts()
    artifacts.create(manifest, config=config)
    (artifact,), _ = PlainCatalog(artifacts).search(query())
    return document_of(artifact, position)  # type: ignore[arg-type]  # A position is a number.


@pytest.mark.parametrize(
    ("text", "field", "is_descending"),
    [
        ("id", Builtin(BuiltinField.ID), False),
        ("view_count<", Builtin(BuiltinField.VIEW_COUNT), False),
        ("download_count>", Builtin(BuiltinField.DOWNLOAD_COUNT), True),
        ("-created_at", Builtin(BuiltinField.CREATED_AT), True),
        ("manifest.a-b.c_d>", ContentField("manifest.a-b.c_d"), True),
        ("config.priority", ContentField("config.priority"), False),
    ],
)
def test_an_order_means(text: str, field: Any, is_descending: bool) -> None:
    assert parse_order(text) == Order(field=field, is_descending=is_descending)


def test_the_default_order_is_that_of_creation() -> None:
    assert parse_order(None) == parse_order("") == DEFAULT_ORDER == parse_order("id<")


@pytest.mark.parametrize(
    "text",
    ["alias", "name", "manifest.", "manifest", "manifest.a b", "manifest.a'b", "-id>", "id<>", "<", "-", "config",
     "config.permissions", "config.permissions.bob", "manifest." + "a" * 1_100],
)  # fmt: skip
def test_an_unknown_order_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="order_by"):
        parse_order(text)


def test_numbers_come_before_texts_before_booleans_and_what_is_missing_is_last_both_ways() -> None:
    values: list[Any] = ["b", True, None, 10, 2.5, "a", False, {"x": 1}, ["é", 1], -1]
    documents = [document({"v": value}, position=at) for at, value in enumerate(values)]
    up = [values[one.position] for one in in_order(documents, parse_order("manifest.v"))]
    down = [values[one.position] for one in in_order(documents, parse_order("manifest.v>"))]
    assert up == [-1, 2.5, 10, "a", "b", ["é", 1], False, True, None, {"x": 1}]
    assert down == [True, False, ["é", 1], "b", "a", 10, 2.5, -1, {"x": 1}, None]


def test_ties_are_ordered_by_creation_in_the_direction_of_the_order() -> None:
    documents = [document({"v": 1}, position=at) for at in (3, 1, 2)]
    assert [one.position for one in in_order(documents, parse_order("manifest.v"))] == [1, 2, 3]
    assert [one.position for one in in_order(documents, parse_order("-manifest.v"))] == [3, 2, 1]


def test_facets_hold_values_at_paths() -> None:
    found = document(
        {"a": {"b": [1, 1.0, {"c": "X"}], "d.e": None}, "n": True},
        {"permissions": {"bob": "r"}, "priority": 3, "list_fields": ["x"]},
    ).facets
    assert found.values == {
        "manifest.a.b": (1,),
        "manifest.a.b.c": ("X",),
        "manifest.a.d.e": (b"\xff",),
        "manifest.n": (b"\x01",),
        "config.priority": (3,),
        "config.list_fields": ("x",),
        CONFIG_WHOLE + "priority": ("3",),
        CONFIG_WHOLE + "list_fields": ('["x"]',),
        "type": ("generic",),
        "alias": ("artifact-1",),
        "created_by": ("alice",),
    }
    assert found.text == "1\x1f1.0\x1fx\x1ftrue\x1f\x1f"
    assert found.grants == {"bob": '"r"'}
    assert found.unindexed == 0


def test_beyond_the_bounds_a_leaf_is_counted_and_not_filterable() -> None:
    many = document({"v": list(range(MAX_LEAVES + 5))}).facets
    assert len(many.values["manifest.v"]) == MAX_LEAVES
    assert many.unindexed == 5
    long = document({"short": "é" * 512, "long": "é" * 513, "k" * 1_100: 1}).artifact
    assert count_unindexed(long) == 2
    assert "manifest.long" not in facets(long).values
    # Keywords still find it.
    assert fold("É" * 513) in facets(long).text


def test_a_draft_shows_its_staged_manifest_and_a_committed_artifact_its_committed_one() -> None:
    artifacts = Artifacts()
    draft = artifacts.create({"a": 1}, is_draft=True)
    committed = artifacts.create({"a": 1})
    artifacts.stage(draft, {"a": 2})
    artifacts.stage(committed, {"a": 2})
    plain = PlainCatalog(artifacts)
    assert listed(plain.state(draft)).manifest == {"a": 2}
    assert listed(plain.state(committed)).manifest == {"a": 1}


def test_equality_keeps_booleans_numbers_texts_and_null_apart() -> None:
    assert stored(1) == stored(1.0)
    assert len({stored(value) for value in (1, True, "1", None, "true", 0, False)}) == 7
    assert number_of(10**400) == float("inf")
    assert number_of(-(10**400)) == float("-inf")
    assert number_of(2**63) == float(2**63)


def test_canonical_texts_do_not_depend_on_the_order_of_keys_or_the_writing_of_numbers() -> None:
    assert canonical({"b": [1.0, "é"], "a": None}) == canonical({"a": None, "b": [1, "é"]})
    assert canonical({"a": [1, 2]}) != canonical({"a": [2, 1]})
    assert canonical("x" * 2_000).startswith("sha256:")
    assert canonical("x" * 2_000) != canonical("x" * 2_001)


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("abc", ("abc",), True),
        ("abc", ("ab",), False),
        ("abc", ("a", "c"), True),
        ("abc", ("ab", "bc"), False),
        ("abbc", ("ab", "c", "bc"), False),
        ("abccbc", ("ab", "c", "bc"), True),
        ("", ("", ""), True),
        ("a[b]?", ("a[", "?"), True),
    ],
)
def test_a_pattern_is_pieces_with_anything_between(text: str, pieces: tuple[str, ...], expected: bool) -> None:
    assert is_like(text, pieces) is expected

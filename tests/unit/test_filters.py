"""The grammar of filters: what each key means, and what is refused."""

from typing import Any
from uuid import UUID

import pytest

from domain.errors import InvalidArgumentError
from domain.filters import (
    And,
    Builtin,
    BuiltinField,
    ConfigIs,
    ContentField,
    GrantIs,
    Keyword,
    Like,
    OneOf,
    Or,
    ParentIs,
    StageScope,
    Within,
    parse_filters,
    resolve_stage,
)
from domain.filters.manifest import MAX_DEPTH, MAX_NODES
from domain.filters.parse import MAX_KEYWORDS
from domain.filters.values import FALSE, NULL, TRUE

NAME = ContentField("manifest.name")


def one_of(path: str, *values: Any) -> OneOf:
    return OneOf(ContentField(path), values)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "dataset"}, OneOf(Builtin(BuiltinField.TYPE), ("dataset",))),
        ({"created_by": "alice"}, OneOf(Builtin(BuiltinField.CREATED_BY), ("alice",))),
        ({"workspace": "lab"}, OneOf(Builtin(BuiltinField.WORKSPACE), ("lab",))),
        ({"alias": "a"}, OneOf(Builtin(BuiltinField.ALIAS), ("a",))),
        ({"view_count": 3}, Within(BuiltinField.VIEW_COUNT, 3, None)),
        ({"view_count": 2.5}, Within(BuiltinField.VIEW_COUNT, 3, None)),
        ({"view_count": [None, 2.5]}, Within(BuiltinField.VIEW_COUNT, None, 2)),
        ({"download_count": [0.1, 2.3]}, Within(BuiltinField.DOWNLOAD_COUNT, 100, 2_300)),
        ({"created_at": 7}, Within(BuiltinField.CREATED_AT, 7_000_000, None)),
        ({"created_at": [7.2, 8.9]}, Within(BuiltinField.CREATED_AT, 8_000_000, 8_999_999)),
        ({"last_modified": [None, None]}, Within(BuiltinField.LAST_MODIFIED, None, None)),
        ({"manifest": {"name": "x"}}, OneOf(NAME, ("x",))),
        ({"name": "x"}, OneOf(NAME, ("x",))),
        ({"manifest.name": "x"}, OneOf(NAME, ("x",))),
        ({"manifest": {"a": {"b": 1}}}, one_of("manifest.a.b", 1)),
        ({"manifest": {"a.b": 1}}, one_of("manifest.a.b", 1)),
        ({"manifest": {"a": True}}, one_of("manifest.a", TRUE)),
        ({"manifest": {"a": False}}, one_of("manifest.a", FALSE)),
        ({"manifest": {"a": None}}, one_of("manifest.a", NULL)),
        ({"manifest": {"name": "*Foo*bar"}}, Like(NAME, ("", "foo", "bar"))),
        ({"manifest": {"name": "a**b"}}, Like(NAME, ("a", "b"))),
        ({"manifest": {"name": {"$like": "A%b*"}}}, Like(NAME, ("a", "b", ""))),
        ({"manifest": {"name": {"$like": "Abc"}}}, Like(NAME, ("abc",))),
        ({"manifest": {"name": {"$in": ["a*", 1]}}}, OneOf(NAME, ("a*", 1))),
        ({"manifest": {"name": {"$in": []}}}, OneOf(NAME, ())),
        ({"manifest": {"name": {"$all": ["a", "b"]}}}, And((OneOf(NAME, ("a",)), OneOf(NAME, ("b",))))),
        ({"manifest": {"name": ["a", "b"]}}, And((OneOf(NAME, ("a",)), OneOf(NAME, ("b",))))),
        ({"manifest": {"$or": [{"name": "a"}, {"name": "b"}]}}, Or((OneOf(NAME, ("a",)), OneOf(NAME, ("b",))))),
        ({"$and": [{"name": "a"}, {"x": 1}]}, And((OneOf(NAME, ("a",)), one_of("manifest.x", 1)))),
        ({"manifest": {"a": {"$or": [{"b": 1}, {}]}}}, Or((one_of("manifest.a.b", 1), And(())))),
        ({"manifest": {}}, None),
        ({"config": {"k": {"b": 1.0, "a": [2]}}}, ConfigIs("k", '{"a":[2],"b":1}')),
        ({"config.k": "v"}, ConfigIs("k", '"v"')),
        ({"config": {"permissions": {"bob": "rw"}}}, GrantIs("bob", '"rw"')),
        ({"permissions/bob": ["read", "list"]}, GrantIs("bob", '["read","list"]')),
        ({"permissions/ws/bob": "r"}, GrantIs("ws/bob", '"r"')),
        ({}, None),
        (None, None),
    ],
)
def test_a_filter_means(filters: Any, expected: Any) -> None:
    assert parse_filters(filters).filter == expected


@pytest.mark.parametrize(
    "filters",
    [
        {"type": 1},
        {"type": None},
        {"created_at": "yesterday"},
        {"created_at": True},
        {"created_at": None},
        {"created_at": [1, 2, 3]},
        {"created_at": [[1, 2], 3]},
        {"view_count": float("nan")},
        {"view_count": [0, float("inf")]},
        {"manifest": "x"},
        {"manifest": {"a": {"$gt": 1}}},
        {"manifest": {"a": {"$in": "x"}}},
        {"manifest": {"a": {"$in": [{"b": 1}]}}},
        {"manifest": {"a": {"$like": 1}}},
        {"manifest": {"a": {"$in": [1], "b": 2}}},
        {"manifest": {"$nor": []}},
        {"manifest": {"$and": {}}},
        {"manifest": {"$or": []}},
        {"manifest": {"a": float("nan")}},
        {"manifest": {"a": "*".join("x" * 40)}},
        {"config": 1},
        {"config": {"permissions": "r"}},
        {"config": {"permissions.bob": "r"}},
        {"permissions/bob": 1},
        {"permissions/": "r"},
        {"version": "v1"},
        {"version": 3},
        {"stage": "yes"},
        {"parent_id": 3},
        {"version": "stage", "stage": False},
        {"manifest": {"a": {"$in": list(range(MAX_NODES))}}},
    ],
)
def test_a_wrong_filter_is_refused(filters: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_filters(filters)


def test_an_error_names_the_key() -> None:
    with pytest.raises(InvalidArgumentError, match=r"Invalid filter key: manifest\.a\.\$gt"):
        parse_filters({"manifest": {"a": {"$in": [1], "$gt": 1}}})
    with pytest.raises(
        InvalidArgumentError, match="Invalid version value, it should be 'stage', 'latest', 'committed'"
    ):
        parse_filters({"version": "newest"})


def test_nesting_is_bounded() -> None:
    filters: Any = {"a": 1}
    for _ in range(MAX_DEPTH + 1):
        filters = {"$and": [filters]}
    with pytest.raises(InvalidArgumentError, match="deep"):
        parse_filters({"manifest": filters})


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (None, And((Or((Keyword("a"), Keyword("b"))), OneOf(NAME, ("x",)), one_of("manifest.y", 1)))),
        ("AND", And((Keyword("a"), Keyword("b"), OneOf(NAME, ("x",)), one_of("manifest.y", 1)))),
        ("OR", Or((Keyword("a"), Keyword("b"), OneOf(NAME, ("x",)), one_of("manifest.y", 1)))),
    ],
)
def test_the_mode_joins_keywords_and_filters(mode: str | None, expected: Any) -> None:
    assert parse_filters({"name": "x", "y": 1, "parent_id": None, "stage": True}, ["A", "", "b"], mode) == (
        type(parse_filters(None))(filter=expected, stage=StageScope.STAGED, parent=ParentIs(None))
    )


def test_keywords_and_mode_are_checked() -> None:
    for keywords in ("text", [1], ["x"] * (MAX_KEYWORDS + 1), ["x" * 1_025]):
        with pytest.raises(InvalidArgumentError):
            parse_filters(None, keywords)  # type: ignore[arg-type]  # Callers send anything.
    with pytest.raises(InvalidArgumentError):
        parse_filters(None, None, "XOR")


@pytest.mark.parametrize(
    ("filters", "scope"),
    [
        ({"version": "stage"}, StageScope.STAGED),
        ({"version": "latest"}, StageScope.COMMITTED),
        ({"version": "committed"}, StageScope.COMMITTED),
        ({"version": "*"}, StageScope.ALL),
        ({"version": "*", "stage": "all"}, StageScope.ALL),
        ({"stage": False}, StageScope.COMMITTED),
        ({"version": None}, None),
    ],
)
def test_the_stage_scope_comes_from_version_and_stage(filters: Any, scope: StageScope | None) -> None:
    assert parse_filters(filters).stage is scope


def test_the_stage_argument_must_agree() -> None:
    assert resolve_stage(None, None) is StageScope.COMMITTED
    assert resolve_stage(None, StageScope.STAGED) is StageScope.STAGED
    assert resolve_stage("all", StageScope.ALL) is StageScope.ALL
    assert resolve_stage(True, None) is StageScope.STAGED
    with pytest.raises(InvalidArgumentError):
        resolve_stage(False, StageScope.STAGED)
    with pytest.raises(InvalidArgumentError):
        resolve_stage("some", None)


def test_a_parent_is_kept_as_written() -> None:
    assert parse_filters({"parent_id": "lab/collection"}).parent == ParentIs("lab/collection")
    assert parse_filters({"parent_id": str(UUID(int=1))}).filter is None
    assert parse_filters({}).parent is None

"""Arguments become parameters the same way for every transport."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from api.binding import bind, bind_positional, bind_text
from application.context import CallContext, Reply
from application.methods import Command, Method
from domain.errors import InvalidTypeError


class Parameters(Command, frozen=True, forbid_unknown_fields=True):
    artifact_id: str
    paths: str | list[str] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    weight: float | list[float] = 0
    silent: bool = False
    local: bool | str = False
    stage: bool | Literal["all"] = False
    filters: dict[str, Any] | None = None
    words: list[str] | None = None
    version: str | int | None = None
    value: str | None = "kept"
    content: Any = None
    name: str = "default"


async def _handler(_application: object, _context: CallContext, _given: object) -> Reply:
    raise AssertionError


METHOD = Method(
    name="do",
    parameters=Parameters,
    handler=_handler,
    changes_state=False,
    ignored=("context", "no_cache"),
    keep_null=("value",),
)


def test_null_means_the_default_for_optional_arguments() -> None:
    bound = bind(METHOD, {"artifact_id": "a", "limit": None, "silent": None, "filters": None, "name": None})
    assert bound == Parameters(artifact_id="a")


def test_null_is_kept_where_the_method_says_so() -> None:
    assert bind(METHOD, {"artifact_id": "a", "value": None}) == Parameters(artifact_id="a", value=None)


def test_ignored_arguments_are_dropped() -> None:
    assert bind(METHOD, {"artifact_id": "a", "context": {"ws": "x"}, "no_cache": 1}) == Parameters(artifact_id="a")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Missing required argument: 'artifact_id'"),
        ({"artifact_id": None}, "Missing required argument: 'artifact_id'"),
        ({"artifact_id": "a", "foo": 1}, "do() got an unexpected keyword argument 'foo'"),
        ({"artifact_id": 5}, "Argument 'artifact_id': expected `str`, got `int`"),
        ({"artifact_id": "a", "limit": 0}, "Argument 'limit': expected `int` >= 1; allowed is 1 to 1000"),
        ({"artifact_id": "a", "limit": 1001}, "Argument 'limit': expected `int` <= 1000; allowed is 1 to 1000"),
        ({"artifact_id": "a", "limit": 1.5}, "Argument 'limit': expected `int`, got `float`; allowed is 1 to 1000"),
        ({"artifact_id": "a", "limit": "5"}, "Argument 'limit': expected `int`, got `str`; allowed is 1 to 1000"),
        ({"artifact_id": "a", "silent": 1}, "Argument 'silent': expected `bool`, got `int`"),
        ({"artifact_id": "a", "paths": ["x", 1]}, "Argument 'paths[1]': expected `str`, got `int`"),
    ],
)
def test_refusals_name_the_argument_and_its_range(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidTypeError) as caught:
        bind(METHOD, arguments)
    assert caught.value.detail == text


def test_a_whole_number_written_with_a_point_is_an_integer() -> None:
    assert bind(METHOD, {"artifact_id": "a", "limit": 5.0}) == Parameters(artifact_id="a", limit=5)
    with pytest.raises(InvalidTypeError, match="1 to 1000"):
        bind(METHOD, {"artifact_id": "a", "limit": 5000.0})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_integer(number: float) -> None:
    with pytest.raises(InvalidTypeError, match="limit"):
        bind(METHOD, {"artifact_id": "a", "limit": number})


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        ("silent", ["true"], True),
        ("silent", ["False"], False),
        ("silent", ["1"], True),
        ("local", ["true"], True),
        ("local", ["http://inside:1"], "http://inside:1"),
        ("stage", ["all"], "all"),
        ("stage", ["false"], False),
        ("limit", ["7"], 7),
        ("weight", ["0.5"], 0.5),
        ("weight", ["[0.5, 2]"], [0.5, 2]),
        ("weight", ["0.5", "2"], [0.5, 2.0]),
        ("paths", ["a.csv"], "a.csv"),
        ("paths", ["a.csv", "b.csv"], ["a.csv", "b.csv"]),
        ("paths", ['["a.csv","b.csv"]'], ["a.csv", "b.csv"]),
        ("paths", ["[draft] a.csv"], "[draft] a.csv"),
        ("words", ["one"], ["one"]),
        ("words", ['["one","two"]'], ["one", "two"]),
        ("filters", ['{"type":"dataset"}'], {"type": "dataset"}),
        ("filters", ['{"size":NaN}'.replace("NaN", "1")], {"size": 1}),
        ("version", ["1"], "1"),
        ("version", ["null"], None),
        ("content", ["{1"], "{1"),
        ("content", ['{"a":1}'], {"a": 1}),
        ("name", [""], ""),
        ("version", [""], None),
        ("limit", [""], 100),
    ],
)
def test_text_is_read_by_the_declared_type(name: str, texts: list[str], value: object) -> None:
    bound = bind_text(METHOD, {"artifact_id": ["a"], name: texts})
    assert getattr(bound, name) == value
    assert type(getattr(bound, name)) is type(value)


def test_digits_stay_text_where_text_is_declared() -> None:
    assert bind_text(METHOD, {"artifact_id": ["123"]}) == Parameters(artifact_id="123")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"limit": ["many"]}, "Argument 'limit': expected an integer"),
        ({"limit": ["1e400"]}, "Argument 'limit'"),
        ({"limit": ["5", "6"]}, "Argument 'limit' was given 2 times and takes one value"),
        ({"silent": ["maybe"]}, "Argument 'silent': expected true or false"),
        ({"filters": ["{broken"]}, "Argument 'filters': expected JSON"),
        ({"stage": ["some"]}, "Argument 'stage'"),
        ({"foo": ["1"]}, "do() got an unexpected keyword argument 'foo'"),
    ],
)
def test_text_that_fits_nothing_is_refused(arguments: dict[str, list[str]], text: str) -> None:
    with pytest.raises(InvalidTypeError) as caught:
        bind_text(METHOD, {"artifact_id": ["a"], **arguments})
    assert caught.value.detail.startswith(text)


def test_positional_arguments_follow_the_order_of_the_fields() -> None:
    assert bind_positional(METHOD, ["a", ["x"]], {"limit": 3}) == Parameters(artifact_id="a", paths=["x"], limit=3)


def test_too_many_positional_arguments_are_refused() -> None:
    with pytest.raises(InvalidTypeError, match="takes at most 13 positional arguments but 14 were given"):
        bind_positional(METHOD, ["a"] * 14, {})


def test_an_argument_cannot_be_given_twice() -> None:
    with pytest.raises(InvalidTypeError, match="got multiple values for argument 'artifact_id'"):
        bind_positional(METHOD, ["a"], {"artifact_id": "b"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Parameters.__struct_fields__, "foo"]), JSON))
def test_any_arguments_are_bound_or_refused(arguments: dict[str, Any]) -> None:
    try:
        bound = bind(METHOD, arguments)
    except InvalidTypeError:
        return
    assert isinstance(bound, Parameters)
    assert "foo" not in arguments
    assert 1 <= bound.limit <= 1000


@given(st.dictionaries(st.sampled_from(Parameters.__struct_fields__), st.lists(st.text(), min_size=1, max_size=3)))
def test_any_texts_are_bound_or_refused(arguments: dict[str, list[str]]) -> None:
    try:
        bound = bind_text(METHOD, arguments)
    except InvalidTypeError:
        return
    assert isinstance(bound, Parameters)
    assert bound.artifact_id == arguments["artifact_id"][0]

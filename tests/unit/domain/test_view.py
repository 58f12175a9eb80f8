"""What a configuration may say of a site, and what is understood of it."""

from typing import Any

import pytest

from domain.artifact.config import check_config
from domain.artifact.view import INDEX, View, is_header_allowed, view_of
from domain.errors import InvalidArgumentError, InvalidStateError, NotFoundError

FULL = {
    "root_directory": "/public/",
    "index": "start.html",
    "error_page": "404.html",
    "templates": ["/start.html", "a//b.html"],
    "template_engine": "jinja2",
    "use_builtin_template": False,
    "headers": {"Cache-Control": "max-age=1", "X-Mine": 3},
    "metadata": {"colour": "red"},
    "unknown": [1],
}


@pytest.mark.parametrize("key", ["view_config", "view"])
def test_a_site_is_read_from_either_key(key: str) -> None:
    assert view_of({key: FULL}, "generic") == View(
        root="public",
        index="start.html",
        error_page="404.html",
        templates=frozenset({"start.html", "a/b.html"}),
        headers=(("cache-control", "max-age=1"), ("x-mine", "3")),
        metadata={"colour": "red"},
    )


def test_the_first_key_that_is_there_counts() -> None:
    config = {"view_config": {"index": "a.html"}, "view": {"index": "b.html"}}
    assert view_of(config, "generic").index == "a.html"
    assert view_of({**config, "view_config": None}, "generic").index == "b.html"


def test_nothing_but_an_object_is_needed() -> None:
    assert view_of({"view_config": {}}, "generic") == View(index=INDEX)


def test_the_root_may_stand_in_the_configuration_itself() -> None:
    assert view_of({"view_config": {}, "root_directory": "dist"}, "generic").root == "dist"
    assert view_of({"view_config": {"root_directory": "a"}, "root_directory": "b"}, "generic").root == "a"


def test_pages_lie_below_the_root() -> None:
    assert View(root="a/b").inside("c.html") == "a/b/c.html"
    assert View().inside("c.html") == "c.html"
    assert [View(index="i.html").page(path) for path in ("", "d/", "d", "d//e/./f/")] == [
        "i.html",
        "d/i.html",
        "d",
        "d/e/f/i.html",
    ]


@pytest.mark.parametrize("kind", ["application", "collection"])
def test_some_types_have_a_page_without_a_configuration(kind: str) -> None:
    assert view_of({}, kind).is_builtin


def test_other_types_have_none() -> None:
    with pytest.raises(InvalidStateError, match="This artifact type does not support view mode"):
        view_of({}, "generic")


@pytest.mark.parametrize("key", ["view_config", "view"])
def test_a_view_can_be_turned_off(key: str) -> None:
    check_config({key: "disabled"})
    with pytest.raises(NotFoundError, match="View access is disabled for this artifact"):
        view_of({key: "disabled"}, "collection")


def test_what_was_stored_before_it_was_checked_is_told_when_it_is_shown() -> None:
    with pytest.raises(InvalidStateError, match="template_engine"):
        view_of({"view_config": {"template_engine": "mako"}}, "generic")


@pytest.mark.parametrize("key", ["view_config", "view"])
@pytest.mark.parametrize(
    ("view", "named"),
    [
        ("enabled", "must be an object"),
        ([], "must be an object"),
        (True, "must be an object"),
        ({"root_directory": 3}, "root_directory"),
        ({"root_directory": "../x"}, "Illegal file path"),
        ({"index": ["a"]}, "index"),
        ({"index": "a/"}, "names a directory"),
        ({"error_page": "../a"}, "Illegal file path"),
        ({"templates": "index.html"}, "templates"),
        ({"templates": [3]}, "must be a text"),
        ({"templates": ["x"] * 1001}, "templates"),
        ({"template_engine": "mako"}, "template_engine"),
        ({"use_builtin_template": "yes"}, "use_builtin_template"),
        ({"metadata": 3}, "metadata"),
        ({"headers": [1]}, "headers"),
        ({"headers": {"a b": "c"}}, "'a b'"),
        ({"headers": {"": "c"}}, "headers"),
        ({"headers": {"X-A": "c\r\nSet-Cookie: a=b"}}, "one line of ASCII"),
        ({"headers": {"X-A": "é"}}, "one line of ASCII"),
        ({"headers": {"X-A": True}}, "one line of ASCII"),
        ({"headers": {"X-A": "c" * 4097}}, "4096 characters"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "twice"),
        ({"headers": {"X-Content-Type-Options": "off"}}, "nosniff"),
        ({"headers": {f"X-{number}": "1" for number in range(51)}}, "at most 50"),
    ],
)
def test_another_shape_is_refused_and_named(key: str, view: Any, named: str) -> None:
    with pytest.raises(InvalidArgumentError, match=named) as caught:
        check_config({key: view})
    assert key in caught.value.detail


@pytest.mark.parametrize(
    "name",
    """
    Set-Cookie Set-Cookie2 Connection Keep-Alive Proxy-Authenticate Proxy-Connection TE Trailer Transfer-Encoding
    Upgrade Content-Length Content-Type Content-Encoding Content-Range Date Location Refresh ETag Last-Modified Age Via
    Server Strict-Transport-Security Clear-Site-Data Service-Worker-Allowed Alt-Svc NEL Report-To WWW-Authenticate
    Access-Control-Allow-Credentials Origin-Agent-Cluster Link Vary X-Accel-Redirect X-Sendfile X-Request-ID
    X-Event-Position X-Forwarded-For X-Original-URL
    """.split(),
)
def test_headers_that_are_not_a_sites_to_set(name: str) -> None:
    assert not is_header_allowed(name)
    with pytest.raises(InvalidArgumentError, match="cannot set the header"):
        check_config({"view_config": {"headers": {name: "1"}}})


@pytest.mark.parametrize(
    "name",
    "Access-Control-Allow-Origin Cache-Control X-Frame-Options Content-Security-Policy Expires X-Mine".split(),
)
def test_headers_that_a_site_may_set(name: str) -> None:
    assert is_header_allowed(name)
    check_config({"view_config": {"headers": {name: "1"}}})

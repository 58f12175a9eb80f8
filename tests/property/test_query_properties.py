"""Query strings are read as the standard library reads them, escaped or not."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.exchange import Exchange
from domain.errors import InvalidArgumentError

PIECES = st.sampled_from(["a", "b", "silent", "=", "==", "&", "&&", ";", "%20", "%z", "+", "ä", "/", "?", " ", "null"])


def exchange(query: str) -> Exchange:
    scope: Any = {"method": "GET", "path": "/", "headers": [], "query_string": query.encode()}
    unused: Any = None
    return Exchange(scope, unused, unused)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_fields_are_those_of_the_standard_library(query: str) -> None:
    if query.isascii():
        assert exchange(query).query_fields() == parse_qs(query, keep_blank_values=True)
    else:
        with pytest.raises(InvalidArgumentError):
            exchange(query).query_fields()


@pytest.mark.parametrize("name", ["a", "%61"])
def test_the_number_of_fields_is_bounded(name: str) -> None:
    assert len(exchange("&".join([name] * 1000)).query_fields()["a"]) == 1000
    with pytest.raises(InvalidArgumentError):
        exchange("&".join([name] * 1001)).query_fields()

"""Our search of regular expressions finds what Python's finds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidArgumentError
from domain.patterns import Budget, compile_pattern

TEXTS = st.text(alphabet="ab1_ é-", max_size=12)
CLASSES = [r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", "[ab]", "[^a]", "[a-b1]", r"[^\d_]"]
ATOMS = st.sampled_from(["a", "b", "1", "é", ".", *CLASSES, r"\-", "^", "$"])
QUANTIFIERS = st.sampled_from(["", "", "*", "+", "?", "*?", "{2}", "{1,3}", "{2,}", "{0}"])


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.tuples(inner, QUANTIFIERS).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    )


PATTERNS = st.recursive(ATOMS, _combined, max_leaves=8)


@given(PATTERNS, TEXTS)
def test_it_finds_what_the_standard_library_finds(source: str, text: str) -> None:
    # A `$` stands for the end alone here; in Python also for the place before a last newline, which no text here has.
    assert compile_pattern(source).is_found_in(text, Budget(100_000)) == (re.search(source, text) is not None)


@pytest.mark.parametrize("source", ["(a+)+$", "^(a|a)*$", "^(a*)*$", "(.*)*x$", "a*a*a*a*a*b"])
def test_the_steps_grow_with_the_text_and_no_faster(source: str) -> None:
    assert not compile_pattern(source).is_found_in("a" * 100_000 + "!", Budget(20_000))


def test_steps_are_counted() -> None:
    with pytest.raises(InvalidArgumentError, match="too many steps"):
        compile_pattern("(a|b|c)*d").is_found_in("abc" * 1_000, Budget(10))

from collections.abc import Collection, Mapping

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain import tree_changes, trees
from tests.support.trees import Forest, file

NAMES = st.sampled_from(["a", "a-b", "a.b", "a0", "b", "é", "z"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
MANY = st.integers(0, 400).map(lambda number: f"d{number % 7}/f{number:04d}")
CONTENTS = st.dictionaries(st.one_of(PATHS, MANY), st.integers(0, 9).map(file), max_size=60)
CHANGES = st.lists(st.tuples(CONTENTS, st.sets(st.one_of(PATHS, MANY), max_size=60)), max_size=6)


@pytest.fixture(autouse=True, scope="module")
def _small_chunks() -> object:
    """Cut often, so that small examples have many chunks of both kinds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "MEAN_CHUNK_FILES", 6)
        patch.setattr(trees, "MAX_CHUNK_FILES", 9)
        patch.setattr(tree_changes, "MAX_CHUNK_FILES", 9)
        yield


def is_consistent(files: Collection[str]) -> bool:
    return not any(other.startswith(f"{path}/") for path in files for other in files)


@given(CHANGES)
@settings(max_examples=200)
def test_a_tree_that_was_changed_equals_one_that_was_built_at_once(changes: list[tuple[Mapping[str, object], set[str]]]) -> None:
    forest = Forest()
    index = trees.TreeIndex()
    expected: dict[str, object] = {}
    for upserts, removals in changes:
        after = {path: kept for path, kept in expected.items() if path not in removals} | dict(upserts)
        assume(is_consistent(after))
        index, growth = forest.apply(index, upserts, removals)
        assert growth.file_count == len(after) - len(expected)
        assert growth.size_bytes == total(after) - total(expected)
        expected = after
        assert forest.files(index) == expected
        built, _ = forest.apply(trees.TreeIndex(), expected, ())
        assert forest.shape(index) == forest.shape(built)


def total(files):
    return sum(kept.size_bytes for kept in files.values())

"""Levels x operations x callers x chains, against a specification written from the rules and not from the code.

The specification knows callers by a handful of facts and levels by a drawn table; it shares nothing with
`domain.permissions` but the names of the operations.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

import pytest

from domain.permissions import OPERATIONS_OF, Node, Operation, expanded_names, is_allowed, may_in_collection
from tests.support.actors import node, viewers

TABLE = """
operation            n  l  l+ lv lv+ lf lf+ r  r+ rd+ rw rw+ *
list                 .  x  x  x  x   x  x   x  x  x   x  x   x
read                 .  .  .  .  .   .  .   x  x  x   x  x   x
get_file             .  .  .  .  .   .  .   x  x  x   x  x   x
list_files           .  .  .  .  .   x  x   x  x  x   x  x   x
list_vectors         .  .  .  x  x   .  .   .  .  x   x  x   x
get_vector           .  .  .  .  .   .  .   x  x  x   x  x   x
search_vectors       .  .  .  .  .   .  .   x  x  x   x  x   x
get_status           .  .  .  .  .   .  .   .  .  x   x  x   x
draft                .  .  x  .  x   .  x   .  x  x   x  x   x
attach               .  .  .  .  x   .  x   .  x  .   x  x   x
detach               .  .  .  .  .   .  .   .  .  .   x  x   x
mutate               .  .  .  .  .   .  .   .  .  .   x  x   x
put_file             .  .  .  .  .   .  x   .  x  x   x  x   x
add_vectors          .  .  .  .  x   .  .   .  x  x   x  x   x
edit                 .  .  .  .  .   .  .   .  .  x   x  x   x
commit               .  .  .  .  .   .  .   .  .  .   x  x   x
remove_file          .  .  .  .  .   .  .   .  .  x   x  x   x
remove_vectors       .  .  .  .  .   .  .   .  .  x   x  x   x
discard_changes      .  .  .  .  .   .  .   .  .  x   x  x   x
create               .  .  .  .  .   .  .   .  .  .   .  x   x
set_secret           .  .  .  .  .   .  .   .  .  .   x  x   x
set_download_weight  .  .  .  .  .   .  .   .  .  .   x  x   x
reset_stats          .  .  .  .  .   .  .   .  .  .   .  .   x
publish              .  .  .  .  .   .  .   .  .  .   .  .   x
delete               .  .  .  .  .   .  .   .  .  .   .  .   x
get_secret           .  .  .  .  .   .  .   .  .  .   .  .   x
manage_permissions   .  .  .  .  .   .  .   .  .  .   .  .   x
"""
_ROWS = [line.split() for line in TABLE.strip().splitlines()]
LEVELS = _ROWS[0][1:]
DRAWN = {(row[0], level): mark == "x" for row in _ROWS[1:] for level, mark in zip(LEVELS, row[1:], strict=True)}
READS = {"list", "read", "get_file", "list_files", "list_vectors", "get_vector", "search_vectors"}
ABOUT_CHILDREN = {"draft", "attach", "detach", "mutate"}


class Facts(NamedTuple):
    """A caller, as the specification knows him: his subjects from most to least specific, and his standing."""

    subjects: tuple[str, ...]
    is_admin: bool = False
    workspace: str | None = None
    reads_only: bool = False


OUTSIDER = ("@", "*")
CALLERS: Mapping[str, Facts] = {
    "anonymous": Facts(("*",)),
    "user": Facts(("uma", *OUTSIDER)),
    "creator": Facts(("carl", *OUTSIDER)),
    "agent": Facts(("carl", *OUTSIDER)),
    "agent, read": Facts(("carl", *OUTSIDER), reads_only=True),
    "agent of the owner": Facts(("olivia", "team-lab/@", "team-lab/*", *OUTSIDER), workspace="rw"),
    "agent made with admin": Facts(("olivia", *OUTSIDER), is_admin=True),
    "member, read": Facts(("reba", "team-lab/reba", "team-lab/@", "team-lab/*", *OUTSIDER), workspace="reads"),
    "member, read_write": Facts(("walt", "team-lab/walt", "team-lab/@", "team-lab/*", *OUTSIDER), workspace="rw"),
    "member, admin": Facts(("adele", *OUTSIDER), is_admin=True),
    "owner": Facts(("olivia", *OUTSIDER), is_admin=True),
    "owner, read-only token": Facts(
        ("olivia", "team-lab/@", "team-lab/*", *OUTSIDER), workspace="reads", reads_only=True
    ),
    "owner, own read-only token": Facts(("olivia", *OUTSIDER), is_admin=True, reads_only=True),
    "role admin": Facts(OUTSIDER, is_admin=True),
}


def specified(caller: Facts, operation: str, chain: list[Node], *, asks_workspace: bool = True) -> bool:
    """Answer from the rules, in their own order."""
    if caller.reads_only and operation not in READS:
        return False
    if caller.is_admin:
        return True
    return _ask(caller, operation, chain, reaches=True, asks_workspace=asks_workspace)


def _ask(caller: Facts, operation: str, chain: list[Node], *, reaches: bool, asks_workspace: bool) -> bool:
    here, above = chain[0], chain[1:]
    named = [subject for subject in caller.subjects if subject in here.permissions]
    if named:
        level = here.permissions[named[0]]
        if level == "n":
            return False
        is_granted = DRAWN[operation, level] or DRAWN[operation, here.permissions.get("*", "n")]
        if is_granted and (operation in READS or reaches or here.inherit_writes):
            return True
    if above:
        passes = (reaches or here.inherit_writes) and here.takes_parent_level
        return _ask(caller, operation, above, reaches=passes, asks_workspace=False)
    if not asks_workspace or operation in ABOUT_CHILDREN:
        return False
    return {"reads": operation in READS, "rw": DRAWN[operation, "rw"], None: False}[caller.workspace]


def both_ways(caller: str, operation: str, chain: list[Node]) -> Iterator[tuple[bool, bool]]:
    viewer, facts = VIEWERS[caller], CALLERS[caller]
    yield is_allowed(viewer, Operation(operation), chain), specified(facts, operation, chain)
    yield (
        may_in_collection(viewer, Operation(operation), chain),
        specified(facts, operation, chain, asks_workspace=False),
    )


VIEWERS = viewers()


def check(caller: str, operation: str, chain: list[Node]) -> None:
    for found, expected in both_ways(caller, operation, chain):
        assert found is expected, (caller, operation, [(one.permissions, one.inherit_writes) for one in chain])


def test_the_table_draws_every_operation_and_level() -> None:
    assert {name for name, _ in DRAWN} == {operation.value for operation in Operation}
    assert set(LEVELS) == set(OPERATIONS_OF)
    assert set(CALLERS) == set(VIEWERS)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_expands_as_drawn(level: str) -> None:
    drawn = [operation.value for operation in Operation if DRAWN[operation.value, level]]
    assert expanded_names(level) == drawn
    assert expanded_names(drawn) == expanded_names([*drawn, "nonsense"])
    assert {operation.value for operation in OPERATIONS_OF[level]} == set(drawn)


@pytest.mark.parametrize("caller", CALLERS)
def test_every_level_and_operation_on_one_artifact(caller: str) -> None:
    for level, operation in product([None, *LEVELS], Operation):
        for subject in CALLERS[caller].subjects:
            check(caller, operation.value, [node({subject: level} if level else {})])


@pytest.mark.parametrize("caller", CALLERS)
def test_every_pair_of_entries_on_one_artifact(caller: str) -> None:
    """The most specific entry decides, `n` denies, and those of `*` come on top."""
    subjects = CALLERS[caller].subjects
    pairs = [(one, two) for place, one in enumerate(subjects) for two in subjects[place + 1 :]]
    for (one, two), first, second, operation in product(pairs, LEVELS, LEVELS, ("list", "read", "attach", "edit")):
        check(caller, operation, [node({one: first, two: second})])


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("inherit_writes", [False, True])
def test_every_level_on_an_artifact_and_its_collection(caller: str, inherit_writes: bool) -> None:
    subject = CALLERS[caller].subjects[0]
    for own, above, operation in product([None, *LEVELS], [None, *LEVELS], Operation):
        chain = [
            node({subject: own} if own else {}),
            node({subject: above} if above else {}, inherit_writes=inherit_writes, number=2),
        ]
        check(caller, operation.value, chain)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("depth", [3, 4])
def test_chains_of_three_and_four(caller: str, depth: int) -> None:
    """Own entries absent, granting or `n` at each place, with and without `inherit_writes` at each collection."""
    subject = CALLERS[caller].subjects[0]
    for entries in product([None, "n", "r", "rw"], repeat=depth):
        for writes in product([False, True], repeat=depth - 1):
            chain: list[Node] = [
                node({subject: entry} if entry else {}, inherit_writes=inherits, number=number)
                for number, (entry, inherits) in enumerate(zip(entries, (False, *writes), strict=True), start=1)
            ]
            for operation in ("list", "get_file", "edit", "attach"):
                check(caller, operation, chain)


@pytest.mark.parametrize("caller", CALLERS)
def test_what_anonymous_callers_made_takes_the_level_of_its_parent(caller: str) -> None:
    subject = CALLERS[caller].subjects[-1]
    for entries in product([None, "n", "rw"], repeat=3):
        for takes, writes in product(product([False, True], repeat=2), product([False, True], repeat=2)):
            chain = [
                node(
                    {subject: entry} if entry else {}, takes_parent_level=taken, inherit_writes=inherits, number=number
                )
                for number, (entry, taken, inherits) in enumerate(
                    zip(entries, (*takes, False), (False, *writes), strict=True), start=1
                )
            ]
            for operation in ("read", "edit", "delete"):
                check(caller, operation, chain)


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        (["create"], ["draft", "attach"]),
        (["read", "create", "nonsense"], ["read", "draft", "attach"]),
        (["n"], []),
        (["*"], []),
        ([], []),
        ("nonsense", []),
        ("R", []),
        (None, []),
        (7, []),
        ({"read": True}, []),
        (["read", 7, None], ["read"]),
    ],
)
def test_lists_are_taken_as_they_stand_and_unknown_words_give_nothing(entry: Any, names: list[str]) -> None:
    assert expanded_names(entry) == names

"""What must hold for any grants, any chain and any caller."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.actor import ANONYMOUS
from domain.permissions import (
    READING,
    Node,
    Operation,
    Own,
    Viewer,
    chain_verdict,
    is_allowed,
    is_refused,
    may_in_collection,
    may_list,
    own_entries,
    own_verdict,
    sees_stage,
    viewer_of,
)
from tests.support.actors import TEAM, node, team, viewers

VIEWERS = viewers()
NOBODY = viewer_of(ANONYMOUS, TEAM, team())
SUBJECTS = sorted({subject for viewer in VIEWERS.values() for level in viewer.levels for subject in level} | {"zoe"})
ENTRIES = st.one_of(
    st.sampled_from(["n", "l", "l+", "r", "r+", "rd+", "rw", "rw+", "*", "nonsense"]),
    st.lists(st.sampled_from([*(operation.value for operation in Operation), "nonsense"]), max_size=4),
)
GRANTS = st.dictionaries(st.sampled_from(SUBJECTS), ENTRIES, max_size=4)
OPERATIONS = st.sampled_from(list(Operation))
CALLERS = st.sampled_from(sorted(VIEWERS)).map(VIEWERS.__getitem__)


@st.composite
def chains(draw: st.DrawFn, min_size: int = 1) -> Sequence[Node]:
    size = draw(st.integers(min_size, 4))
    return [
        node(
            draw(GRANTS),
            inherit_writes=draw(st.booleans()),
            is_committed=number > 1 or draw(st.booleans()),
            takes_parent_level=draw(st.booleans()),
            number=number,
        )
        for number in range(1, size + 1)
    ]


def _with_entry(chain: Sequence[Node], place: int, subject: str, entry: object) -> Sequence[Node]:
    changed = msgspec.structs.replace(chain[place], permissions={**chain[place].permissions, subject: entry})
    return [*chain[:place], changed, *chain[place + 1 :]]


@given(CALLERS, OPERATIONS, chains(), st.data())
def test_adding_a_refusal_of_the_caller_never_gives_more(
    viewer: Viewer, operation: Operation, chain: Sequence[Node], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    subject = data.draw(st.sampled_from(viewer.levels[0]))
    if is_allowed(viewer, operation, _with_entry(chain, place, subject, "n")):
        assert is_allowed(viewer, operation, chain)


@given(CALLERS, OPERATIONS, chains(), st.data())
def test_a_refusal_on_the_artifact_stops_all_but_owners_and_admins(
    viewer: Viewer, operation: Operation, chain: Sequence[Node], data: st.DataObject
) -> None:
    refused = _with_entry(chain, 0, data.draw(st.sampled_from(viewer.levels[0])), "n")
    assert is_refused(viewer, refused[0]) is not viewer.is_workspace_admin
    if not viewer.is_workspace_admin:
        assert not is_allowed(viewer, operation, refused)
        assert not sees_stage(viewer, refused)


@given(CALLERS, OPERATIONS, chains())
def test_dropping_the_token_gains_nothing_unless_somebody_refused_the_caller(
    viewer: Viewer, operation: Operation, chain: Sequence[Node]
) -> None:
    named = {subject for level in viewer.levels for subject in level} - {"*"}
    is_refused_somewhere = any(one.permissions.get(subject) == "n" for one in chain for subject in named)
    if not is_refused_somewhere and not viewer.is_read_only and is_allowed(NOBODY, operation, chain):
        assert is_allowed(viewer, operation, chain)


@given(CALLERS, OPERATIONS, chains())
def test_a_read_only_token_reads_and_no_more_than_without_the_limit(
    viewer: Viewer, operation: Operation, chain: Sequence[Node]
) -> None:
    limited = msgspec.structs.replace(viewer, is_read_only=True)
    unlimited = msgspec.structs.replace(viewer, is_read_only=False)
    expected = operation in READING and is_allowed(unlimited, operation, chain)
    assert is_allowed(limited, operation, chain) is expected


@given(CALLERS, OPERATIONS, chains(), GRANTS)
def test_entries_of_others_change_nothing(
    viewer: Viewer, operation: Operation, chain: Sequence[Node], others: dict[str, object]
) -> None:
    mine = {subject for level in viewer.levels for subject in level}
    changed = list(chain)
    for subject, entry in others.items():
        if subject not in mine:
            changed = list(_with_entry(changed, 0, subject, entry))
    assert is_allowed(viewer, operation, changed) is is_allowed(viewer, operation, chain)


@given(CALLERS, OPERATIONS, chains(min_size=2))
def test_a_collection_without_inherited_writes_gives_reading_alone(
    viewer: Viewer, operation: Operation, chain: Sequence[Node]
) -> None:
    quiet = [msgspec.structs.replace(one, inherit_writes=False, takes_parent_level=False) for one in chain]
    silent = [msgspec.structs.replace(quiet[0], permissions={}), *quiet[1:]]
    if not viewer.is_workspace_admin and operation not in READING:
        assert not is_allowed(viewer, operation, silent)


@given(CALLERS, OPERATIONS, chains(min_size=2))
def test_removing_inherited_writes_never_gives_more(
    viewer: Viewer, operation: Operation, chain: Sequence[Node]
) -> None:
    without = [msgspec.structs.replace(one, inherit_writes=False) for one in chain]
    if is_allowed(viewer, operation, without):
        assert is_allowed(viewer, operation, chain)


@given(CALLERS, chains())
def test_the_two_halves_of_a_list_join_to_the_verdict_of_each_artifact(viewer: Viewer, chain: Sequence[Node]) -> None:
    child, above = chain[0], chain_verdict(viewer, chain[1:])
    listed = own_verdict(viewer, Operation.LIST, child.permissions)
    edited = own_verdict(viewer, Operation.EDIT, child.permissions)
    is_silent = Own.SILENT
    lists = above.sees_all_committed or listed is Own.GRANTS or (listed is is_silent and above.inherits_list)
    inherits_edit = above.passes_edit if child.takes_parent_level else above.inherits_edit
    may_edit = not viewer.is_read_only and (edited is Own.GRANTS or (edited is is_silent and inherits_edit))
    reviews = above.is_reviewer and edited is not Own.DENIES
    stages = above.sees_all_staged or may_edit or reviews
    committed = msgspec.structs.replace(child, is_committed=True)
    draft = msgspec.structs.replace(child, is_committed=False)
    assert may_list(viewer, [committed, *chain[1:]]) is lists
    assert may_list(viewer, [draft, *chain[1:]]) is stages


@given(CALLERS, GRANTS)
def test_what_an_index_keeps_answers_as_the_entries_do(viewer: Viewer, grants: dict[str, object]) -> None:
    """The most specific level decides; `n` denies; those of `*` come on top: from the kept flags alone."""
    kept = {entry.subject: entry for entry in own_entries(grants)}
    for level in viewer.levels:
        matching = [kept[subject] for subject in level if subject in kept]
        if matching:
            break
    is_denied = any(entry.is_denied for entry in matching) if kept else False
    everybody = [kept["*"]] if "*" in kept and matching else []
    expected = any(entry.may_list for entry in [*matching, *everybody]) and not is_denied
    assert (own_verdict(viewer, Operation.LIST, grants) is Own.GRANTS) is expected
    assert (own_verdict(viewer, Operation.LIST, grants) is Own.DENIES) is is_denied


@given(CALLERS, OPERATIONS, chains())
def test_a_question_to_a_collection_is_never_answered_by_membership(
    viewer: Viewer, operation: Operation, chain: Sequence[Node]
) -> None:
    outsider = msgspec.structs.replace(viewer, workspace_right=None)
    assert may_in_collection(viewer, operation, chain) is may_in_collection(outsider, operation, chain)

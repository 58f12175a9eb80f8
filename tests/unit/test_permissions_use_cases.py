"""The seven use cases of the permission guide, each as a table of who may do what to somebody else's artifact."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from domain.actor import ANONYMOUS
from domain.permissions import (
    Node,
    Operation,
    Viewer,
    is_allowed,
    may_commit,
    may_create,
    may_delete,
    may_discard,
    may_edit_in_place,
    may_list,
    may_manage_permissions,
    may_read_version,
    viewer_of,
)
from tests.support.actors import TEAM, login, node, team

Question = Callable[[Viewer, Node], object]


def _committed(collection: Node) -> Sequence[Node]:
    return [node({"carl": "*"}, number=2), collection]


def _draft(collection: Node) -> Sequence[Node]:
    return [node({"carl": "*"}, is_committed=False, number=3), collection]


QUESTIONS: Mapping[str, Question] = {
    "browse": lambda who, where: may_list(who, _committed(where)),
    "read": lambda who, where: may_read_version(who, Operation.READ, _committed(where)),
    "download": lambda who, where: may_read_version(who, Operation.GET_FILE, _committed(where)),
    "see drafts": lambda who, where: may_list(who, _draft(where)),
    "draft": lambda who, where: may_create(who, is_draft=True, parent_chain=[where]),
    "contribute": lambda who, where: may_create(who, is_draft=False, parent_chain=[where]),
    "approve": lambda who, where: may_commit(who, _draft(where), is_first_commit=True),
    "reject": lambda who, where: may_discard(who, _draft(where)),
    "edit child": lambda who, where: may_edit_in_place(who, _committed(where)),
    "update child": lambda who, where: may_commit(who, _committed(where), is_first_commit=False),
    "delete child": lambda who, where: may_delete(who, _committed(where)),
    "edit collection": lambda who, where: is_allowed(who, Operation.EDIT, [where]),
    "own collection": lambda who, where: may_manage_permissions(who, [where]),
}

_LOOK = {"browse", "read", "download"}
_JUDGE = {"see drafts", "approve", "reject", "update child"}
_CURATE = _LOOK | _JUDGE | {"draft", "contribute", "edit collection"}
_RULE = _CURATE | {"own collection"}
_EVERYTHING = _RULE | {"edit child", "delete child"}

CASES: Mapping[str, tuple[Mapping[str, str], bool, Mapping[str, set[str]]]] = {
    "1 public repository": (
        {"*": "r", "@": "r+"},
        False,
        {"nobody": _LOOK, "uma": _LOOK | {"draft", "contribute"}},
    ),
    "2 moderated collection": (
        {"*": "r", "@": "l+", "moderator": "rw+", "boss": "*"},
        False,
        {"nobody": _LOOK, "uma": _LOOK | {"draft"}, "moderator": _CURATE, "boss": _RULE},
    ),
    "3 immutable archive": (
        {"*": "r", "archive_admin": "*"},
        False,
        {"nobody": _LOOK, "uma": _LOOK, "archive_admin": _RULE},
    ),
    "4 team collaboration": (
        {"*": "l", "team_member": "rw+", "external_reviewer": "r"},
        True,
        {
            "nobody": {"browse"},
            "uma": {"browse"},
            "external_reviewer": _LOOK,
            "team_member": _CURATE | {"edit child"},
        },
    ),
    "5 staging environment": (
        {"*": "n", "developer": "rd+", "release_manager": "rw+", "ci_bot": "r+"},
        False,
        {
            "nobody": set(),
            "uma": set(),
            "developer": _LOOK | {"draft", "edit collection"},
            "release_manager": _CURATE,
            "ci_bot": _LOOK | {"draft", "contribute"},
        },
    ),
    "6 personal sandbox": (
        {"*": "n", "boss": "*", "collaborator": "rw", "viewer": "r"},
        True,
        {
            "nobody": set(),
            "uma": set(),
            "viewer": _LOOK,
            "collaborator": _CURATE | {"edit child"},
            "boss": _EVERYTHING,
        },
    ),
    "7 append-only log": (
        {"*": "n", "auditor": "r", "system": "r+"},
        False,
        {"nobody": set(), "uma": set(), "auditor": _LOOK, "system": _LOOK | {"draft", "contribute"}},
    ),
}


def _viewer(name: str) -> Viewer:
    return viewer_of(ANONYMOUS if name == "nobody" else login(name), TEAM, team())


@pytest.mark.parametrize("case", CASES)
def test_use_case(case: str) -> None:
    permissions, inherit_writes, expected = CASES[case]
    collection = node(permissions, inherit_writes=inherit_writes)
    found = {
        who: {question for question, ask in QUESTIONS.items() if ask(_viewer(who), collection)} for who in expected
    }
    assert found == expected


@pytest.mark.parametrize("case", CASES)
def test_the_owner_of_the_workspace_is_stopped_by_nothing(case: str) -> None:
    permissions, inherit_writes, _ = CASES[case]
    collection = node({**permissions, "olivia": "n"}, inherit_writes=inherit_writes)
    assert {question for question, ask in QUESTIONS.items() if ask(_viewer("olivia"), collection)} == set(QUESTIONS)


@pytest.mark.parametrize("case", CASES)
def test_a_member_who_is_not_named_has_no_more_than_any_other_user(case: str) -> None:
    permissions, inherit_writes, expected = CASES[case]
    collection = node(permissions, inherit_writes=inherit_writes)
    member = viewer_of(login("walt"), TEAM, team(members={"walt": "read_write"}))
    below = {question for question in QUESTIONS if "collection" not in question}
    found = {question for question in below if QUESTIONS[question](member, collection)}
    assert found == expected.get("uma", set()) & below


@pytest.mark.parametrize("case", CASES)
def test_the_creator_keeps_his_own_but_needs_the_collection_for_what_is_committed(case: str) -> None:
    permissions, inherit_writes, _ = CASES[case]
    collection = node(permissions, inherit_writes=inherit_writes)
    carl = _viewer("carl")
    has_attach = case[0] == "1"
    assert may_read_version(carl, Operation.READ, _draft(collection))
    assert may_discard(carl, _draft(collection))
    assert may_delete(carl, _draft(collection))
    assert may_manage_permissions(carl, _committed(collection))
    assert bool(may_commit(carl, _draft(collection), is_first_commit=True)) is has_attach
    assert not may_edit_in_place(carl, _committed(collection))
    assert not may_commit(carl, _committed(collection), is_first_commit=False)
    assert not may_delete(carl, _committed(collection))

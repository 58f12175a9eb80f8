"""The composite rules, their refusals, and who is who."""

from uuid import UUID

import pytest
from immutables import Map
from msgspec.structs import replace

from domain.actor import ANONYMOUS, Actor, FileScope, WorkspaceRight
from domain.errors import PermissionDeniedError
from domain.permissions import (
    ChainVerdict,
    Node,
    Operation,
    Viewer,
    chain_verdict,
    is_allowed,
    is_reviewer,
    may,
    may_access_file,
    may_commit,
    may_create,
    may_create_at_top_level,
    may_delete,
    may_delete_version,
    may_discard,
    may_edit_in_place,
    may_overwrite,
    may_read_stage,
    may_read_version,
    may_set_parent,
    may_stage,
    own_entries,
    require,
    sees_grants,
    sees_stage,
    subjects_of,
    viewer_of,
    visible_permissions,
)
from domain.workspace import Membership, Workspace
from tests.support.actors import TEAM, agent_of, login, node, role_admin, team


def who(name: str) -> Viewer:
    return viewer_of(login(name), TEAM, team())


UMA = who("uma")


def refusal(ruling: object) -> str:
    with pytest.raises(PermissionDeniedError) as caught:
        require(ruling)  # type: ignore[arg-type] # The test below passes rulings only.
    return caught.value.detail


class TestTexts:
    def test_an_operation_on_the_artifact(self) -> None:
        for ruling in (may(UMA, Operation.RESET_STATS, [node()]), may_stage(UMA, [node()], Operation.RESET_STATS)):
            assert refusal(ruling) == "User does not have permission 'reset_stats' on the artifact."

    def test_drafting_and_attaching(self) -> None:
        chain = [node({"@": "l"}, number=4)]
        assert refusal(may_create(UMA, is_draft=True, parent_chain=chain)) == (
            "User does not have permission to create a draft in the collection 'artifact-4'."
        )
        assert refusal(may_create(UMA, is_draft=False, parent_chain=chain)) == (
            "User does not have permission to attach an artifact to the collection 'artifact-4'."
        )
        own = [node({"uma": "*"}, is_committed=False), *chain]
        assert refusal(may_commit(UMA, own, is_first_commit=True)) == (
            "User does not have permission to attach artifact to the collection 'artifact-4'."
        )

    def test_the_top_level(self) -> None:
        assert refusal(may_create(UMA, is_draft=True, parent_chain=[], workspace=TEAM)) == (
            "User does not have permission to create an orphan artifact in the workspace 'team-lab'."
        )

    def test_mutating_and_detaching(self) -> None:
        own = [node({"uma": "*"}), node({"@": "r+"}, number=4)]
        mutate = "Collection 'artifact-4' does not allow modification of committed versions (no mutate permission)."
        assert refusal(may_edit_in_place(UMA, own)) == mutate
        assert refusal(may_commit(UMA, own, is_first_commit=False)) == mutate
        assert refusal(may_delete_version(UMA, own)) == mutate
        detach = "User does not have permission to detach artifact from the collection 'artifact-4'."
        assert refusal(may_delete(UMA, own)) == detach
        assert refusal(may_overwrite(UMA, own)) == detach
        assert refusal(may_set_parent(UMA, own, [])) == detach

    def test_nothing_is_raised_when_allowed(self) -> None:
        require(may(UMA, Operation.READ, [node({"*": "r"})]))


class TestStages:
    def test_a_stage_exists_for_editors_and_reviewers_only(self) -> None:
        chain = [
            node({"carl": "*", "ed": "rd+", "robert": "r"}),
            node({"*": "r", "rita": "rw", "cora": "r+"}, number=2),
        ]
        assert {name for name in ("carl", "ed", "robert", "rita", "cora", "uma") if sees_stage(who(name), chain)} == {
            "carl",
            "ed",
            "rita",
        }

    def test_an_artifact_without_a_version_is_read_like_a_stage(self) -> None:
        chain = [node({"*": "r", "carl": "*"}, is_committed=False), node({"rita": "rw+"}, number=2)]
        assert not may_read_version(UMA, Operation.READ, chain)
        assert may_read_version(who("carl"), Operation.READ, chain)
        assert may_read_version(who("rita"), Operation.GET_FILE, chain)

    def test_who_sees_a_stage_still_needs_the_operation(self) -> None:
        chain = [node({"ed": ["edit"]})]
        assert sees_stage(who("ed"), chain)
        assert not may_read_stage(who("ed"), Operation.GET_FILE, chain)

    def test_a_reviewer_reads_by_his_office(self) -> None:
        chain = [node({"carl": "*"}, is_committed=False), node({"rita": ["attach", "commit"]}, number=2)]
        assert may_read_stage(who("rita"), Operation.GET_FILE, chain)
        assert may_commit(who("rita"), chain, is_first_commit=True)
        assert may_discard(who("rita"), chain)
        assert not may_read_stage(who("rita"), Operation.GET_SECRET, chain)
        assert not may_stage(who("rita"), chain, Operation.PUT_FILE)
        assert not may_delete(who("rita"), chain)

    def test_a_reviewer_needs_mutate_for_what_is_committed(self) -> None:
        chain = [node({"carl": "*"}), node({"rita": ["attach", "commit"], "rex": "rw"}, number=2)]
        assert not may_commit(who("rita"), chain, is_first_commit=False)
        assert not may_discard(who("rita"), chain)
        assert may_commit(who("rex"), chain, is_first_commit=False)
        assert may_discard(who("rex"), chain)

    def test_an_n_refuses_a_reviewer_as_well(self) -> None:
        chain = [node({"carl": "*", "rita": "n"}, is_committed=False), node({"rita": "rw+"}, number=2)]
        assert not sees_stage(who("rita"), chain)
        assert not may_commit(who("rita"), chain, is_first_commit=True)

    def test_nobody_reviews_at_the_top_level(self) -> None:
        assert not is_reviewer(viewer_of(login("olivia"), TEAM, team()), [])

    def test_a_contributor_has_only_his_own_drafts(self) -> None:
        draft = [node({"carl": "*"}, is_committed=False), node({"@": "r+"}, number=2)]
        assert may_commit(who("carl"), draft, is_first_commit=True)
        assert not may_commit(UMA, draft, is_first_commit=True)
        assert not may_discard(UMA, draft)

    def test_drafting_levels_do_not_commit_in_place(self) -> None:
        assert may_stage(who("ed"), [node({"ed": "rd+"})])
        assert not may_edit_in_place(who("ed"), [node({"ed": "rd+"})])
        assert may_edit_in_place(who("ed"), [node({"ed": "rw"})])


class TestAnonymous:
    MADE = node(takes_parent_level=True)

    def test_nothing_is_made_at_the_top_level(self) -> None:
        rights = {"ws-user-anonymouz-1": WorkspaceRight.ADMIN}
        connection = Actor(user_id="anonymouz-1", is_anonymous=True, rights=rights)
        assert not may_create_at_top_level(viewer_of(connection, "ws-user-anonymouz-1", None))
        assert not may_create_at_top_level(viewer_of(ANONYMOUS, "ws-anonymous", None))

    def test_only_everybodys_entry_matches(self) -> None:
        nobody = viewer_of(ANONYMOUS, TEAM, team(members={ANONYMOUS.user_id: "admin"}))
        assert nobody.levels == (("*",),)
        assert not nobody.is_workspace_admin
        assert not is_allowed(nobody, Operation.READ, [node({ANONYMOUS.user_id: "r", "@": "r", "ws-anonymous/*": "r"})])

    def test_what_he_made_takes_the_whole_level_of_its_parent(self) -> None:
        chain = [self.MADE, node({"*": "r+", "rita": "rw", "boss": "*"}, number=2)]
        nobody = viewer_of(ANONYMOUS, TEAM, team())
        assert is_allowed(nobody, Operation.PUT_FILE, chain)
        assert not is_allowed(nobody, Operation.EDIT, chain)
        assert is_allowed(who("rita"), Operation.EDIT, chain)
        assert is_allowed(who("boss"), Operation.DELETE, chain)
        below = [node(number=3), *chain]
        assert not is_allowed(who("rita"), Operation.EDIT, below)


class TestMovesAndGrants:
    def test_moving_asks_both_collections(self) -> None:
        chain = [node({"uma": "r"}), node({"uma": "rw"}, number=2)]
        assert may_set_parent(UMA, chain, [node({"uma": "r+"}, number=3)])
        assert not may_set_parent(UMA, chain, [node({"uma": "r"}, number=3)])
        assert not may_set_parent(UMA, chain, [])
        assert not may_set_parent(UMA, [node(), node({"uma": ["detach"]}, number=2)], [node({"uma": "r+"}, number=3)])

    def test_moving_below_inherited_writes_needs_the_whole_artifact(self) -> None:
        trap = [node({"uma": "*"}, inherit_writes=True, number=3)]
        chain = [node({"uma": "r"}), node({"uma": "rw"}, number=2)]
        assert "manage_permissions" in refusal(may_set_parent(UMA, chain, trap))
        assert may_set_parent(UMA, [node({"uma": "*"}), chain[1]], trap)
        inside = [node({"uma": "r"}), node({"uma": "rw"}, number=2), *trap]
        assert may_set_parent(UMA, inside, [node({"uma": "rw"}, number=4), *trap])

    def test_what_anonymous_callers_made_cannot_be_moved_to_where_one_has_more(self) -> None:
        made = node({"uma": "r"}, takes_parent_level=True)
        chain = [made, node({"uma": ["detach"]}, number=2)]
        assert not may_set_parent(UMA, chain, [node({"uma": "*"}, number=3)])
        assert may_set_parent(UMA, [node({"uma": "r"}), chain[1]], [node({"uma": "*"}, number=3)])

    def test_the_top_level_is_the_workspaces(self) -> None:
        member = viewer_of(login("walt"), TEAM, team(members={"walt": "read_write"}))
        assert may_set_parent(member, [node({"walt": "r"}), node({"walt": "rw"}, number=2)], [])
        assert may_create_at_top_level(member)
        assert not may_create_at_top_level(viewer_of(login("reba"), TEAM, team(members={"reba": "read"})))

    def test_grants_are_shown_to_holders_of_everything(self) -> None:
        entries = {"*": "r", "@": "r+", "uma": "rw", "carl": "*", "team-lab/@": "l"}
        assert sees_grants(who("carl"), [node(entries)])
        assert visible_permissions(who("carl"), [node(entries)], entries) == entries
        assert visible_permissions(UMA, [node(entries)], entries) == {"*": "r", "@": "r+", "uma": "rw"}

    def test_a_writer_cannot_raise_himself(self) -> None:
        assert not is_allowed(UMA, Operation.MANAGE_PERMISSIONS, [node({"uma": "rw+"})])


class TestSubjects:
    def test_levels_from_most_to_least_specific(self) -> None:
        actor = login("alice", email="a@example.org")
        state = team(members={"a@example.org": "read"})
        own = "ws-user-alice"
        assert subjects_of(actor, TEAM, state) == (
            ("alice", "a@example.org"),
            (f"{TEAM}/alice", f"{TEAM}/a@example.org", f"{own}/alice", f"{own}/a@example.org"),
            (f"{TEAM}/@", f"{own}/@"),
            (f"{TEAM}/*", f"{own}/*"),
            ("@",),
            ("*",),
        )

    def test_membership_is_verified_and_never_taken_from_the_address(self) -> None:
        assert not is_allowed(UMA, Operation.READ, [node({f"{TEAM}/*": "r", f"{TEAM}/uma": "r"})])
        assert not is_allowed(viewer_of(ANONYMOUS, TEAM, team()), Operation.READ, [node({f"{TEAM}/*": "r"})])

    def test_members_of_other_workspaces_are_known_from_their_own_one(self) -> None:
        entries = node({"other-lab/*": "r"})
        home = Workspace(
            id=UUID(int=1),
            version=1,
            memberships=Map(
                {"other-lab": Membership(WorkspaceRight.READ), "left-lab": Membership(None, is_creator=True)}
            ),
        )
        assert is_allowed(viewer_of(login("uma"), TEAM, team(), home), Operation.READ, [entries])
        assert not is_allowed(viewer_of(login("uma"), TEAM, team(), home), Operation.READ, [node({"left-lab/*": "r"})])
        agent = viewer_of(agent_of("uma", WorkspaceRight.READ_WRITE, "elsewhere"), TEAM, team(), home)
        assert not is_allowed(agent, Operation.READ, [entries])
        assert is_allowed(agent, Operation.READ, [node({"other-lab/uma": "r"})])

    def test_the_workspaces_own_word_is_newer_than_the_note_elsewhere(self) -> None:
        home = Workspace(id=UUID(int=1), version=1, memberships=Map({TEAM: Membership(WorkspaceRight.READ)}))
        assert not is_allowed(viewer_of(login("uma"), TEAM, team(), home), Operation.READ, [node({f"{TEAM}/*": "r"})])

    @pytest.mark.parametrize("name", ["*", "@", "team-lab/olivia"])
    def test_a_user_id_never_reads_as_another_kind_of_subject(self, name: str) -> None:
        levels = subjects_of(Actor(user_id=name), "elsewhere", None)
        assert not any(name in level for level in levels[:-2])

    def test_one_refusal_on_a_level_denies(self) -> None:
        alice = viewer_of(login("alice", email="a@example.org"), TEAM, team())
        assert not is_allowed(alice, Operation.READ, [node({"alice": "rw", "a@example.org": "n"})])
        assert is_allowed(alice, Operation.EDIT, [node({"alice": "rw", "a@example.org": "r"})])

    def test_everybodys_operations_come_on_top(self) -> None:
        assert is_allowed(who("alice"), Operation.EDIT, [node({"*": "rw", "alice": "r"})])
        assert not is_allowed(who("alice"), Operation.EDIT, [node({"@": "rw", "alice": "r"})])


class TestGeneratedTokens:
    def test_the_owner_behind_it_does_not_make_it_an_owner(self) -> None:
        state = team()
        assert viewer_of(login("olivia"), TEAM, state).is_workspace_admin
        assert not viewer_of(agent_of("olivia", WorkspaceRight.READ_WRITE), TEAM, state).is_workspace_admin
        assert viewer_of(agent_of("olivia", WorkspaceRight.ADMIN), TEAM, state).is_workspace_admin
        elsewhere = agent_of("olivia", WorkspaceRight.ADMIN, "elsewhere")
        assert not viewer_of(elsewhere, TEAM, state).is_workspace_admin
        assert not viewer_of(elsewhere, "ws-user-olivia", None).is_workspace_admin
        assert viewer_of(elsewhere, "ws-user-olivia", None).workspace_right is None

    def test_entries_naming_its_human_count(self) -> None:
        agent = viewer_of(agent_of("carl", WorkspaceRight.READ_WRITE, "elsewhere"), TEAM, team())
        assert is_allowed(agent, Operation.DELETE, [node({"carl": "*"})])
        assert not is_allowed(agent, Operation.READ, [node({"*": "r", "carl": "n"})])

    def test_a_read_token_reads_only_whoever_stands_behind_it(self) -> None:
        agent = viewer_of(agent_of("carl", WorkspaceRight.READ), TEAM, team())
        chain = [node({"carl": "*"})]
        assert is_allowed(agent, Operation.GET_FILE, chain)
        assert not any(
            is_allowed(agent, operation, chain)
            for operation in (Operation.EDIT, Operation.PUT_FILE, Operation.GET_SECRET, Operation.DRAFT)
        )
        assert not sees_stage(agent, chain)
        assert not sees_grants(agent, chain)
        assert not may_create_at_top_level(agent)

    def test_the_role_admin_owns_every_workspace(self) -> None:
        assert viewer_of(role_admin(), "public", None).is_workspace_admin


class TestFileScopes:
    CHAIN: tuple[Node, ...] = (node({"carl": "*"}), node({"*": "l"}, number=2))

    def bearer(self, *scopes: FileScope, right: WorkspaceRight = WorkspaceRight.READ_WRITE) -> Viewer:
        token = Actor(
            user_id="link",
            on_behalf_of="carl",
            is_generated=True,
            is_read_only=right is WorkspaceRight.READ,
            rights={"ws-user-carl": right},
            file_scopes=scopes,
        )
        return viewer_of(token, TEAM, team())

    def ask(self, viewer: Viewer, operation: Operation = Operation.GET_FILE, path: str = "a b.txt") -> bool:
        return bool(may_access_file(viewer, operation, self.CHAIN, full_id="team-lab/data", path=path))

    def test_it_may_do_nothing_else(self) -> None:
        viewer = self.bearer(FileScope("get_file", "team-lab/data", "*"))
        assert not any(is_allowed(viewer, operation, self.CHAIN) for operation in Operation)
        assert not may_create_at_top_level(viewer)
        assert chain_verdict(viewer, [node({"*": "r"})]) == chain_verdict(UMA, [node()])

    @pytest.mark.parametrize("name", ["team-lab/data", str(UUID(int=1))])
    @pytest.mark.parametrize("path", ["a b.txt", "*"])
    def test_it_reaches_its_files(self, name: str, path: str) -> None:
        assert self.ask(self.bearer(FileScope("get_file", name, path)))

    def test_another_file_artifact_or_operation_is_refused(self) -> None:
        viewer = self.bearer(FileScope("get_file", "team-lab/data", "a b.txt"))
        assert not self.ask(viewer, path="other.txt")
        assert not self.ask(viewer, Operation.PUT_FILE)
        assert not self.ask(self.bearer(FileScope("get_file", "team-lab/other", "*")))
        assert not self.ask(self.bearer(FileScope("get_file", "data", "*")))

    def test_it_does_what_its_minter_may_do_now(self) -> None:
        scopes = FileScope("put_file", "team-lab/data", "*")
        assert self.ask(self.bearer(scopes), Operation.PUT_FILE)
        assert not self.ask(self.bearer(scopes, right=WorkspaceRight.READ), Operation.PUT_FILE)
        viewer = self.bearer(FileScope("get_file", "team-lab/data", "*"))
        taken = [node({"dora": "*"}), node({"*": "l"}, number=2)]
        assert not may_access_file(viewer, Operation.GET_FILE, taken, full_id="team-lab/data", path="a")

    def test_ordinary_callers_are_asked_the_ordinary_question(self) -> None:
        assert self.ask(who("carl"))
        assert not self.ask(UMA)
        draft = [node({"*": "r", "carl": "*"})]
        for viewer, is_staged, expected in ((UMA, False, True), (UMA, True, False), (who("carl"), True, True)):
            ruling = may_access_file(
                viewer, Operation.GET_FILE, draft, full_id="team-lab/data", path="a", is_staged=is_staged
            )
            assert bool(ruling) is expected


def test_an_index_keeps_what_lists_need_of_an_entry() -> None:
    found = {
        entry.subject: (entry.may_list, entry.may_edit, entry.is_denied)
        for entry in own_entries({"*": "l", "alice": "rw", "bob": "n", "carl": ["edit"], "dora": "?"})
    }
    assert found == {
        "*": (True, False, False),
        "alice": (True, True, False),
        "bob": (False, False, True),
        "carl": (False, True, False),
        "dora": (False, False, False),
    }


class TestHalves:
    MEMBERS = team(members={"reba": "read", "walt": "read_write"})

    def verdict(self, name: str, *chain: Node, is_read_only: bool = False) -> ChainVerdict:
        return chain_verdict(viewer_of(replace(login(name), is_read_only=is_read_only), TEAM, self.MEMBERS), chain)

    def test_the_workspace_is_asked_at_the_top_level_only(self) -> None:
        assert self.verdict("reba") == ChainVerdict(inherits_list=True)
        assert self.verdict("walt") == ChainVerdict(inherits_list=True, inherits_edit=True, passes_edit=True)
        assert self.verdict("walt", is_read_only=True) == ChainVerdict(inherits_list=True)
        assert self.verdict("uma") == ChainVerdict()
        assert self.verdict("walt", node()) == ChainVerdict()

    def test_an_owner_sees_all_and_with_a_read_token_all_that_is_committed(self) -> None:
        for chain in ((), (node({"olivia": "n"}),)):
            assert self.verdict("olivia", *chain) == ChainVerdict(sees_all_committed=True, sees_all_staged=True)
            assert self.verdict("olivia", *chain, is_read_only=True) == ChainVerdict(sees_all_committed=True)

    def test_what_a_collection_gives_its_children(self) -> None:
        assert self.verdict("uma", node({"@": "l"})) == ChainVerdict(inherits_list=True)
        assert self.verdict("uma", node({"uma": ["edit"]})) == ChainVerdict(passes_edit=True)
        reviewer = ChainVerdict(inherits_list=True, passes_edit=True, is_reviewer=True)
        assert self.verdict("uma", node({"uma": "rw"})) == reviewer
        assert self.verdict("uma", node({"uma": "rw"}, inherit_writes=True)) == replace(reviewer, inherits_edit=True)
        assert self.verdict("uma", node({"uma": "n"}), node({"uma": "rw"}, inherit_writes=True)) == ChainVerdict()

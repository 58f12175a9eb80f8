"""Workspaces: the aggregate, the methods of the service `ws`, and who a request comes from."""

import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.operator_tokens import create_operator_token
from application.token_scopes import check_workspace
from application.units import Unit
from application.workspace_methods import METHODS
from application.workspaces import ensure_user_workspace, ensure_workspace, view_workspace
from domain.actor import ANONYMOUS, Actor, WorkspaceRight
from domain.artifact.events import ArtifactCreated
from domain.errors import (
    ArtifactManagerError,
    ArtifactNotFoundError,
    InvalidArgumentError,
    InvalidTypeError,
    PermissionDeniedError,
    TooLargeError,
    UnauthenticatedError,
    WorkspaceNotFoundError,
)
from domain.events import Emit, Event, EventMeta, Outcome
from domain.ids import EventId, artifact_key, workspace_key
from domain.permissions import Operation, is_allowed
from domain.workspace import (
    MAX_CREATED,
    MAX_MEMBERS,
    MAX_MEMBERSHIPS,
    RESERVED_NAMES,
    MembershipChanged,
    TokenRevoked,
    Workspace,
    WorkspaceCreated,
    WorkspaceDetails,
    WorkspaceExistsError,
    WorkspaceUpdated,
    decide_create,
    decide_create_home,
    decide_replace,
    decide_revoke,
    evolve,
    home_details,
    user_workspace,
    validate_name,
)
from tests.support.actors import agent_of, login, node, role_admin
from tests.support.workspace_services import MemoryServices, context_of


def folded(*events: Event, actor: str = "alice", at: int = 0) -> Workspace:
    state: Workspace | None = None
    for version, event in enumerate(events, start=1):
        meta = EventMeta(
            event_id=EventId(UUID(int=version)), stream_version=version, actor=actor, recorded_at=at + version
        )
        state = evolve(state, event, meta, UUID(int=1))
    assert state is not None
    return state


def details(**fields: Any) -> WorkspaceDetails:
    return WorkspaceDetails(**{"title": "Lab", "owners": ("alice",), **fields})


CREATED = WorkspaceCreated(workspace="lab", details=details(members={"bob": "read", "c@x": "admin"}))


class TestAggregate:
    def test_a_created_workspace(self) -> None:
        lab = folded(CREATED)
        assert (lab.name, lab.exists, lab.is_persistent, lab.created_by) == ("lab", True, True, "alice")
        assert lab.right_of(["alice"]) is WorkspaceRight.ADMIN
        assert lab.right_of(["bob"]) is WorkspaceRight.READ
        assert lab.right_of(["bob", "c@x"]) is WorkspaceRight.ADMIN
        assert lab.right_of(["dora"]) is None

    def test_replaced_details(self) -> None:
        lab = folded(CREATED, WorkspaceUpdated(details=details(owners=("bob",), is_persistent=False)))
        assert (lab.name, lab.is_persistent, lab.owners, lab.created_by) == ("lab", False, ("bob",), "alice")

    def test_notes_before_its_user_came_do_not_make_it_exist(self) -> None:
        home = folded(MembershipChanged(subject="bob", workspace="lab", right="read"))
        assert not home.exists
        assert not home.is_persistent
        assert home.joined == {"lab": WorkspaceRight.READ}
        outcome = decide_create_home(home, "bob")
        assert [emit.event for emit in outcome.events] == [
            WorkspaceCreated(workspace="ws-user-bob", details=home_details("bob"))
        ]

    def test_leaving_and_the_creators_note(self) -> None:
        joined = MembershipChanged(subject="bob", workspace="lab", right="admin")
        assert not folded(joined, MembershipChanged(subject="bob", workspace="lab", right=None)).memberships
        left = folded(MembershipChanged(subject="bob", workspace="lab", right=None, is_creator=True))
        assert left.joined == {}
        assert left.memberships["lab"].is_creator

    def test_expired_revocations_are_forgotten(self) -> None:
        events = [TokenRevoked(token_id=f"t{number}", expires_at=number + 50) for number in range(64)]
        state = folded(*events[:63])
        assert len(state.revoked_tokens) == 63
        state = folded(*events)
        assert set(state.revoked_tokens) == {f"t{number}" for number in range(15, 64)}

    def test_foreign_events(self) -> None:
        with pytest.raises(ValueError, match="does not belong"):
            folded(ArtifactCreated(workspace="w", alias="a", manifest={}, config={}))


class TestNames:
    @pytest.mark.parametrize("name", ["lab", "my-lab", "A_b|c-1", "publication", "x" * 64])
    def test_possible(self, name: str) -> None:
        assert validate_name(name) == name

    @pytest.mark.parametrize(
        "name",
        ["", "a b", "a/b", "a.b", "ä", "x" * 65, "a\n", *sorted(RESERVED_NAMES), "Health", "ws-user-bob", "WS-USER-x"],
    )
    def test_impossible(self, name: str) -> None:
        with pytest.raises(InvalidArgumentError):
            validate_name(name)

    @given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
    def test_no_two_users_share_an_own_workspace(self, one: str, two: str) -> None:
        assert (user_workspace(one) == user_workspace(two)) is (one == two)
        assert check_workspace(user_workspace(one))

    def test_the_encoding(self) -> None:
        assert user_workspace("auth0|a_b@c.ü-1") == "ws-user-auth0|a_5fb_40c_2e_c3_bc-1"


class TestDecisions:
    def test_everybody_is_noted(self) -> None:
        outcome = decide_create("lab", None, CREATED.details, {}, creator="alice")
        notes = [emit.event for emit in outcome.events[1:]]
        assert outcome.events[0] == Emit(workspace_key("lab"), CREATED, "lab")
        assert notes == [
            MembershipChanged(subject="alice", workspace="lab", right="admin", is_creator=True),
            MembershipChanged(subject="bob", workspace="lab", right="read"),
            MembershipChanged(subject="c@x", workspace="lab", right="admin"),
        ]

    def test_only_changes_are_noted_when_replaced(self) -> None:
        new = details(owners=("alice", "dora"), members={"c@x": "admin"})
        outcome = decide_replace(folded(CREATED), new, {})
        assert [emit.event for emit in outcome.events] == [
            WorkspaceUpdated(details=new),
            MembershipChanged(subject="bob", workspace="lab", right=None),
            MembershipChanged(subject="dora", workspace="lab", right="admin"),
        ]

    @pytest.mark.parametrize("name", ["lab", "public"])
    def test_taken(self, name: str) -> None:
        with pytest.raises(WorkspaceExistsError, match=f"Workspace already exists: {name}") as caught:
            decide_create(name, folded(CREATED) if name == "lab" else None, details(), {}, creator="alice")
        assert caught.value.type_name == "RuntimeError"

    def joined(self, count: int, *, is_creator: bool) -> Workspace:
        return folded(
            *(
                MembershipChanged(subject="a", workspace=f"w{number}", right="admin", is_creator=is_creator)
                for number in range(count)
            )
        )

    def test_the_quota_counts_what_one_created(self) -> None:
        member = self.joined(MAX_CREATED, is_creator=False)
        assert decide_create("lab", None, details(), {"alice": member}, creator="alice").events
        founder = self.joined(MAX_CREATED, is_creator=True)
        with pytest.raises(PermissionDeniedError, match="at most 100"):
            decide_create("lab", None, details(), {"alice": founder}, creator="alice")

    def test_bounds_on_people(self) -> None:
        crowd = {f"u{number}": "read" for number in range(MAX_MEMBERS)}
        with pytest.raises(TooLargeError):
            decide_create("lab", None, details(members=crowd), {}, creator="alice")
        busy = self.joined(MAX_MEMBERSHIPS, is_creator=False)
        with pytest.raises(TooLargeError, match="bob"):
            decide_replace(folded(CREATED), details(owners=("bob",)), {"bob": busy})
        assert decide_create("lab", None, details(), {"alice": busy}, creator="alice").events
        belonging = folded(
            *(
                MembershipChanged(subject="bob", workspace=name, right="read")
                for name in ["lab", *(f"w{number}" for number in range(MAX_MEMBERSHIPS - 1))]
            )
        )
        assert decide_replace(folded(CREATED), details(owners=("bob",)), {"bob": belonging}).events

    def test_revoking_twice(self) -> None:
        outcome = decide_revoke(None, "bob", "t1", 9)
        assert [(emit.key, emit.event) for emit in outcome.events] == [
            (workspace_key("ws-user-bob"), TokenRevoked(token_id="t1", expires_at=9))
        ]
        assert decide_revoke(folded(TokenRevoked(token_id="t1", expires_at=9)), "bob", "t1", 9) == Outcome()


@pytest.fixture
async def services() -> AsyncIterator[MemoryServices]:
    services = MemoryServices()
    yield services
    await services.writer.close()


async def call(services: MemoryServices, actor: Actor, name: str, where: str | None = None, **arguments: Any) -> Any:
    method = METHODS[name]
    reply = await method.handler(services, context_of(actor, where), method.parameters(**arguments))
    return reply.body


async def bearer(services: MemoryServices, actor: Actor, **config: Any) -> Actor:
    token = await call(services, actor, "generate_token", config=config)
    return await services.authenticate(f"Bearer {token}", None, None)


class TestOwnWorkspace:
    async def test_it_is_made_once(self, services: MemoryServices) -> None:
        context = context_of(login("al@x"))
        assert [await ensure_user_workspace(services, context) for _ in range(3)] == ["ws-user-al_40x"] * 3
        assert len(services.log.recorded) == 1

    async def test_an_agent_makes_that_of_its_human(self, services: MemoryServices) -> None:
        await ensure_workspace(services, context_of(agent_of("alice", WorkspaceRight.ADMIN)), "ws-user-alice")
        (event,) = services.log.recorded
        assert event.envelope.on_behalf_of == "alice"
        assert event.payload == WorkspaceCreated(workspace="ws-user-alice", details=home_details("alice"))

    async def test_those_of_others_and_of_nobody_are_not(self, services: MemoryServices) -> None:
        await ensure_workspace(services, context_of(login("alice")), "ws-user-bob")
        await ensure_workspace(services, context_of(ANONYMOUS), user_workspace(ANONYMOUS.user_id))
        assert not services.log.recorded

    async def test_it_is_known_before_it_is_stored(self, services: MemoryServices) -> None:
        info = await call(services, login("alice"), "get_workspace_info")
        assert (info["id"], info["owners"], info["persistent"]) == ("ws-user-alice", ["alice"], True)


class TestCreatedWorkspaces:
    async def test_a_description_comes_back(self, services: MemoryServices) -> None:
        config = {"id": "lab", "name": "The lab", "description": "d", "icon": "i", "members": {"bob": "read"}}
        info = await call(services, login("alice"), "create_workspace", config=config)
        assert info == {
            "type": "workspace",
            "id": "lab",
            "name": "The lab",
            "description": "d",
            "persistent": True,
            "owners": ["alice"],
            "members": {"bob": "read"},
            "read_only": False,
            "icon": "i",
            "covers": None,
            "docs": None,
            "service_types": {},
            "config": {},
            "status": {"ready": True},
        }
        assert await call(services, login("bob"), "get_workspace_info", workspace="lab") == info
        again = await call(services, login("alice"), "create_workspace", config=info, overwrite=True)
        assert again == info

    async def test_it_is_refused(self, services: MemoryServices) -> None:
        alice = login("alice")
        await call(services, alice, "create_workspace", config={"id": "lab"})
        for actor, config, error in (
            (ANONYMOUS, {"id": "new"}, PermissionDeniedError),
            (agent_of("alice", WorkspaceRight.READ), {"id": "new"}, PermissionDeniedError),
            (login("bob"), {"id": "lab"}, WorkspaceExistsError),
            (alice, {"id": "lab"}, WorkspaceExistsError),
            (alice, {"id": "public"}, WorkspaceExistsError),
            (alice, {"id": "ws-user-bob"}, InvalidArgumentError),
            (alice, {"id": "health"}, InvalidArgumentError),
            (alice, {}, InvalidTypeError),
            (alice, {"id": "new", "owner": "bob"}, InvalidTypeError),
            (alice, {"id": "new", "owners": ["*"]}, InvalidTypeError),
            (alice, {"id": "new", "members": {"a/b": "read"}}, InvalidTypeError),
            (alice, {"id": "new", "members": {"bob": "rule"}}, InvalidTypeError),
            (alice, {"id": "new", "docs": "x" * 70_000}, InvalidTypeError),
        ):
            with pytest.raises(error):
                await call(services, actor, "create_workspace", config=config)
        for actor, name in ((login("bob"), "lab"), (alice, "public")):
            with pytest.raises(ArtifactManagerError):
                await call(services, actor, "create_workspace", config={"id": name}, overwrite=True)
        assert len(services.log.recorded) == 2

    async def test_replacing_keeps_the_owners_unless_they_are_named(self, services: MemoryServices) -> None:
        alice = login("alice")
        await call(services, alice, "create_workspace", config={"id": "lab", "owners": ["bob"]})
        replaced = await call(services, alice, "create_workspace", config={"id": "lab"}, overwrite=True)
        assert replaced["owners"] == ["alice", "bob"]
        handed_on = {"id": "lab", "owners": ["bob"]}
        assert (await call(services, alice, "create_workspace", config=handed_on, overwrite=True))["owners"] == ["bob"]
        with pytest.raises(PermissionDeniedError):
            await call(services, alice, "get_workspace_info", workspace="lab")

    async def test_lists_show_where_one_belongs(self, services: MemoryServices) -> None:
        alice, bob = login("alice"), login("bob", email="b@x")
        members = {"bob": "read"}
        await call(services, alice, "create_workspace", config={"id": "lab-1", "members": members})
        await call(services, alice, "create_workspace", config={"id": "lab-2", "members": {"b@x": "admin"}})
        await call(services, alice, "create_workspace", config={"id": "lab-3", "persistent": False})

        async def listed(actor: Actor, **arguments: Any) -> list[str]:
            return [info["id"] for info in await call(services, actor, "list_workspaces", **arguments)]

        assert await listed(alice) == ["lab-1", "lab-2", "lab-3", "ws-user-alice"]
        assert await listed(bob) == ["lab-1", "lab-2", "ws-user-bob"]
        assert await listed(alice, match={"persistent": False}) == ["lab-3"]
        assert await listed(alice, offset=1, limit=2) == ["lab-2", "lab-3"]
        assert await listed(ANONYMOUS) == []
        assert await listed(await bearer(services, alice, workspace="lab-1")) == ["lab-1"]
        await call(services, alice, "create_workspace", config={"id": "lab-1", "members": {}}, overwrite=True)
        assert await listed(bob) == ["lab-2", "ws-user-bob"]

    async def test_information_is_for_those_who_belong(self, services: MemoryServices) -> None:
        await call(services, login("alice"), "create_workspace", config={"id": "lab"})
        for actor in (login("bob"), ANONYMOUS):
            with pytest.raises(PermissionDeniedError, match="Permission denied for workspace: lab"):
                await call(services, actor, "get_workspace_info", workspace="lab")
            with pytest.raises(WorkspaceNotFoundError):
                await call(services, actor, "get_workspace_info", workspace="nowhere")
            assert (await call(services, actor, "get_workspace_info", workspace="public"))["owners"] == []

    async def test_the_status_tells_the_permission(self, services: MemoryServices) -> None:
        await call(services, login("alice"), "create_workspace", config={"id": "lab", "members": {"bob": "read"}})
        for actor, permission in (
            (login("alice"), "a"),
            (login("bob"), "r"),
            (login("carl"), None),
            (agent_of("alice", WorkspaceRight.READ_WRITE, "lab"), "rw"),
        ):
            status = await call(services, actor, "check_status", "lab")
            assert status == {"status": "ready", "errors": None, "user_permission": permission}

    async def test_echo(self, services: MemoryServices) -> None:
        assert await call(services, ANONYMOUS, "echo", data=[1, None]) == [1, None]


class TestGeneratedTokens:
    async def test_what_it_says(self, services: MemoryServices) -> None:
        alice = login("alice", email="a@x")
        token = await call(services, alice, "generate_token")
        user = await call(services, ANONYMOUS, "parse_token", token=token)
        assert user["id"] != "alice"
        assert user == {
            "id": user["id"],
            "roles": [],
            "is_anonymous": False,
            "email": "a@x",
            "parent": "alice",
            "expires_at": services.clock.now() // 1_000_000 + 3_600,
            "current_workspace": "ws-user-alice",
            "scope": {
                "current_workspace": "ws-user-alice",
                "workspaces": {"ws-user-alice": "rw"},
                "client_id": None,
                "extra_scopes": [],
            },
        }

    async def test_tokens_of_tokens_name_the_first_human(self, services: MemoryServices) -> None:
        first = await bearer(services, login("alice"), permission="admin")
        second = await bearer(services, first, permission="read")
        assert (second.on_behalf_of, second.is_read_only) == ("alice", True)

    async def test_who_may_make_them(self, services: MemoryServices) -> None:
        await call(
            services,
            login("alice"),
            "create_workspace",
            config={"id": "lab", "members": {"bob": "read_write", "adele": "admin"}},
        )
        assert (await bearer(services, login("adele"), workspace="lab")).rights == {"lab": WorkspaceRight.READ_WRITE}
        for actor, config in (
            (login("bob"), {"workspace": "lab"}),
            (ANONYMOUS, {}),
            (agent_of("alice", WorkspaceRight.READ_WRITE, "lab"), {"workspace": "lab"}),
            (agent_of("alice", WorkspaceRight.READ, "lab"), {"workspace": "lab"}),
            (agent_of("alice", WorkspaceRight.ADMIN, "lab"), {"workspace": "ws-user-alice"}),
            (login("alice"), {"email": "boss@x"}),
            (login("alice"), {"workspace": "public"}),
        ):
            with pytest.raises(PermissionDeniedError):
                await call(services, actor, "generate_token", config=config)
        with pytest.raises(WorkspaceNotFoundError):
            await call(services, role_admin(), "generate_token", config={"workspace": "nowhere"})

    @pytest.mark.parametrize(
        "config",
        [
            {"expires_in": 0},
            {"expires_in": 1e12},
            {"permission": "rule"},
            {"scope": "ws:lab#a"},
            {"client_id": "me ws:lab#a"},
            {"extra_scopes": ["ws:lab#a"]},
            {"extra_scopes": ["get_file:data:*"]},
            {"extra_scopes": "ws:lab#a"},
            {"workspace": "ws-user-alice ws:lab#a"},
        ],
    )
    async def test_what_cannot_be_asked_for(self, services: MemoryServices, config: dict[str, Any]) -> None:
        with pytest.raises(ArtifactManagerError):
            await call(services, login("alice"), "generate_token", config=config)

    async def test_the_operators_role_is_not_handed_on(self, services: MemoryServices) -> None:
        await call(services, login("alice"), "create_workspace", config={"id": "lab"})
        made = await bearer(services, role_admin(), workspace="lab", email="x@y")
        assert (made.roles, made.email, made.right_in("other")) == ((), "x@y", None)


class TestClaimsOnFiles:
    async def artifact(self, services: MemoryServices, owner: str) -> UUID:
        number = services.ids.uuid7()
        created = ArtifactCreated(
            workspace="ws-user-olivia", alias="data", manifest={}, config={"permissions": {owner: "*"}}
        )
        unit = Unit(
            keys=(artifact_key(number),),
            decide=lambda _: Outcome(events=(Emit(artifact_key(number), created),)),
            actor=owner,
            correlation_id="test",
        )
        await services.writer.execute(unit)
        return number

    async def test_only_by_who_holds_the_right(self, services: MemoryServices) -> None:
        number = await self.artifact(services, "alice")
        scopes = [f"get_file:{number}:a%20b.txt", f"put_file:{number}:*"]
        made = await bearer(services, login("alice"), extra_scopes=scopes)
        assert [(scope.operation, scope.path) for scope in made.file_scopes] == [
            ("get_file", "a b.txt"),
            ("put_file", "*"),
        ]
        with pytest.raises(PermissionDeniedError, match="'get_file'"):
            await bearer(services, login("bob"), extra_scopes=scopes)
        with pytest.raises(ArtifactNotFoundError):
            await bearer(services, login("bob"), extra_scopes=[f"get_file:{UUID(int=9)}:*"])

    async def test_it_opens_nothing_else(self, services: MemoryServices) -> None:
        number = await self.artifact(services, "alice")
        made = await bearer(services, login("alice"), permission="admin", extra_scopes=[f"get_file:{number}:*"])
        view = await view_workspace(services, made, "ws-user-alice")
        assert not is_allowed(view.viewer, Operation.READ, [node({"*": "*"})])
        for name in ("generate_token", "get_workspace_info"):
            with pytest.raises(PermissionDeniedError):
                await call(services, made, name)
        with pytest.raises(PermissionDeniedError):
            await call(services, made, "create_workspace", config={"id": "lab"})


class TestAuthentication:
    @pytest.fixture
    def token(self, services: MemoryServices) -> str:
        return create_operator_token(services.tokens, user="alice")

    async def test_every_way_gives_the_same_verdict(self, services: MemoryServices, token: str) -> None:
        basic = base64.b64encode(f"git:{token}".encode()).decode()
        expected = services.tokens.decode(token)
        ways: list[tuple[str | None, str | None, str | None]] = [
            (f"Bearer {token}", None, None),
            (f"bearer  {token} ", None, None),
            (f"Basic {basic}", None, None),
            (token, None, None),
            (None, token, None),
            (None, None, token),
            ("Bearer nonsense", "nonsense", token),
            (f"Bearer {token}", "nonsense", None),
            (f"Bearer {token}", None, ""),
        ]
        for way in ways:
            assert await services.authenticate(*way) == expected

    async def test_nothing_is_nobody(self, services: MemoryServices) -> None:
        assert await services.authenticate(None, None, None) == ANONYMOUS
        assert await services.authenticate(None, "", "") == ANONYMOUS

    @pytest.mark.parametrize(
        "header",
        [
            "",
            " ",
            "Bearer",
            "Bearer ",
            "Bearer None",
            "Basic",
            "Basic ???",
            "Basic Z2l0Og==",
            "Basic /w==",
            "Digest x y",
        ],
    )
    async def test_a_bad_header_never_is_nobody(self, services: MemoryServices, token: str, header: str) -> None:
        with pytest.raises(UnauthenticatedError):
            await services.authenticate(header, token, None)

    async def test_a_bad_cookie_or_query_never_is_nobody(self, services: MemoryServices, token: str) -> None:
        for way in ((None, "nonsense", None), (f"Bearer {token}", None, "nonsense")):
            with pytest.raises(UnauthenticatedError):
                await services.authenticate(*way)


class TestRevocation:
    async def test_a_revoked_token_is_refused_and_no_other_one(self, services: MemoryServices) -> None:
        alice = login("alice")
        one, two = [await call(services, alice, "generate_token") for _ in range(2)]
        await call(services, alice, "revoke_token", token=one)
        with pytest.raises(UnauthenticatedError, match="revoked"):
            await services.authenticate(one, None, None)
        assert (await services.authenticate(two, None, None)).on_behalf_of == "alice"
        for method in ("parse_token", "revoke_token"):
            with pytest.raises(InvalidArgumentError, match="revoked"):
                await call(services, alice, method, token=one)

    async def test_login_tokens_as_well(self, services: MemoryServices) -> None:
        token = create_operator_token(services.tokens, user="alice", permission="read")
        alice = await services.authenticate(token, None, None)
        await call(services, alice, "revoke_token", token=token)
        with pytest.raises(UnauthenticatedError):
            await services.authenticate(token, None, None)

    async def test_who_may(self, services: MemoryServices) -> None:
        members = {"bob": "read_write", "adele": "admin"}
        await call(services, login("alice"), "create_workspace", config={"id": "lab", "members": members})
        token = await call(services, login("alice"), "generate_token", config={"workspace": "lab"})
        other = await bearer(services, login("alice"), workspace="lab")
        for actor in (ANONYMOUS, login("bob"), other, agent_of("alice", WorkspaceRight.READ, "lab")):
            with pytest.raises(PermissionDeniedError):
                await call(services, actor, "revoke_token", token=token)
        await call(services, login("adele"), "revoke_token", token=token)
        itself = await call(services, login("alice"), "generate_token", config={"workspace": "lab"})
        await call(services, await services.authenticate(itself, None, None), "revoke_token", token=itself)

    async def test_what_is_no_token(self, services: MemoryServices) -> None:
        for method in ("parse_token", "revoke_token"):
            with pytest.raises(InvalidArgumentError, match="Error decoding token headers"):
                await call(services, login("alice"), method, token="nonsense")

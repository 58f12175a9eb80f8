"""Tokens: what they say, and every way in which one can be wrong."""

import base64
import json
from typing import Any

import jwt
import pytest

from application.operator_tokens import create_operator_token
from application.token_scopes import Scope, file_scope_texts, parse_file_scope, read_scope, write_scope
from application.tokens import AUDIENCE, CACHED_TOKENS, ISSUER, Claims, Tokens
from domain.actor import Actor, FileScope, WorkspaceRight
from domain.errors import InvalidArgumentError, UnauthenticatedError
from tests.support.clocks import CountingIds, FixedClock

SECRET = "a secret of the tests, long enough for its algorithm"
READ, WRITE, ADMIN = WorkspaceRight.READ, WorkspaceRight.READ_WRITE, WorkspaceRight.ADMIN


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def tokens(clock: FixedClock) -> Tokens:
    return Tokens(SECRET, clock=clock, ids=CountingIds())


def foreign(clock: FixedClock, *, key: Any = SECRET, algorithm: Any = "HS256", **changes: Any) -> str:
    """Mint a token as existing tools do."""
    now = clock.now() // 1_000_000
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 60, "scope": "", **changes}
    return jwt.encode({name: value for name, value in payload.items() if value is not ...}, key, algorithm=algorithm)


def refusal(tokens: Tokens, token: str) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        tokens.decode(token)
    return caught.value.detail


class TestRoundTrip:
    def test_a_generated_token(self, tokens: Tokens, clock: FixedClock) -> None:
        claims = Claims(
            user_id="brave-otter-1",
            email="a@example.org",
            roles=("curator",),
            on_behalf_of="auth0|alice",
            rights={"team-lab": WRITE},
            current_workspace="team-lab",
            client_id="notebook",
        )
        actor = tokens.decode(tokens.mint(claims, expires_in_seconds=60))
        assert actor == Actor(
            user_id="brave-otter-1",
            email="a@example.org",
            roles=("curator",),
            is_generated=True,
            on_behalf_of="auth0|alice",
            rights={"team-lab": WRITE},
            current_workspace="team-lab",
            client_id="notebook",
            token_id=actor.token_id,
            expires_at=clock.now() + 60_000_000,
        )
        assert actor.effective_id == "auth0|alice"

    def test_each_token_has_a_name_of_its_own(self, tokens: Tokens) -> None:
        made = {tokens.decode(tokens.mint(Claims(user_id="a"), expires_in_seconds=9)).token_id for _ in range(5)}
        assert len(made) == 5

    def test_clients_find_the_workspace_in_the_payload(self, tokens: Tokens) -> None:
        token = tokens.mint(Claims(user_id="a", current_workspace="team-lab"), expires_in_seconds=9)
        middle = token.split(".")[1]
        payload = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        assert "wid:team-lab" in payload["scope"].split()

    @pytest.mark.parametrize(
        ("right", "is_read_only"), [(READ, True), (WRITE, False), (ADMIN, False)], ids=["read", "read_write", "admin"]
    )
    def test_a_token_generated_with_read_only_reads(
        self, tokens: Tokens, right: WorkspaceRight, is_read_only: bool
    ) -> None:
        claims = Claims(user_id="x", on_behalf_of="alice", rights={"lab": right})
        assert tokens.decode(tokens.mint(claims, expires_in_seconds=9)).is_read_only is is_read_only

    @pytest.mark.parametrize("seconds", [0, 0.5, -1, 4e8, float("nan"), float("inf")])
    def test_lifetimes_out_of_range(self, tokens: Tokens, seconds: float) -> None:
        with pytest.raises(InvalidArgumentError, match="expires_in"):
            tokens.mint(Claims(user_id="a"), expires_in_seconds=seconds)

    @pytest.mark.parametrize("name", ["", "*", "@", "a\nb", "a\0", " a", "x" * 257, "\ud800"])
    def test_user_ids_that_cannot_be(self, tokens: Tokens, name: str) -> None:
        with pytest.raises(InvalidArgumentError, match="user id"):
            tokens.mint(Claims(user_id=name), expires_in_seconds=9)


class TestTokensOfOtherTools:
    def test_the_documented_claims_are_understood(self, tokens: Tokens, clock: FixedClock) -> None:
        names = {f"https://amun.ai/{name}": value for name, value in (("email", "a@x"), ("roles", ["r1"]))}
        scope = "openid ws:team-lab#rw ws:other#r wid:team-lab cid:me"
        actor = tokens.decode(foreign(clock, scope=scope, **names))
        assert (actor.email, actor.roles, actor.client_id) == ("a@x", ("r1",), "me")
        assert actor.rights == {"team-lab": WRITE, "other": READ, "ws-user-alice": ADMIN}
        assert actor.current_workspace == "team-lab"
        assert not actor.is_generated

    def test_a_parent_makes_it_a_generated_one(self, tokens: Tokens, clock: FixedClock) -> None:
        actor = tokens.decode(foreign(clock, scope="ws:lab#a", **{"https://amun.ai/parent": "bob"}))
        assert actor.is_generated
        assert actor.effective_id == "bob"
        assert actor.rights == {"lab": ADMIN}
        assert actor.current_workspace == "lab"

    def test_the_role_admin_rules_everywhere_but_not_in_a_generated_token(
        self, tokens: Tokens, clock: FixedClock
    ) -> None:
        roles = {"https://amun.ai/roles": ["admin"]}
        assert tokens.decode(foreign(clock, **roles)).right_in("anything") is ADMIN
        made = tokens.decode(foreign(clock, scope="ws:lab#rw", **roles, **{"https://amun.ai/parent": "root"}))
        assert made.right_in("anything") is None

    def test_without_a_name_it_is_known_by_its_digest(self, tokens: Tokens, clock: FixedClock) -> None:
        one, two = (tokens.decode(foreign(clock, note=note)) for note in (1, 2))
        assert one.token_id
        assert one.token_id != two.token_id

    def test_a_generated_token_that_claims_nothing_may_not_write(self, tokens: Tokens, clock: FixedClock) -> None:
        assert tokens.decode(foreign(clock, **{"https://amun.ai/parent": "bob"})).is_read_only


class TestBadTokens:
    def test_expired(self, tokens: Tokens, clock: FixedClock) -> None:
        token = foreign(clock)
        tokens.decode(token)
        clock.advance(60)
        assert "expired" in refusal(tokens, token)

    def test_not_valid_yet(self, tokens: Tokens, clock: FixedClock) -> None:
        later = clock.now() // 1_000_000 + 10
        assert "not valid yet" in refusal(tokens, foreign(clock, nbf=later))

    def test_signed_by_somebody_else(self, tokens: Tokens, clock: FixedClock) -> None:
        other = foreign(clock, key="another secret, also long enough for it")
        assert "signature" in refusal(tokens, other)

    def test_tampered(self, tokens: Tokens, clock: FixedClock) -> None:
        head, _, signature = foreign(clock).split(".")
        _, payload, _ = foreign(clock, sub="bob").split(".")
        assert "signature" in refusal(tokens, f"{head}.{payload}.{signature}")

    @pytest.mark.parametrize("claim", ["iss", "aud"])
    def test_made_for_another_service(self, tokens: Tokens, clock: FixedClock, claim: str) -> None:
        assert "Incorrect claims" in refusal(tokens, foreign(clock, **{claim: "https://elsewhere.example/"}))
        assert "Incorrect claims" in refusal(tokens, foreign(clock, **{claim: ...}))

    @pytest.mark.parametrize("claim", ["exp", "sub"])
    def test_without_what_a_token_must_have(self, tokens: Tokens, clock: FixedClock, claim: str) -> None:
        assert refusal(tokens, foreign(clock, **{claim: ...}))

    def test_other_algorithms(self, tokens: Tokens, clock: FixedClock) -> None:
        long_key = SECRET * 2
        assert "algorithm" in refusal(tokens, foreign(clock, key=long_key, algorithm="HS512"))

    def test_no_signature_at_all(self, tokens: Tokens, clock: FixedClock) -> None:
        head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        _, payload, _ = foreign(clock).split(".")
        assert refusal(tokens, f"{head}.{payload}.")

    @pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "....", "é.é.é", "\ud800.a.b", "x" * 100_000])
    def test_not_a_token(self, tokens: Tokens, text: str) -> None:
        assert refusal(tokens, text) == "Error decoding token headers."

    @pytest.mark.parametrize(
        "changes",
        [
            {"sub": 7},
            {"sub": ""},
            {"sub": "*"},
            {"sub": "anonymouz-1"},
            {"exp": "soon"},
            {"exp": float("nan")},
            {"exp": True},
            {"nbf": "soon"},
            {"scope": ["ws:lab#a"]},
            {"scope": "ws:lab"},
            {"scope": "ws:lab#x"},
            {"scope": "ws:a/b#a"},
            {"scope": "ws:#a"},
            {"scope": "wid:a wid:b"},
            {"scope": "wid:"},
            {"scope": "wid:a/b"},
            {"scope": "admin:all"},
            {"scope": "get_file:alias:*"},
            {"https://amun.ai/roles": "admin"},
            {"https://amun.ai/roles": [1]},
            {"https://amun.ai/parent": 7},
            {"https://amun.ai/parent": "*"},
            {"https://amun.ai/email": {}},
        ],
    )
    def test_claims_that_cannot_be(self, tokens: Tokens, clock: FixedClock, changes: dict[str, Any]) -> None:
        assert refusal(tokens, foreign(clock, **changes))

    def test_remembered_tokens_are_bounded(self, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("application.tokens.CACHED_TOKENS", 3)
        made = [tokens.mint(Claims(user_id=f"u{number}"), expires_in_seconds=9) for number in range(6)]
        for token in [*made, *made]:
            assert tokens.decode(token).user_id == f"u{made.index(token)}"
        assert len(tokens._verified) == 3  # noqa: SLF001 - The bound is what this test is about.
        assert CACHED_TOKENS == 10_000


class TestScopes:
    def test_what_is_written_is_read(self) -> None:
        scope = Scope(
            rights={"*": READ, "ws-user-auth0|a_40b": ADMIN},
            client_id="me@home",
            current_workspace="lab",
            file_scopes=(FileScope("get_file", "lab/data", "a dir/ü:1.txt"), FileScope("put_file", "lab/data", "*")),
        )
        assert read_scope(write_scope(scope)) == scope

    @pytest.mark.parametrize("name", ["a b", "a#a", "x ws:y#a", "", "ä", "a/b", "w" * 801])
    def test_names_never_become_scopes(self, name: str) -> None:
        for scope in (Scope(rights={name: READ}), Scope(current_workspace=name)):
            with pytest.raises(InvalidArgumentError):
                write_scope(scope)

    def test_client_ids_never_become_scopes(self) -> None:
        with pytest.raises(InvalidArgumentError, match="client_id"):
            write_scope(Scope(client_id="me ws:lab#a"))

    @pytest.mark.parametrize(
        "text",
        [
            "ws:team-lab#a",
            "get_file:data:*",
            "get_file:lab/data",
            "get_file:lab/data:",
            "get_file:lab/data:../x",
            "get_file:lab/data:%2Fetc",
            "get_file:lab/data:%ff",
            "get_file:lab/data:%2A",
            "get_file:lab/data:a b\nws:x#a/../..",
            "get_file:*:*",
            "list:lab/data:*",
            "cid:x",
            "wid:x",
            "",
        ],
    )
    def test_other_extra_scopes_are_refused(self, text: str) -> None:
        with pytest.raises(InvalidArgumentError):
            parse_file_scope(text)

    def test_paths_are_normalised_and_written_percent_encoded(self) -> None:
        scope = parse_file_scope("get_file:lab/data:a%20dir%2F%2Fu%CC%88.txt")
        assert scope == FileScope("get_file", "lab/data", "a dir/ü.txt")
        assert file_scope_texts([scope]) == ["get_file:lab/data:a%20dir%2F%C3%BC.txt"]

    def test_there_is_a_bound_on_their_number(self) -> None:
        with pytest.raises(InvalidArgumentError, match="at most 100"):
            write_scope(Scope(file_scopes=(FileScope("get_file", "lab/data", "*"),) * 101))


class TestOperatorTokens:
    def actor(self, tokens: Tokens, **options: Any) -> Actor:
        return tokens.decode(create_operator_token(tokens, **options))

    def test_the_own_workspace_is_always_in_it(self, tokens: Tokens, clock: FixedClock) -> None:
        actor = self.actor(tokens, user="al@x", email="al@x", workspaces=["lab", "*"], permission="read_write")
        assert actor.rights == {"lab": WRITE, "*": WRITE, "ws-user-al_40x": ADMIN}
        assert actor.current_workspace == "ws-user-al_40x"
        assert (actor.email, actor.is_generated, actor.is_read_only) == ("al@x", False, False)
        assert actor.expires_at == clock.now() + 3_600_000_000

    def test_read_limits_all_of_it(self, tokens: Tokens) -> None:
        actor = self.actor(tokens, user="al", workspaces=["lab"], permission="read")
        assert actor.rights == {"lab": READ, "ws-user-al": READ}
        assert actor.is_read_only

    def test_the_role(self, tokens: Tokens) -> None:
        actor = self.actor(tokens, user="root", role="admin", expires_in=5)
        assert actor.right_in("any") is ADMIN

    @pytest.mark.parametrize(
        "options",
        [
            {"user": "al", "permission": "rw"},
            {"user": "al", "workspaces": ["a b"]},
            {"user": "anonymouz-7"},
            {"user": ""},
            {"user": "al", "expires_in": 0},
        ],
    )
    def test_what_cannot_be_said(self, tokens: Tokens, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgumentError):
            create_operator_token(tokens, **options)


def test_nobody_can_call_as_a_worker_of_the_service(tokens: Tokens) -> None:
    with pytest.raises(InvalidArgumentError, match="service's own workers"):
        create_operator_token(tokens, user="service:janitor")

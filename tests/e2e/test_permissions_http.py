"""Who may do what, over HTTP with real tokens: use cases, workflows, workspaces, tokens, and what nobody is shown."""

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.client import METHODS, Client, People, alias_of, login_token, put
from tests.support.server import Server

OWNER = "ws-user-owner"


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def owner(people: People) -> Client:
    return people["owner"]


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


def _collection(owner: Client, alias: str, permissions: Mapping[str, Any], **config: Any) -> str:
    created = owner.call(
        "create",
        alias=alias,
        type="collection",
        manifest={"name": alias},
        config={"permissions": permissions, **config},
    )
    return str(created["id"])


def _may(client: Client, method: str, **arguments: Any) -> bool:
    """Tell whether a call is allowed; whatever else is wrong with it fails the test."""
    answer = client.http.post(METHODS + method, json=arguments)
    assert answer.status_code in {200, 403}, answer.text
    return answer.status_code == 200


class Case:
    """A collection with one committed child and one draft of the owner's, and questions to it."""

    def __init__(self, owner: Client, alias: str, permissions: Mapping[str, Any], **config: Any) -> None:
        self._owner = owner
        self.collection = _collection(owner, alias, permissions, **config)
        self.child = owner.dataset(alias + "-child", {"a.txt": b"a"}, parent_id=self.collection)

    def draft(self) -> str:
        return str(self._owner.call("create", parent_id=self.collection, manifest={}, stage=True)["id"])

    def rights(self, client: Client) -> set[str]:
        """Try everything, each on things that are there for it alone."""
        draft = self.draft()
        found = set()
        if _may(client, "list", parent_id=self.collection):
            listed = client.call("list", parent_id=self.collection, stage="all", silent=True)
            ids = {record["id"] for record in listed}
            assert self.child in ids
            found.add("browse")
            if draft in ids:
                found.add("see drafts")
        if _may(client, "read", artifact_id=self.child):
            found.add("read")
        if _may(client, "get_file", artifact_id=self.child, file_path="a.txt"):
            found.add("download")
        new = {"parent_id": self.collection, "manifest": {}}
        if _may(client, "create", **new, stage=True):
            found.add("draft")
        if _may(client, "create", **new):
            found.add("contribute")
        if _may(client, "discard", artifact_id=self.draft()):
            found.add("reject")
        if _may(client, "commit", artifact_id=draft):
            found.add("approve")
        if _may(client, "edit", artifact_id=self.child, manifest={"name": "changed"}):
            found.add("edit child")
        if _may(client, "edit", artifact_id=self.collection, manifest={"name": "changed"}):
            found.add("edit collection")
        return found


LOOK = {"browse", "read", "download"}
JUDGE = {"see drafts", "approve", "reject"}
CURATE = LOOK | JUDGE | {"draft", "contribute", "edit collection"}
USE_CASES: Mapping[str, tuple[Mapping[str, str], bool, Mapping[str, set[str]]]] = {
    "1-public-repository": (
        {"*": "r", "@": "r+"},
        False,
        {"nobody": LOOK, "uma": LOOK | {"draft", "contribute"}},
    ),
    "2-moderated": (
        {"*": "r", "@": "l+", "moderator": "rw+", "boss": "*"},
        False,
        {"nobody": LOOK, "uma": LOOK | {"draft"}, "moderator": CURATE, "boss": CURATE},
    ),
    "3-archive": (
        {"*": "r", "archive_admin": "*"},
        False,
        {"nobody": LOOK, "uma": LOOK, "archive_admin": CURATE},
    ),
    "4-team": (
        {"*": "l", "team_member": "rw+", "external_reviewer": "r"},
        True,
        {
            "nobody": {"browse"},
            "uma": {"browse"},
            "external_reviewer": LOOK,
            "team_member": CURATE | {"edit child"},
        },
    ),
    "5-staging": (
        {"*": "n", "developer": "rd+", "release_manager": "rw+", "ci_bot": "r+"},
        False,
        {
            "nobody": set(),
            "uma": set(),
            "developer": LOOK | {"draft"},
            "release_manager": CURATE,
            "ci_bot": LOOK | {"draft", "contribute"},
        },
    ),
    "6-sandbox": (
        {"*": "n", "boss": "*", "collaborator": "rw", "viewer": "r"},
        True,
        {
            "nobody": set(),
            "uma": set(),
            "viewer": LOOK,
            "collaborator": CURATE | {"edit child"},
            "boss": CURATE | {"edit child"},
        },
    ),
    "7-audit-log": (
        {"*": "n", "auditor": "r", "system": "r+"},
        False,
        {"nobody": set(), "uma": set(), "auditor": LOOK, "system": LOOK | {"draft", "contribute"}},
    ),
}


@pytest.mark.parametrize("name", USE_CASES)
def test_use_cases(owner: Client, people: People, name: str) -> None:
    permissions, inherit_writes, expected = USE_CASES[name]
    case = Case(owner, f"case-{name}", permissions, inherit_writes=inherit_writes)
    found = {who: case.rights(people.anonymous() if who == "nobody" else people[who]) for who in expected}
    assert found == expected
    # Nothing stops the owner of the workspace.
    assert case.rights(owner) == CURATE | {"edit child"}


def test_a_deny_is_stronger_than_everybody(owner: Client, people: People, alias: str) -> None:
    case = Case(owner, alias, {"*": "r", "bob": "n"})
    assert case.rights(people["bob"]) == set()
    assert case.rights(people["uma"]) == LOOK
    less = Case(owner, alias + "-2", {"*": "r", "bob": "l"})
    # He could have that by dropping his token.
    assert less.rights(people["bob"]) == LOOK


def test_open_contribution(owner: Client, people: People, alias: str) -> None:
    collection = _collection(owner, alias, {"@": "r+"})
    uma, vera = people["uma"], people["vera"]
    draft = uma.call("create", parent_id=collection, alias=alias + "-1", manifest={}, stage=True)["id"]
    uma.upload(draft, "a.txt", b"a")
    uma.call("edit", artifact_id=draft, manifest={"name": "mine"})
    assert uma.call("commit", artifact_id=draft)["versions"][0]["version"] == "v0"
    # Contributors are isolated from each other.
    assert vera.call("read", artifact_id=draft)["manifest"] == {"name": "mine"}
    calls: Mapping[str, Mapping[str, Any]] = {
        "edit": {"stage": True},
        "put_file": {"file_path": "a.txt"},
        "delete": {},
        "set_download_weight": {"file_path": "a.txt", "download_weight": 1},
        "reset_stats": {},
    }
    for method, arguments in calls.items():
        error = vera.refused(method, artifact_id=draft, **arguments)
        assert (error.status, f"permission '{method}'" in error.detail) == (403, True), error.detail


def test_moderated_contribution(owner: Client, people: People, alias: str) -> None:
    collection = _collection(owner, alias, {"@": "l+", "reviewer": "rw+"})
    uma, reviewer = people["uma"], people["reviewer"]
    assert uma.refused("create", parent_id=collection, manifest={}).status == 403
    draft = uma.call("create", parent_id=collection, alias=alias + "-1", manifest={"name": "for review"}, stage=True)[
        "id"
    ]
    uma.upload(draft, "a.txt", b"a")
    refused = uma.refused("commit", artifact_id=draft)
    assert (refused.status, "permission to attach" in refused.detail) == (403, True)
    # The review: list, read, look at the files, approve.
    assert [record["id"] for record in reviewer.call("list", parent_id=collection, stage=True)] == [draft]
    assert reviewer.call("read", artifact_id=draft)["manifest"] == {"name": "for review"}
    assert reviewer.files(draft, stage=True) == ["a.txt"]
    assert reviewer.download(draft, "a.txt", stage=True) == b"a"
    reviewer.call("commit", artifact_id=draft, comment="approved")
    assert people["vera"].aliases(parent_id=collection) == [alias + "-1"]
    # Once it is permanent, its author cannot change it behind the reviewer's back.
    assert "mutate" in uma.refused("edit", artifact_id=draft, manifest={}).detail
    uma.call("edit", artifact_id=draft, manifest={"name": "second"}, stage=True)
    assert "mutate" in uma.refused("commit", artifact_id=draft).detail
    reviewer.call("discard", artifact_id=draft)
    assert uma.record(draft)["manifest"] == {"name": "for review"}
    detach = uma.refused("delete", artifact_id=draft)
    assert (detach.status, "permission to detach" in detach.detail) == (403, True)


def test_restricted_contribution(owner: Client, people: People, alias: str) -> None:
    collection = _collection(owner, alias, {"contributor": "l+", "reviewer": "rw+"})
    uma, contributor, reviewer = people["uma"], people["contributor"], people["reviewer"]
    assert uma.refused("create", parent_id=collection, manifest={}, stage=True).status == 403
    assert uma.refused("list", parent_id=collection).status == 403
    draft = contributor.call("create", parent_id=collection, manifest={}, stage=True)["id"]
    assert contributor.refused("commit", artifact_id=draft).status == 403
    reviewer.call("commit", artifact_id=draft)
    assert contributor.aliases(parent_id=collection) == [draft.split("/")[1]]


def test_drafts_exist_for_editors_and_reviewers_alone(owner: Client, people: People, alias: str) -> None:
    collection = _collection(owner, alias, {"*": "r", "@": "r+", "reviewer": "rw+"})
    uma, vera, reviewer, anyone = people["uma"], people["vera"], people["reviewer"], people.anonymous()
    draft = uma.call("create", parent_id=collection, alias=alias + "-1", manifest={"secret": 1}, stage=True)["id"]
    uma.upload(draft, "a.txt", b"a")
    for stranger in (vera, anyone):
        for method in ("read", "list_files"):
            for arguments in ({}, {"stage": True}, {"version": "stage"}):
                assert stranger.refused(method, artifact_id=draft, **arguments).status == 403
        assert stranger.refused("get_file", artifact_id=draft, file_path="a.txt").status == 403
        assert stranger.http.get(f"/{draft.replace('/', '/artifacts/')}/history").status_code == 403
        for stage in (False, True, "all"):
            page = stranger.call("list", parent_id=collection, stage=stage, pagination=True)
            assert (page["items"], page["total"]) == ([], 0)
    for friend in (uma, reviewer, owner):
        assert friend.aliases(parent_id=collection, stage=True) == [alias + "-1"]
        assert friend.download(draft, "a.txt", stage=True) == b"a"
    # The stage of a committed artifact is as hidden, while what is committed is not.
    owner.call("commit", artifact_id=draft)
    uma.call("edit", artifact_id=draft, manifest={"secret": 2}, stage=True)
    for stranger in (vera, anyone):
        assert stranger.call("read", artifact_id=draft)["manifest"] == {"secret": 1}
        assert stranger.refused("read", artifact_id=draft, stage=True).status == 403
        listed = stranger.call("list", parent_id=collection, stage=True, silent=True)
        assert listed == []
        assert stranger.call("list", parent_id=collection, silent=True)[0]["staging"] is None


def test_a_list_shows_only_what_the_caller_may_see(owner: Client, people: People, alias: str) -> None:
    collection = _collection(owner, alias, {"*": "r"})
    permissions: Mapping[str, Mapping[str, str]] = {
        "open": {},
        "closed": {"*": "n"},
        "for-bob": {"*": "n", "bob": "r"},
        "not-for-bob": {"bob": "n"},
    }
    for name, grants in permissions.items():
        owner.dataset(f"{alias}-{name}", parent_id=collection, permissions=grants)
    seen = {
        "owner": {"open", "closed", "for-bob", "not-for-bob"},
        "bob": {"open", "for-bob"},
        "uma": {"open", "not-for-bob"},
        None: {"open", "not-for-bob"},
    }
    for who, names in seen.items():
        client = people[who] if who else people.anonymous()
        wanted = {f"{alias}-{name}" for name in names}
        for method, arguments in (("list", {"parent_id": collection}), ("search", {"parent_id": collection})):
            page = client.call(method, **arguments, pagination=True, limit=1)
            assert page["total"] == len(wanted), who
        assert set(client.aliases(parent_id=collection)) == wanted
        counted = client.get(f"/{OWNER}/artifacts/-/search", keywords=alias, limit="100")
        assert {record["alias"] for record in counted} - {alias} == wanted
        for name in permissions:
            assert _may(client, "read", artifact_id=f"{OWNER}/{alias}-{name}") is (name in names)


def test_the_top_of_a_workspace_is_filtered_as_well(owner: Client, people: People, alias: str) -> None:
    owner.dataset(alias + "-open", permissions={"*": "r"})
    owner.dataset(alias + "-closed")
    for path in (f"/{OWNER}/artifacts/", f"/{OWNER}/artifacts", f"/{OWNER}/artifacts/-/search"):
        mine = {record["alias"] for record in owner.get(path, limit="1000")}
        assert {alias + "-open", alias + "-closed"} <= mine
        for client in (people["uma"], people.anonymous()):
            seen = {record["alias"] for record in client.get(path, limit="1000")}
            assert alias + "-open" in seen
            assert alias + "-closed" not in seen
            page = client.get(path, limit="1000", pagination="true")
            assert page["total"] == len(seen)


def test_what_is_known_but_not_allowed_is_403_with_or_without_a_token(
    owner: Client, people: People, alias: str
) -> None:
    owner.dataset(alias, {"a.txt": b"a"})
    for client in (people["uma"], people.anonymous()):
        error = client.refused("read", artifact_id=f"{OWNER}/{alias}")
        assert (error.status, error.code) == (403, "permission_denied")
        assert error.detail == "PermissionError: User does not have permission 'read' on the artifact."
        for path in ("", "/children", "/history", "/versions", "/files", "/files/", "/files/a.txt"):
            answer = client.http.get(f"/{OWNER}/artifacts/{alias}{path}")
            assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied"), path
        assert client.http.put(f"/{OWNER}/artifacts/{alias}/files/a.txt", content=b"x").status_code == 403
        assert client.http.delete(f"/{OWNER}/artifacts/{alias}/files/a.txt").status_code == 403
        assert client.refused("read", artifact_id=f"{OWNER}/nothing").status == 404


def test_inherited_writes(owner: Client, people: People, alias: str) -> None:
    for inherits in (False, True):
        name = f"{alias}-{inherits}".lower()
        collection = _collection(owner, name, {"editor": "rw"}, inherit_writes=inherits)
        inner = owner.call(
            "create", parent_id=collection, alias=name + "-in", type="collection", manifest={}, permissions={}
        )["id"]
        deep = owner.dataset(name + "-deep", parent_id=inner)
        closed = owner.dataset(name + "-closed", parent_id=inner, permissions={"editor": "n"})
        editor = people["editor"]
        assert _may(editor, "read", artifact_id=deep)
        assert _may(editor, "edit", artifact_id=deep, manifest={"name": "changed"}) is inherits
        assert not _may(editor, "read", artifact_id=closed)
        assert not _may(editor, "edit", artifact_id=closed, manifest={})


def test_only_full_holders_change_who_has_access(owner: Client, people: People, alias: str) -> None:
    artifact = owner.dataset(alias, permissions={"editor": "rw", "chief": "*"})
    editor, chief = people["editor"], people["chief"]
    for arguments in (
        {"permissions": {"editor": "*"}},
        {"config": {"permissions": {"editor": "*"}}, "stage": True},
        {"config": {"inherit_writes": True}},
    ):
        error = editor.refused("edit", artifact_id=artifact, **arguments)
        assert (error.status, "manage_permissions" in error.detail) == (403, True), error.detail
    editor.call("edit", artifact_id=artifact, config={"note": 1})
    assert owner.record(artifact)["config"]["permissions"] == {"editor": "rw", "chief": "*", "owner": "*"}
    chief.call("edit", artifact_id=artifact, permissions={"chief": "*"})
    assert editor.refused("read", artifact_id=artifact).status == 403


def test_grants_are_shown_to_those_they_concern(owner: Client, people: People, alias: str) -> None:
    grants = {"*": "r", "@": "r", "bob": "rw", "carol": "r"}
    artifact = owner.dataset(alias, permissions=grants)
    bob, uma, anyone = people["bob"], people["uma"], people.anonymous()
    expected = {
        owner: {"*", "@", "bob", "carol", "owner"},
        bob: {"*", "@", "bob"},
        uma: {"*", "@"},
        anyone: {"*", "@"},
    }
    for client, subjects in expected.items():
        listed = client.get(f"/{OWNER}/artifacts/-/search", filters=f'{{"alias": "{alias}"}}')
        for record in (client.record(artifact), *listed):
            assert set(record["config"]["permissions"]) == subjects
            assert set(record["_permissions"]) == subjects
        by_carol = client.get(f"/{OWNER}/artifacts/", filters='{"permissions/carol": "r"}')
        assert (alias in {record["alias"] for record in by_carol}) is (client is owner)
        by_bob = client.get(f"/{OWNER}/artifacts/", filters='{"config": {"permissions": {"bob": "rw"}}}')
        assert (alias in {record["alias"] for record in by_bob}) is (client in (owner, bob))


def test_history_shows_each_what_he_may_see(owner: Client, people: People, alias: str) -> None:
    artifact = owner.call(
        "create",
        alias=alias,
        manifest={"draft": "private words"},
        config={"permissions": {"*": "r", "bob": "rw", "carol": "r"}},
        stage=True,
        comment="draft of the owner",
    )["id"]
    owner.upload(artifact, "a.txt", b"a")
    owner.call("edit", artifact_id=artifact, manifest={"final": "public words"})
    owner.call("commit", artifact_id=artifact, comment="released")
    owner.call("edit", artifact_id=artifact, stage=True, manifest={"next": "hidden words"})
    bob, uma, anyone = people["bob"], people["uma"], people.anonymous()
    uma.call("read", artifact_id=artifact)
    bob.call("read", artifact_id=artifact)
    # A view follows its answer by a moment; who orders by views waits for them.
    owner.call("search", order_by="view_count", limit=1)
    path = f"/{OWNER}/artifacts/{alias}/history"

    def types(client: Client) -> list[str]:
        return [item["type"] for item in client.get(path)["items"]]

    public = ["artifact.committed", "artifact.created"]
    assert types(uma) == types(anyone) == public
    for client in (owner, bob):
        assert {"artifact.stage_opened", "stage.started", "stage.file_uploaded", *public} <= set(types(client))
    for client in (uma, anyone, bob):
        text = client.http.get(path).text
        assert "carol" not in text
        assert ("hidden words" in text) is (client is bob)
        assert ("private words" in text) is (client is bob)
        assert "public words" in text
        assert "s3/" not in text
    assert "carol" in owner.http.get(path).text
    committed = anyone.get(path)["items"][0]
    assert (committed["comment"], committed["actor"]) == ("released", "owner")

    def viewers(client: Client) -> set[str | None]:
        items = client.get(path, kinds="access")["items"]
        return {item.get("actor") for item in items if item["type"].startswith("access.")}

    assert {"uma", "bob"} <= viewers(owner)
    # Others see that it was looked at, and by themselves, but not by whom else.
    assert viewers(uma) == {"uma", None}
    assert viewers(anyone) == {None}


def test_the_creator_and_his_human_have_everything(owner: Client, people: People, alias: str) -> None:
    collection = _collection(owner, alias, {"@": "r+"})
    uma = people["uma"]
    uma.call("create", alias=alias + "-home", manifest={})
    agent = people.bearer(uma.workspaces("generate_token", config={"permission": "read_write"}))
    made = agent.call("create", parent_id=collection, manifest={}, stage=True)
    grants = made["config"]["permissions"]
    assert made["created_by"] == "uma"
    assert (len(grants), grants["uma"], set(grants.values())) == (2, "*", {"*"})
    agent.upload(made["id"], "a.txt", b"a")
    assert uma.call("edit", artifact_id=made["id"], manifest={"name": "hers"})["manifest"] == {"name": "hers"}
    uma.call("commit", artifact_id=made["id"])
    # Its home is that of the human.
    assert agent.call("create", alias=alias + "-agent", manifest={})["id"] == f"ws-user-uma/{alias}-agent"


def test_anonymous_callers(owner: Client, people: People, alias: str) -> None:
    collection = _collection(owner, alias, {"*": "rd+"})
    anyone = people.anonymous()
    draft = anyone.call("create", parent_id=collection, manifest={"name": "from nobody"}, stage=True)
    # What nobody made carries no entry, and takes the level of its parent.
    assert draft["config"]["permissions"] == {}
    people.anonymous().call("edit", artifact_id=draft["id"], manifest={"name": "edited"})
    assert people.anonymous().refused("commit", artifact_id=draft["id"]).status == 403
    assert anyone.refused("create", parent_id=collection, manifest={}).status == 403
    for where in ({}, {"workspace": "public"}, {"workspace": "ws-anonymous"}, {"workspace": OWNER}):
        assert anyone.refused("create", alias=alias + "-x", manifest={}, **where).status == 403, where
    with pytest.raises(Exception, match="403"):
        anyone.workspaces("generate_token", config={})


def test_an_invalid_token_is_never_an_anonymous_caller(
    owner: Client, people: People, shared_server: Server, alias: str
) -> None:
    artifact = owner.dataset(alias, {"a.txt": b"a"}, permissions={"*": "r"})
    expired = login_token(shared_server, "uma", expires_in=1)
    good = login_token(shared_server, "uma")
    time.sleep(1.2)
    head, _, signature = good.rpartition(".")
    flipped = "A" if signature[0] != "A" else "B"
    foreign = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1bWEifQ.NJyFVoPTVvCg8TcVCDpQpd2bYFnGpXEqGbQ6sZ5qZ8c"
    for token in (expired, f"{head}.{flipped}{signature[1:]}", foreign, "nonsense", "a.b.c"):
        bearer = people.bearer(token)
        error = bearer.refused("read", artifact_id=artifact)
        assert (error.status, error.code) == (401, "unauthenticated"), error
        for path in (f"/{OWNER}/artifacts/", f"/{OWNER}/artifacts/{alias}/files/a.txt"):
            assert bearer.http.get(path).status_code == 401
        cookie = httpx.get(f"{owner.url}/{OWNER}/artifacts/{alias}", headers={"cookie": f"access_token={token}"})
        query = people.anonymous().http.get(f"/{OWNER}/artifacts/{alias}/files/a.txt", params={"token": token})
        assert (cookie.status_code, query.status_code) == (401, 401)


def test_a_token_arrives_in_any_way(owner: Client, people: People, alias: str) -> None:
    owner.dataset(alias, {"a.txt": b"a"})
    token, url = owner.token, f"{owner.url}/{OWNER}/artifacts/{alias}"
    assert token is not None
    assert httpx.get(url).status_code == 403
    assert httpx.get(url, headers={"authorization": token}).status_code == 200
    assert httpx.get(url, auth=("git", token)).status_code == 200
    assert httpx.get(url, headers={"cookie": f"access_token={token}"}).status_code == 200
    assert httpx.get(f"{url}/files/a.txt", params={"token": token, "use_proxy": "true"}).content == b"a"


def test_a_revoked_token_is_refused_at_once(owner: Client, people: People, alias: str) -> None:
    owner.dataset(alias)
    token = owner.workspaces("generate_token", config={"permission": "admin"})
    bearer = people.bearer(token)
    assert bearer.record(alias)["alias"] == alias
    assert people["uma"].http.post("/public/services/ws/revoke_token", json={"token": token}).status_code == 403
    owner.workspaces("revoke_token", token=token)
    assert bearer.refused("read", artifact_id=alias).status == 401


WRITES: Mapping[str, Mapping[str, Any]] = {
    "edit": {"manifest": {}},
    "commit": {},
    "discard": {},
    "delete": {},
    "put_file": {"file_path": "b.txt"},
    "write_file": {"file_path": "b.txt", "content": "x"},
    "remove_file": {"file_path": "a.txt"},
    "set_download_weight": {"file_path": "a.txt", "download_weight": 1},
    "reset_stats": {},
}


def test_a_read_only_token_reads(owner: Client, people: People, shared_server: Server, alias: str) -> None:
    artifact = owner.dataset(alias, {"a.txt": b"a"})
    owner.call("edit", artifact_id=artifact, stage=True)
    generated = owner.workspaces("generate_token", config={"permission": "read"})
    for token in (generated, login_token(shared_server, "owner", permission="read")):
        reader = people.bearer(token)
        assert reader.record(artifact)["id"] == artifact
        assert reader.download(artifact, "a.txt") == b"a"
        assert alias in reader.aliases(limit=1000)
        for method, arguments in WRITES.items():
            assert reader.refused(method, artifact_id=artifact, **arguments).status == 403, method
        assert reader.refused("create", manifest={}).status == 403
        assert reader.refused("read", artifact_id=artifact, stage=True).status == 403
        assert reader.http.post("/public/services/ws/generate_token", json={"config": {}}).status_code == 403


def test_a_generated_token_stays_in_its_workspace(owner: Client, people: People, alias: str) -> None:
    lab = f"lab-{alias}".lower()[:60].rstrip("-")
    owner.workspaces("create_workspace", config={"id": lab, "name": "The lab"})
    token = owner.workspaces("generate_token", config={"workspace": lab, "permission": "admin"})
    agent = people.bearer(token)
    assert agent.call("create", alias="inside", manifest={})["workspace"] == lab
    assert agent.refused("create", alias="outside", workspace=OWNER, manifest={}).status == 403
    # It has not the ownership of its human elsewhere; but entries that name him count.
    artifact = owner.dataset(alias)
    assert agent.record(artifact)["id"] == artifact
    owner.call("edit", artifact_id=artifact, permissions={})
    for method in ("read", "delete"):
        assert agent.refused(method, artifact_id=artifact).status == 403
    assert alias not in agent.aliases()
    assert owner.record(artifact)["id"] == artifact


def test_claims_on_files(owner: Client, people: People, alias: str) -> None:
    artifact = owner.dataset(alias, {"a b/ä.txt": b"a", "other.txt": b"o"})
    path = quote("a b/ä.txt", safe="")
    scope = f"get_file:{artifact}:{path}"
    token = owner.workspaces("generate_token", config={"extra_scopes": [scope], "permission": "read"})
    url = f"{owner.url}/{OWNER}/artifacts/{alias}/files"
    assert httpx.get(f"{url}/{quote('a b/ä.txt')}", params={"token": token, "use_proxy": "true"}).content == b"a"
    for other in ("other.txt", ""):
        assert httpx.get(f"{url}/{other}", params={"token": token}).status_code == 403
    bearer = people.bearer(token)
    assert bearer.download(artifact, "a b/ä.txt") == b"a"
    assert bearer.refused("get_file", artifact_id=artifact, file_path=["a b/ä.txt", "other.txt"]).status == 403
    for method in ("read", "list_files", "edit", "delete"):
        assert bearer.refused(method, artifact_id=artifact).status == 403
    assert bearer.call("list") == []

    # To put, the artifact must be staged; the claim is checked against what its maker may do at the time of use.
    writer = owner.workspaces(
        "generate_token", config={"extra_scopes": [f"put_file:{owner.record(artifact)['_id']}:*"]}
    )
    assert httpx.put(f"{url}/new.txt", params={"token": writer}, content=b"n").status_code == 400
    owner.call("edit", artifact_id=artifact, stage=True)
    assert httpx.put(f"{url}/new.txt", params={"token": writer}, content=b"n").status_code == 200
    assert httpx.put(f"{url}/new.txt", params={"token": token}, content=b"n").status_code == 403
    owner.call("commit", artifact_id=artifact)
    assert owner.download(artifact, "new.txt") == b"n"
    assert httpx.get(f"{url}/new.txt", params={"token": writer}).status_code == 403


def test_claims_are_minted_only_by_who_holds_them(owner: Client, people: People, alias: str) -> None:
    artifact = owner.dataset(alias, {"a.txt": b"a"}, permissions={"uma": "r"})
    uma = people["uma"]
    uma.call("create", alias=alias + "-home", manifest={})
    path = "/public/services/ws/generate_token"
    token = uma.post(path, {"config": {"extra_scopes": [f"get_file:{artifact}:a.txt"]}})
    assert people.bearer(token).download(artifact, "a.txt") == b"a"
    for scope, status in {
        f"put_file:{artifact}:a.txt": 403,
        f"ws:{OWNER}#a": 400,
        f"get_file:{artifact}:../x": 400,
        "read": 400,
    }.items():
        answer = uma.http.post(path, json={"config": {"extra_scopes": [scope]}})
        assert answer.status_code == status, scope
    owner.call("edit", artifact_id=artifact, permissions={"owner": "*"})
    assert people.bearer(token).refused("get_file", artifact_id=artifact, file_path="a.txt").status == 403


def test_workspaces(owner: Client, people: People, alias: str) -> None:
    lab = f"lab-{alias}".lower()
    bob, uma, anyone = people["bob"], people["uma"], people.anonymous()
    made = owner.workspaces(
        "create_workspace",
        config={"id": lab, "name": "Lab", "description": "d", "members": {"bob": "read_write", "uma": "read"}},
    )
    assert (made["id"], made["name"], made["owners"], made["persistent"]) == (lab, "Lab", ["owner"], True)
    for member in (owner, bob, uma):
        assert member.workspaces("get_workspace_info", workspace=lab) == made
        assert lab in [workspace["id"] for workspace in member.workspaces("list_workspaces")]
    for stranger in (people["vera"], anyone):
        path = "/public/services/ws/get_workspace_info"
        assert stranger.http.post(path, json={"workspace": lab}).status_code == 403
        assert lab not in [workspace["id"] for workspace in stranger.workspaces("list_workspaces")]
    taken = uma.http.post("/public/services/ws/create_workspace", json={"config": {"id": lab}})
    assert (taken.status_code, "already exists" in taken.json()["detail"]) == (409, True)

    # A member works there: `read_write` makes and changes what has no parent, `read` only reads.
    artifact = bob.call("create", alias="notes", workspace=lab, manifest={"name": "n"})["id"]
    assert uma.record(artifact)["manifest"] == {"name": "n"}
    assert uma.refused("edit", artifact_id=artifact, manifest={}).status == 403
    assert uma.refused("create", workspace=lab, manifest={}).status == 403
    assert people["vera"].refused("read", artifact_id=artifact).status == 403
    assert owner.call("edit", artifact_id=artifact, manifest={"name": "m"})["manifest"] == {"name": "m"}
    # In a collection a member who is not named has no more than any other user.
    collection = _collection(owner, f"{lab}/col", {"*": "r"})
    assert bob.refused("create", parent_id=collection, manifest={}).status == 403
    # An entry for the members of a workspace asks for membership, not for an address.
    secret = owner.call("create", alias=alias, manifest={}, permissions={f"{lab}/*": "r"})["id"]
    assert bob.record(secret)["id"] == secret
    vera = people["vera"]
    assert vera.http.post(f"/{lab}/services/artifact-manager/read", json={"artifact_id": secret}).status_code == 403
    assert anyone.http.get(f"/{OWNER}/artifacts/{alias}").status_code == 403


@pytest.mark.parametrize("name", ["s3", "health", "a/b", "a b", "ä", "", "ws-user-bob"])
def test_impossible_workspace_names(owner: Client, name: str) -> None:
    answer = owner.http.post("/public/services/ws/create_workspace", json={"config": {"id": name}})
    assert answer.status_code in {400, 403, 409}, answer.text


def test_a_bare_alias_is_looked_up_where_the_token_works(owner: Client, people: People, alias: str) -> None:
    lab = f"lab-{alias}".lower()[:60].rstrip("-")
    owner.workspaces("create_workspace", config={"id": lab})
    owner.call("create", alias=alias, manifest={"where": "home"})
    owner.call("create", alias=alias, workspace=lab, manifest={"where": "lab"})
    assert owner.record(alias)["manifest"] == {"where": "home"}
    at_lab = owner.post(f"/{lab}/services/artifact-manager/read", {"artifact_id": alias})
    assert at_lab["manifest"] == {"where": "lab"}
    agent = people.bearer(owner.workspaces("generate_token", config={"workspace": lab}))
    assert agent.record(alias)["manifest"] == {"where": "lab"}
    assert people["uma"].refused("read", artifact_id=alias).status == 404


def test_an_email_address_is_a_subject(owner: Client, people: People, shared_server: Server, alias: str) -> None:
    artifact = owner.dataset(alias, permissions={"zoe@example.org": "r"})
    zoe = people.bearer(login_token(shared_server, "zoe", email="zoe@example.org"))
    assert zoe.record(artifact)["id"] == artifact
    assert people["yuri"].refused("read", artifact_id=artifact).status == 403


def test_a_signed_url_is_for_one_thing(owner: Client, alias: str) -> None:
    artifact = owner.dataset(alias, {"a.txt": b"a", "b.txt": b"b"})
    owner.call("edit", artifact_id=artifact, stage=True)
    put_url = owner.call("put_file", artifact_id=artifact, file_path="c.txt")
    get_url = owner.call("get_file", artifact_id=artifact, file_path="a.txt")
    other = owner.call("get_file", artifact_id=artifact, file_path="b.txt")
    assert httpx.get(put_url).status_code == 403
    assert put(get_url, b"x").status_code == 403
    base, query = get_url.split("?")
    assert httpx.get(other.split("?")[0] + "?" + query).status_code == 403
    for changed in (query.replace("expires=1", "expires=2", 1), query[:-1] + ("0" if query[-1] != "0" else "1"), ""):
        answer = httpx.get(f"{base}?{changed}")
        assert answer.status_code == 403
        assert "v0-" not in answer.text

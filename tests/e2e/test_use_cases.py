"""The seven use cases of the permission guide, each played by its people on a running service, drafts and files too.

`tests/unit/test_permissions_use_cases.py` has the same as tables; here every step is a request with a real token.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.support.client import Client, People, put
from tests.support.server import Server

HOME = "ws-user-boss"
DATA = b"x,y\n1,2\n"


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


def _collection(people: People, alias: str, permissions: Mapping[str, str], **config: Any) -> str:
    """Let the owner of the workspace make a collection with a committed dataset in it."""
    boss = people["boss"]
    created = boss.call(
        "create", alias=alias, type="collection", manifest={"name": alias}, permissions=dict(permissions), config=config
    )
    boss.dataset(f"{alias}-first", {"a.csv": DATA}, parent_id=created["id"])
    return str(created["id"])


def _draft(client: Client, collection: str, alias: str) -> str:
    """Send a draft with a file by each of the three ways: announced, put at its address, written in the call."""
    draft = client.call("create", parent_id=collection, alias=alias, manifest={"name": "draft"}, stage=True)
    assert (draft["versions"], draft["staging"] is not None) == ([], True)
    artifact = str(draft["id"])
    assert put(client.call("put_file", artifact_id=artifact, file_path="a.csv"), DATA).status_code == 200
    assert client.http.put(f"/{HOME}/artifacts/{alias}/files/d/b.csv", content=DATA).status_code == 200
    client.call("write_file", artifact_id=artifact, file_path="readme.txt", content="read me")
    client.call("edit", artifact_id=artifact, manifest={"name": "better"})
    return artifact


def _sees_draft(client: Client, collection: str, draft: str) -> bool:
    """Tell whether a draft is there for somebody: in the list, its record, its files, their bytes. All, or nothing."""
    alias = draft.split("/")[1]
    listing = client.http.get(
        f"/{HOME}/artifacts/{collection.split('/')[1]}/children", params={"stage": "true", "silent": "true"}
    )
    answers = [
        client.http.get(f"/{HOME}/artifacts/{alias}?stage=true"),
        client.http.get(f"/{HOME}/artifacts/{alias}/files/?stage=true"),
        client.http.get(f"/{HOME}/artifacts/{alias}/files/a.csv?stage=true&use_proxy=true"),
        client.http.get(f"/{HOME}/artifacts/{alias}/files/a.csv?stage=true"),
        client.http.get(f"/{HOME}/artifacts/{alias}/create-zip-file?stage=true"),
        client.http.get(f"/{HOME}/artifacts/{alias}/history"),
    ]
    found = {answer.status_code for answer in answers}
    is_listed = listing.status_code == 200 and alias in [record["alias"] for record in listing.json()]
    assert (found <= {200, 307}, is_listed) in {(True, True), (False, False)}
    assert is_listed or found == {403}
    if is_listed:
        assert answers[0].json()["manifest"] == {"name": "better"}
        assert [entry["name"] for entry in answers[1].json()] == ["a.csv", "d", "readme.txt"]
        assert answers[2].content == DATA
        assert httpx.get(answers[3].headers["location"]).content == DATA
    return is_listed


def _reads(client: Client, artifact: str) -> bool:
    """Tell whether what is committed can be read, and its files downloaded. Both, or neither."""
    alias = artifact.split("/")[1]
    record = client.http.get(f"/{HOME}/artifacts/{alias}?silent=true")
    file = client.http.get(f"/{HOME}/artifacts/{alias}/files/a.csv?use_proxy=true")
    assert (record.status_code, file.status_code) in {(200, 200), (403, 403)}
    return record.status_code == 200


def _browses(client: Client, collection: str, alias: str) -> bool:
    answer = client.http.get(f"/{HOME}/artifacts/{collection.split('/')[1]}/children?silent=true")
    assert answer.status_code in {200, 403}
    return answer.status_code == 200 and alias in [record["alias"] for record in answer.json()]


def _denied(client: Client, method: str, word: str, **arguments: Any) -> None:
    """Try what must be refused, for the reason that the text gives."""
    error = client.refused(method, **arguments)
    assert (error.status, error.code, word in error.detail) == (403, "permission_denied", True), error.detail


def _cannot_change(client: Client, artifact: str) -> None:
    """Try every change of somebody else's committed artifact."""
    for method, arguments in (
        ("edit", {"manifest": {"name": "mine"}}),
        ("edit", {"manifest": {"name": "mine"}, "stage": True}),
        ("edit", {"version": "new"}),
        ("put_file", {"file_path": "a.csv"}),
        ("remove_file", {"file_path": "a.csv"}),
        ("delete", {}),
        ("set_download_weight", {"file_path": "a.csv", "download_weight": 9}),
        ("reset_stats", {}),
    ):
        _denied(client, method, "permission", artifact_id=artifact, **arguments)
    path = f"/{HOME}/artifacts/{artifact.split('/')[1]}/files/a.csv"
    assert client.http.put(path, content=b"mine").status_code == 403
    assert client.http.delete(path).status_code == 403


def test_1_a_public_repository_that_takes_contributions(people: People) -> None:
    repository = _collection(people, "case1", {"*": "r", "@": "r+"})
    uma, vera, anyone = people["uma"], people["vera"], people.anonymous()
    for client in (uma, vera, anyone):
        assert _reads(client, f"{HOME}/case1-first")
        assert _browses(client, repository, "case1-first")
    # Reading needs no login, contributing does.
    for stage in (True, False):
        _denied(anyone, "create", "", parent_id=repository, manifest={}, stage=stage)
    draft = _draft(uma, repository, "case1-umas")
    assert _sees_draft(uma, repository, draft)
    assert not _sees_draft(vera, repository, draft)
    assert not _sees_draft(anyone, repository, draft)
    # She needs nobody to commit it.
    assert uma.call("commit", artifact_id=draft)["file_count"] == 3
    assert _reads(anyone, draft)
    assert _browses(anyone, repository, "case1-umas")
    # At once, too; and nobody touches what is another's.
    assert vera.call("create", parent_id=repository, alias="case1-veras", manifest={"name": "v"})["versions"]
    for client in (vera, anyone):
        _cannot_change(client, draft)
    _denied(uma, "edit", "permission", artifact_id=repository, manifest={})


def test_2_a_moderated_community(people: People) -> None:
    community = _collection(people, "case2", {"*": "r", "@": "l+", "moderator": "rw+", "chief": "*"})
    uma, vera, moderator, anyone = people["uma"], people["vera"], people["moderator"], people.anonymous()
    assert _reads(anyone, f"{HOME}/case2-first")
    _denied(anyone, "create", "", parent_id=community, manifest={}, stage=True)
    _denied(uma, "create", "attach", parent_id=community, manifest={})
    good, bad = (_draft(uma, community, f"case2-{name}") for name in ("good", "bad"))
    for draft in (good, bad):
        _denied(uma, "commit", "attach", artifact_id=draft)
        assert not _sees_draft(vera, community, draft)
        assert not _sees_draft(anyone, community, draft)
        assert _sees_draft(uma, community, draft)
        assert _sees_draft(moderator, community, draft)
        assert not _browses(anyone, community, draft.split("/")[1])
    # The moderator approves one and rejects the other.
    committed = moderator.call("commit", artifact_id=good, comment="approved")
    assert [version["version"] for version in committed["versions"]] == ["v0"]
    rejected = moderator.call("discard", artifact_id=bad)
    assert (rejected["versions"], rejected["staging"]) == ([], None)
    assert _reads(anyone, good)
    assert anyone.download(good, "d/b.csv") == DATA
    assert not _reads(anyone, bad)
    # What was rejected is its author's to send again, or to take away.
    uma.call("edit", artifact_id=bad, manifest={"name": "better"}, stage=True)
    uma.upload(bad, "a.csv", b"again")
    assert moderator.files(bad, stage=True) == ["a.csv"]
    uma.call("delete", artifact_id=bad)
    assert moderator.refused("read", artifact_id=bad).status == 404
    # What was approved cannot be changed behind the moderator's back, but he can let a change in.
    _denied(uma, "edit", "mutate", artifact_id=good, manifest={"name": "other"})
    _denied(uma, "delete", "detach", artifact_id=good)
    uma.call("edit", artifact_id=good, manifest={"name": "other"}, stage=True)
    uma.upload(good, "a.csv", b"other")
    _denied(uma, "commit", "mutate", artifact_id=good)
    assert anyone.download(good, "a.csv") == DATA
    assert moderator.download(good, "a.csv", stage=True) == b"other"
    moderator.call("commit", artifact_id=good)
    assert anyone.download(good, "a.csv") == b"other"
    # The chief decides who is who.
    _denied(moderator, "edit", "manage_permissions", artifact_id=community, permissions={"*": "r"})
    people["chief"].call("edit", artifact_id=community, permissions={"*": "r", "chief": "*"})
    _denied(uma, "create", "draft", parent_id=community, manifest={}, stage=True)


def test_3_an_archive_of_publications(people: People) -> None:
    archive = _collection(people, "case3", {"*": "r", "archive_admin": "*"})
    uma, admin, anyone = people["uma"], people["archive_admin"], people.anonymous()
    for client in (uma, anyone):
        assert _reads(client, f"{HOME}/case3-first")
        _cannot_change(client, f"{HOME}/case3-first")
        for stage in (True, False):
            _denied(client, "create", "permission", parent_id=archive, manifest={}, stage=stage)
    draft = _draft(admin, archive, "case3-paper")
    assert not _sees_draft(uma, archive, draft)
    admin.call("commit", artifact_id=draft, version="1.0")
    for client in (uma, anyone):
        assert client.call("read", artifact_id=draft, version="1.0")["manifest"] == {"name": "better"}
        _cannot_change(client, draft)


def test_4_a_team_that_others_may_look_at(people: People) -> None:
    # The team has the whole level on what is in it, which is what `inherit_writes` says.
    project = _collection(
        people,
        "case4",
        {"*": "l", "ada": "rw+", "ben": "rw+", "external": "r"},
        inherit_writes=True,
    )
    ada, ben, external, anyone = people["ada"], people["ben"], people["external"], people.anonymous()
    draft = _draft(ada, project, "case4-work")
    assert _sees_draft(ben, project, draft)
    assert not _sees_draft(external, project, draft)
    assert not _sees_draft(anyone, project, draft)
    ben.upload(draft, "ben.csv", DATA)
    ben.call("commit", artifact_id=draft)
    # Everybody sees that it is there; the reviewer what is in it.
    assert _browses(anyone, project, "case4-work")
    assert not _reads(anyone, draft)
    assert _reads(external, draft)
    _cannot_change(external, draft)
    _cannot_change(anyone, draft)
    _denied(external, "create", "draft", parent_id=project, manifest={}, stage=True)
    for name, member in (("ada", ada), ("ben", ben)):
        edited = member.call("edit", artifact_id=f"{HOME}/case4-first", manifest={"name": f"by {name}"})
        assert edited["manifest"] == {"name": f"by {name}"}


def test_5_staging_for_production(people: People) -> None:
    production = _collection(people, "case5", {"*": "n", "developer": "rd+", "release_manager": "rw+", "ci_bot": "r+"})
    developer, manager, ci = people["developer"], people["release_manager"], people["ci_bot"]
    uma, anyone = people["uma"], people.anonymous()
    for client in (uma, anyone):
        assert not _browses(client, production, "case5-first")
        assert not _reads(client, f"{HOME}/case5-first")
        _denied(client, "create", "draft", parent_id=production, manifest={}, stage=True)
    draft = _draft(developer, production, "case5-release")
    _denied(developer, "commit", "attach", artifact_id=draft)
    _denied(developer, "create", "attach", parent_id=production, manifest={})
    assert _sees_draft(manager, production, draft)
    for client in (ci, uma, anyone):
        assert not _sees_draft(client, production, draft)
    _denied(ci, "commit", "permission", artifact_id=draft)
    manager.call("commit", artifact_id=draft, comment="deploy")
    for client in (developer, manager, ci):
        assert _reads(client, draft)
    for client in (uma, anyone):
        assert not _reads(client, draft)
        _cannot_change(client, draft)
    # The bot makes and attaches by itself.
    assert ci.call("create", parent_id=production, alias="case5-build", manifest={"name": "b"})["versions"]
    _cannot_change(ci, draft)


def test_6_a_sandbox_that_is_shared(people: People) -> None:
    sandbox = _collection(
        people,
        "case6",
        {"*": "n", "collaborator": "rw", "viewer": "r"},
        inherit_writes=True,
    )
    boss, collaborator, viewer = people["boss"], people["collaborator"], people["viewer"]
    uma, anyone = people["uma"], people.anonymous()
    for client in (uma, anyone):
        assert not _browses(client, sandbox, "case6-first")
        assert not _reads(client, f"{HOME}/case6-first")
        _cannot_change(client, f"{HOME}/case6-first")
    assert _reads(viewer, f"{HOME}/case6-first")
    _cannot_change(viewer, f"{HOME}/case6-first")
    draft = _draft(boss, sandbox, "case6-notes")
    assert _sees_draft(collaborator, sandbox, draft)
    assert not _sees_draft(viewer, sandbox, draft)
    collaborator.call("edit", artifact_id=f"{HOME}/case6-first", manifest={"name": "edited"})
    collaborator.upload(draft, "more.csv", DATA)
    collaborator.call("commit", artifact_id=draft)
    assert _reads(viewer, draft)
    _denied(collaborator, "edit", "manage_permissions", artifact_id=sandbox, permissions={"*": "r"})
    boss.call("edit", artifact_id=sandbox, permissions={"*": "r"})
    assert _reads(anyone, draft)


def test_7_a_log_that_is_only_added_to(people: People) -> None:
    log = _collection(people, "case7", {"*": "n", "auditor": "r", "system": "r+"})
    auditor, system, uma, anyone = people["auditor"], people["system"], people["uma"], people.anonymous()
    entry = system.call("create", parent_id=log, alias="case7-entry", manifest={"name": "entry"})["id"]
    draft = _draft(system, log, "case7-files")
    assert not _sees_draft(auditor, log, draft)
    system.call("commit", artifact_id=draft)
    assert _reads(auditor, draft)
    assert _browses(auditor, log, "case7-entry")
    for client in (uma, anyone):
        assert not _browses(client, log, "case7-entry")
        assert not _reads(client, draft)
    for client in (auditor, uma, anyone):
        _cannot_change(client, draft)
        _denied(client, "create", "draft", parent_id=log, manifest={}, stage=True)
    # Not even the writer changes or takes away what stands there.
    for artifact in (entry, draft):
        _denied(system, "edit", "mutate", artifact_id=artifact, manifest={"name": "forged"})
        _denied(system, "delete", "detach", artifact_id=artifact)
        system.call("edit", artifact_id=artifact, manifest={"name": "forged"}, stage=True)
        _denied(system, "commit", "mutate", artifact_id=artifact)
        _denied(system, "edit", "mutate", artifact_id=artifact, stage=False)
    assert auditor.download(draft, "a.csv") == DATA
    assert auditor.record(entry)["manifest"] == {"name": "entry"}

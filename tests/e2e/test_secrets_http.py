"""Secrets over HTTP: who sets and sees them, and that their clear text is nowhere else."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.artifact.secrets import MAX_SECRET_BYTES, MAX_SECRETS
from tests.support.client import METHODS, Client, People, alias_of
from tests.support.server import Server, run

MARKER = "canary-5f1d7a0be2"


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    return people["alice"]


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)[-50:].strip("-")


def secrets_of(client: Client, artifact_id: str) -> Any:
    return client.call("get_secret", artifact_id=artifact_id)


def test_a_secret_is_set_read_set_again_and_removed(alice: Client, alias: str) -> None:
    artifact = alice.dataset(alias)
    assert alice.call("get_secret", artifact_id=artifact, secret_key="API_KEY") is None
    assert secrets_of(alice, artifact) == {}
    assert alice.call("set_secret", artifact_id=artifact, secret_key="API_KEY", secret_value="one") is None
    assert alice.call("get_secret", artifact_id=artifact, secret_key="API_KEY") == "one"
    alice.call("set_secret", artifact_id=artifact, secret_key="API_KEY", secret_value="two")
    alice.call("set_secret", artifact_id=artifact, secret_key="EMPTY", secret_value="")
    assert secrets_of(alice, artifact) == {"API_KEY": "two", "EMPTY": ""}
    alice.call("set_secret", artifact_id=artifact, secret_key="API_KEY", secret_value=None)
    assert secrets_of(alice, artifact) == {"EMPTY": ""}
    # Removing what is not there is no change.
    before = len(alice.call("history", artifact_id=artifact)["items"])
    alice.call("set_secret", artifact_id=artifact, secret_key="API_KEY", secret_value=None)
    assert len(alice.call("history", artifact_id=artifact)["items"]) == before


def test_a_null_removes_and_an_omission_is_an_error(alice: Client, alias: str) -> None:
    artifact = alice.dataset(alias)
    alice.call("set_secret", artifact_id=artifact, secret_key="A", secret_value="a")
    assert "secret_value" in alice.refused("set_secret", artifact_id=artifact, secret_key="A").detail
    assert secrets_of(alice, artifact) == {"A": "a"}
    assert alice.call("get_secret", artifact_id=artifact, secret_key=None) == {"A": "a"}


def test_secrets_are_given_at_creation_and_replaced_by_an_edit(alice: Client, alias: str) -> None:
    artifact = alice.dataset(alias, secrets={"A": "a", "B": "b", "NONE": None})
    assert secrets_of(alice, artifact) == {"A": "a", "B": "b"}
    record = alice.call("edit", artifact_id=artifact, secrets={"B": "new", "C": "c", "A": None})
    assert secrets_of(alice, artifact) == {"B": "new", "C": "c"}
    assert "secrets" not in record
    alice.call("edit", artifact_id=artifact, manifest={"name": "other"}, secrets=None)
    assert secrets_of(alice, artifact) == {"B": "new", "C": "c"}
    alice.call("edit", artifact_id=artifact, secrets={})
    assert secrets_of(alice, artifact) == {}


def test_secrets_of_a_staged_edit_are_in_force_at_once_and_stay_when_it_is_discarded(alice: Client, alias: str) -> None:
    artifact = alice.dataset(alias, secrets={"A": "a"})
    alice.call("edit", artifact_id=artifact, stage=True, manifest={"name": "staged"}, secrets={"A": "new"})
    assert secrets_of(alice, artifact) == {"A": "new"}
    alice.call("discard", artifact_id=artifact)
    assert secrets_of(alice, artifact) == {"A": "new"}
    draft = alice.call("create", alias=f"{alias}-draft", manifest={}, stage=True, secrets={"D": "d"})["id"]
    assert secrets_of(alice, draft) == {"D": "d"}
    alice.call("edit", artifact_id=draft, stage=False, secrets={"E": "e"})
    assert alice.record(draft)["versions"]
    assert secrets_of(alice, draft) == {"E": "e"}


def test_only_the_highest_level_reads_and_rw_sets(people: People, alice: Client, alias: str) -> None:
    levels = {"writer": "rw", "reader": "r", "drafter": "rd+", "holder": "*", "listed": ["get_secret"]}
    artifact = alice.dataset(alias, config={"permissions": levels}, secrets={"A": "a"})
    for name in ("writer", "reader", "drafter", "stranger"):
        refused = people[name].refused("get_secret", artifact_id=artifact)
        assert (refused.status, "get_secret" in refused.detail) == (403, True)
    assert people.anonymous().refused("get_secret", artifact_id=artifact, secret_key="A").status == 403
    for name in ("holder", "listed"):
        assert people[name].call("get_secret", artifact_id=artifact, secret_key="A") == "a"
    for name in ("reader", "drafter", "listed", "stranger"):
        refused = people[name].refused("set_secret", artifact_id=artifact, secret_key="A", secret_value="x")
        assert (refused.status, "set_secret" in refused.detail) == (403, True)
    people["writer"].call("set_secret", artifact_id=artifact, secret_key="B", secret_value="b")
    assert secrets_of(alice, artifact) == {"A": "a", "B": "b"}
    refused = people["drafter"].refused("edit", artifact_id=artifact, stage=True, secrets={"A": "x"})
    assert (refused.status, "set_secret" in refused.detail) == (403, True)
    assert alice.record(artifact, version="stage")["staging"] is None
    assert secrets_of(alice, artifact) == {"A": "a", "B": "b"}


def test_a_creator_in_somebody_elses_collection_keeps_secrets_that_its_owner_reads_as_workspace_admin(
    people: People, alice: Client, alias: str
) -> None:
    parent = alice.dataset(alias, type="collection", config={"permissions": {"@": "r+", "*": "l+"}})
    child = people["bob"].call("create", alias=f"{alias}-c", parent_id=parent, manifest={}, secrets={"A": "a"})["id"]
    assert secrets_of(people["bob"], child) == {"A": "a"}
    people["bob"].call("set_secret", artifact_id=child, secret_key="B", secret_value="b")
    assert secrets_of(alice, child) == {"A": "a", "B": "b"}
    assert people["carol"].refused("get_secret", artifact_id=child).status == 403
    anonymous = people.anonymous()
    refused = anonymous.refused("create", parent_id=parent, manifest={}, stage=True, secrets={"A": "a"})
    assert (refused.status, "set_secret" in refused.detail) == (403, True)


def test_history_shows_names_to_holders_of_everything_alone_and_values_to_nobody(
    people: People, alice: Client, alias: str
) -> None:
    artifact = alice.dataset(alias, config={"permissions": {"reader": "r"}}, secrets={"NAME_A": "value a"})
    alice.call("set_secret", artifact_id=artifact, secret_key="NAME_A", secret_value=None)

    def told(client: Client) -> list[Any]:
        items = client.call("history", artifact_id=artifact)["items"]
        assert "sealed" not in json.dumps(items)
        return [item["data"] for item in items if item["type"] == "artifact.secrets_changed"]

    assert told(alice) == [{"set": [], "removed": ["NAME_A"]}, {"set": ["NAME_A"], "removed": []}]
    assert told(people["reader"]) == [{}, {}]
    assert "NAME_A" not in json.dumps(people["reader"].call("history", artifact_id=artifact))


def test_no_record_and_no_list_knows_of_secrets(people: People, alice: Client, alias: str) -> None:
    config = {"permissions": {"*": "r"}}
    artifact = alice.dataset(alias, type="collection", config=config, secrets={"NAME_B": "value b"})
    child = alice.dataset(f"{alias}-c", parent_id=artifact, secrets={"NAME_B": "value b"})
    shown = [
        alice.record(artifact),
        alice.call("list", parent_id=artifact, list_fields=["id", "secrets"]),
        alice.call("list", parent_id=artifact, keywords=["NAME_B"], silent=True),
        alice.get(f"/{child.replace('/', '/artifacts/')}"),
        alice.call("versions", artifact_id=artifact),
    ]
    assert "NAME_B" not in json.dumps(shown)
    assert '"secrets"' not in json.dumps(shown)


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("", "a", "name of a secret"),
        ("a\nb", "a", "name of a secret"),
        ("x" * 257, "a", "name of a secret"),
        ("A", 7, "secret_value"),
        ("A", {"a": 1}, "secret_value"),
        ("A", "x" * (MAX_SECRET_BYTES + 1), str(MAX_SECRET_BYTES)),
    ],
)
def test_what_is_refused(alice: Client, alias: str, key: str, value: Any, part: str) -> None:
    artifact = alice.dataset(alias)
    refused = alice.refused("set_secret", artifact_id=artifact, secret_key=key, secret_value=value)
    assert refused.status in {400, 413}
    assert part in refused.detail
    assert secrets_of(alice, artifact) == {}
    if isinstance(value, str) or not value:
        assert alice.refused("edit", artifact_id=artifact, secrets={key: value}).status == refused.status


def test_there_are_limits_at_creation_too(alice: Client, alias: str) -> None:
    many = {f"S{number}": "x" for number in range(MAX_SECRETS + 1)}
    assert f"{MAX_SECRETS} secrets" in alice.refused("create", alias=alias, manifest={}, secrets=many).detail
    large = {f"S{number}": "x" * MAX_SECRET_BYTES for number in range(9)}
    refused = alice.refused("create", alias=alias, manifest={}, secrets=large)
    assert (refused.status, "together" in refused.detail) == (413, True)
    assert alice.refused("create", alias=alias, manifest={}, secrets={"A": ["x"]}).status == 400
    assert alice.refused("read", artifact_id=alias).status == 404


def test_secrets_of_what_is_not_there(alice: Client, alias: str) -> None:
    for method, arguments in (("get_secret", {}), ("set_secret", {"secret_key": "A", "secret_value": "a"})):
        assert alice.refused(method, artifact_id=alias, **arguments).status == 404
    artifact = alice.dataset(alias, secrets={"A": "a"})
    alice.call("delete", artifact_id=artifact)
    assert alice.refused("get_secret", artifact_id=artifact).status == 404
    # A new life of the alias has none of the old one's.
    assert secrets_of(alice, alice.dataset(alias)) == {}


def test_clear_text_is_nowhere_but_in_answers_to_those_who_may_have_it(tmp_path: Path) -> None:
    answers: list[httpx.Response] = []
    environment = {"ARTIFACT_MANAGER_LOG_LEVEL": "debug"}
    with Server(tmp_path / "data", environment) as server, People(server) as people:
        alice, mallory = people["alice"], people["mallory"]

        def call(client: Client, method: str, /, **arguments: Any) -> httpx.Response:
            answer = client.http.post(METHODS + method, json=arguments)
            answers.append(answer)
            return answer

        count = 0

        def secret() -> str:
            nonlocal count
            count += 1
            return f"{MARKER}-{count}"

        assert call(alice, "create", alias="a", manifest={}, secrets={"A": secret()}).status_code == 200
        assert call(alice, "create", alias="d", manifest={}, stage=True, secrets={"A": secret()}).status_code == 200
        assert call(alice, "edit", artifact_id="a", secrets={"A": secret(), "B": secret()}).status_code == 200
        assert call(alice, "edit", artifact_id="a", stage=True, secrets={"A": secret()}).status_code == 200
        assert call(alice, "edit", artifact_id="a", stage=False, secrets={"A": secret()}).status_code == 200
        for key in ("A", "S3_SECRET_ACCESS_KEY"):
            given = {"artifact_id": "a", "secret_key": key, "secret_value": secret()}
            assert call(alice, "set_secret", **given).status_code == 200
        query = {"artifact_id": "a", "secret_key": "Q", "secret_value": secret()}
        answers.append(alice.http.get(METHODS + "set_secret", params=query))
        assert answers[-1].status_code == 200
        assert call(alice, "create", alias="a", manifest={}, overwrite=True, secrets={"A": secret()}).status_code == 200
        # All that can be refused about them.
        refusals: list[tuple[Client, str, dict[str, Any]]] = [
            (mallory, "set_secret", {"artifact_id": "ws-user-alice/a", "secret_key": "A", "secret_value": secret()}),
            (alice, "set_secret", {"artifact_id": "a", "secret_key": "A", "secret_value": [secret()]}),
            (alice, "set_secret", {"artifact_id": "a", "secret_key": "A", "secret_value": secret() * 5_000}),
            (alice, "set_secret", {"artifact_id": "a", "secret_key": "", "secret_value": secret()}),
            (alice, "set_secret", {"artifact_id": "none", "secret_key": "A", "secret_value": secret()}),
            (alice, "set_secret", {"artifact_id": "a", "secret_value": secret()}),
            (alice, "create", {"alias": "a", "manifest": {}, "secrets": {"A": secret()}}),
            (alice, "create", {"alias": "b", "manifest": {}, "secrets": {"A": {"x": secret()}}}),
            (alice, "create", {"alias": "b", "manifest": {}, "secrets": [secret()]}),
            (alice, "create", {"alias": "b", "manifest": [], "secrets": {"A": secret()}}),
            (alice, "edit", {"artifact_id": "a", "secrets": {"A": 1, "B": secret()}}),
            (alice, "edit", {"artifact_id": "a", "secrets": {"\n": secret()}}),
        ]
        for client, method, arguments in refusals:
            assert call(client, method, **arguments).status_code in {400, 403, 404, 409, 413}, (method, arguments)
        body = f'{{"artifact_id": "a", "secret_key": "A", "secret_value": "{secret()}'
        answers.append(alice.http.post(METHODS + "set_secret", content=body))
        assert answers[-1].status_code == 400
        call(alice, "set_secret", artifact_id="a", secret_key="A", secret_value=secret())
        for method in ("read", "history", "versions"):
            call(alice, method, artifact_id="a")
        call(alice, "history", artifact_id="a", kinds="all")
        call(alice, "list", parent_id=None)
        call(mallory, "get_secret", artifact_id="ws-user-alice/a")
        answers += [alice.http.get(path) for path in ("/schema/openapi.json", "/health/ready", "/schema")]
        assert alice.call("get_secret", artifact_id="a", secret_key="A") == f"{MARKER}-{count}"
        assert server.terminate() == 0
        log = server.log
    assert '"operation":"set_secret"' in log
    for answer in answers:
        assert MARKER not in answer.text, answer.request.url
    assert MARKER not in log
    # As it stands, and inside base64 at each of the three places where it may begin.
    written = [MARKER.encode()]
    written += [base64.b64encode(b"x" * shift + MARKER.encode())[4:-4] for shift in range(3)]
    files = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    names = {file.name for file in files}
    assert {"log.db", "access-log.db", "keys.db", "secret-keys"} <= names
    assert any(file.name.startswith("catalog-") for file in files)
    for file in files:
        data = file.read_bytes()
        assert not any(text in data for text in written), file


def test_keys_are_rotated_beside_the_running_service_and_the_old_one_is_taken_out(tmp_path: Path) -> None:
    old, new = (run("secrets", "new-key").stdout.strip() for _ in range(2))
    variable = "ARTIFACT_MANAGER_SECRET_KEYS"
    data = ("--data-dir", str(tmp_path / "data"))

    def started(keys: str) -> Server:
        return Server(tmp_path / "data", {variable: keys})

    with started(old) as server, People(server) as people:
        for number in range(3):
            people["alice"].dataset(f"a{number}", secrets={"A": f"value {number}"})
        assert not (tmp_path / "data" / "secret-keys").exists()
    # Only a running service with both keys may be rotated beside.
    with started(f"{new},{old}") as server, People(server) as people:
        done = run("secrets", "rotate", *data, environment={variable: f"{new},{old}"})
        assert (done.returncode, done.stdout) == (0, "3 keys encrypted anew, 0 were up to date\n"), done.stderr
        assert people["alice"].call("get_secret", artifact_id="a1", secret_key="A") == "value 1"
        again = run("secrets", "rotate", *data, environment={variable: f"{new},{old}"})
        assert again.stdout == "0 keys encrypted anew, 3 were up to date\n"
    with started(new) as server, People(server) as people:
        assert people["alice"].call("get_secret", artifact_id="a2", secret_key="A") == "value 2"
        assert "secrets_unreadable" not in server.log
    # With the wrong ring the service runs, says what is wrong, and loses nothing.
    with started(old) as server, People(server) as people:
        alice, key_id = people["alice"], new.split(":")[0]
        assert "secrets_unreadable" in server.log
        for method, arguments in (("get_secret", {}), ("set_secret", {"secret_key": "B", "secret_value": "b"})):
            refused = alice.refused(method, artifact_id="a0", **arguments)
            assert (refused.status, refused.code) == (503, "secrets_unreadable")
            assert key_id in refused.detail
        assert alice.record("a0")["alias"] == "a0"
        alice.call("set_secret", artifact_id="a0", secret_key="A", secret_value=None)
        failed = run("secrets", "rotate", *data, environment={variable: old})
        assert failed.returncode == 1
        assert f"3 by '{key_id}'" in failed.stderr
        assert all(key.split(":")[1] not in failed.stderr + server.log for key in (old, new))


def test_a_service_without_configuration_keeps_a_ring_that_a_restart_finds(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, People(server) as people:
        people["alice"].dataset("a", secrets={"A": "a"})
        server.kill()
        assert (tmp_path / "data" / "secret-keys").stat().st_mode & 0o777 == 0o600
        server.start()
        assert secrets_of(people["alice"], "a") == {"A": "a"}
        server.kill()
        # Without its key, the ciphertext of a copied log is nothing.
        (tmp_path / "data" / "keys.db").unlink()
        for left in (tmp_path / "data").glob("keys.db-*"):
            left.unlink()
        shutil.copy(tmp_path / "data" / "log.db", tmp_path / "copy.db")
        server.start()
        refused = people["alice"].refused("get_secret", artifact_id="a")
        assert (refused.code, "Set them again" in refused.detail) == ("secrets_unreadable", True)
        people["alice"].call("edit", artifact_id="a", secrets={"A": "again"})
        assert secrets_of(people["alice"], "a") == {"A": "again"}


@pytest.mark.parametrize("keys", ["nonsense", "id:c2hvcnQ=", ","])
def test_a_malformed_ring_is_told_at_the_start_without_a_key(tmp_path: Path, keys: str) -> None:
    environment = {"ARTIFACT_MANAGER_SECRET_KEYS": keys}
    for command in ("serve", "secrets rotate"):
        refused = run(*command.split(), "--data-dir", str(tmp_path / "data"), environment=environment)
        assert refused.returncode == 1
        assert "ARTIFACT_MANAGER_SECRET_KEYS" in refused.stderr
        assert "c2hvcnQ" not in refused.stderr
        assert "Traceback" not in refused.stderr

"""The service as an operator meets it: start, tokens, locks, ends, read models."""

import json
import os
import signal
import stat
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server, run

METHODS = "/public/services/artifact-manager/"


def _create(client: httpx.Client, alias: str) -> str:
    answer = client.post(METHODS + "create", json={"alias": alias, "manifest": {"name": alias}})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_the_service_is_one_process_that_says_its_url(server: Server) -> None:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    assert children == []
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert httpx.get(server.url + "/health/ready").json()["detail"]["projections"]["catalog"]["lag"] == 0


def test_what_was_acknowledged_survives_sigkill(server: Server) -> None:
    with server.client("alice") as client:
        created = [_create(client, f"thing-{number}") for number in range(5)]
        server.kill()
        server.start()
        found = client.post(METHODS + "list", json={}).json()
        assert {record["id"] for record in found} == set(created)
        for artifact_id in created:
            assert client.post(METHODS + "read", json={"artifact_id": artifact_id}).status_code == 200


def test_sigterm_ends_it_in_order(server: Server) -> None:
    with server.client("alice") as client:
        _create(client, "thing")
        assert server.terminate() == 0
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert lines[-1]["event"] == "stopped"
    assert [line for line in lines if line["level"] == "error"] == []


def test_a_second_service_is_refused_the_directory_and_the_port(server: Server, tmp_path: Path) -> None:
    directory = run("serve", "--port", "0", "--data-dir", str(server.data_dir))
    assert (directory.returncode, directory.stdout) == (1, "")
    assert "in use by another process" in directory.stderr
    port = run("serve", "--port", str(server.port), "--data-dir", str(tmp_path / "other"))
    assert port.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{server.port}: Address already in use" in port.stderr


def test_a_wrong_setting_is_one_clear_line(tmp_path: Path) -> None:
    ended = run("serve", "--data-dir", str(tmp_path), environment={"ARTIFACT_MANAGER_PROT": "1"})
    assert ended.returncode == 1
    assert ended.stderr == "Error: ARTIFACT_MANAGER_PROT is not a setting; did you mean ARTIFACT_MANAGER_PORT?\n"


def test_the_secret_is_private_and_tokens_work_across_restarts(server: Server) -> None:
    secret = server.data_dir / "token-secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with server.client("alice") as client:
        server.terminate()
        server.start()
        assert client.post(METHODS + "list", json={}).status_code == 200


def test_a_token_is_all_that_is_printed(shared_server: Server) -> None:
    made = run("token", "create", "--user", "bob", "--workspace", "lab", "--data-dir", str(shared_server.data_dir))
    assert made.stderr == ""
    assert made.stdout.count("\n") == 1
    assert made.stdout.count(".") == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--user", ""], "user id"),
        (["--user", "bob", "--expires-in", "0"], "expires_in"),
        (["--user", "bob", "--permission", "everything"], "Invalid value for '--permission'"),
        ([], "Missing option '--user'"),
    ],
)
def test_an_impossible_token_is_refused(tmp_path: Path, options: list[str], text: str) -> None:
    ended = run("token", "create", "--data-dir", str(tmp_path), *options)
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert text in ended.stderr


def test_a_read_model_is_rebuilt_while_the_service_runs(server: Server) -> None:
    with server.client("alice") as client:
        _create(client, "thing")
        before = client.post(METHODS + "list", json={}).json()
        rebuilt = run("projections", "rebuild", "catalog", "--data-dir", str(server.data_dir))
        assert rebuilt.returncode == 0, rebuilt.stderr
        _create(client, "other")
        after = client.post(METHODS + "list", json={"order_by": "id"}).json()
    assert [record["alias"] for record in after] == ["thing", "other"]
    assert after[0] == before[0]
    status = run("projections", "status", "--data-dir", str(server.data_dir))
    assert [line.split()[0] for line in status.stdout.splitlines()] == ["name", "catalog", "stages", "statistics"]


def test_looking_at_nothing_is_refused(tmp_path: Path) -> None:
    for arguments in (["status"], ["rebuild", "catalog"]):
        ended = run("projections", *arguments, "--data-dir", str(tmp_path / "nothing"))
        assert ended.returncode == 1
        assert "There is no data" in ended.stderr
        assert not (tmp_path / "nothing").exists()


def test_an_unknown_read_model_is_named(shared_server: Server) -> None:
    ended = run("projections", "rebuild", "bogus", "--data-dir", str(shared_server.data_dir))
    assert ended.returncode == 1
    assert "There is no read model 'bogus'; there are: catalog, stages, statistics" in ended.stderr


def test_an_interrupt_is_an_orderly_end_too(server: Server) -> None:
    os.kill(server.pid, signal.SIGINT)
    assert server.wait() == 0

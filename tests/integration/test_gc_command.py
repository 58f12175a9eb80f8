"""The command `artifact-manager gc`: beside a running service it refuses, elsewhere it does the chores."""

from pathlib import Path

from tests.support.server import Server, run


def test_beside_a_running_service_it_says_who_does_it(tmp_path: Path) -> None:
    with Server(tmp_path / "data"):
        for options in ((), ("--dry-run",)):
            refused = run("gc", *options, "--data-dir", str(tmp_path / "data"))
            assert refused.returncode == 1
            assert "in use by another process" in refused.stderr
            assert "A service that runs does this by itself" in refused.stderr


def test_without_data_it_says_so(tmp_path: Path) -> None:
    refused = run("gc", "--data-dir", str(tmp_path / "none"))
    assert refused.returncode == 1
    assert "There is no data in" in refused.stderr
    assert not (tmp_path / "none").exists()


def test_where_no_service_runs_it_does_the_chores_and_leaves_the_directory_to_the_next(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        assert server.terminate() == 0
        for options, heading in ((("--dry-run",), "would be done"), ((), "done")):
            done = run("gc", *options, "--data-dir", str(tmp_path / "data"))
            assert done.returncode == 0, done.stderr
            assert heading in done.stdout.splitlines()[0]
        server.start()

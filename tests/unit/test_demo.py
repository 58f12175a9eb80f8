import csv
import hashlib
import socket
from pathlib import Path

import pytest

from api.cli.demo import run_demo
from api.cli.demo.data import prepare
from api.cli.demo.report import DemoFailedError, expect, expect_true


def test_files_are_described_as_they_are(tmp_path: Path) -> None:
    files = prepare(tmp_path, computed_size_bytes=10_000)
    assert sorted(files) == ["moons.json", "notes.txt", "orbits.png", "planets.csv", "positions.csv"]
    for name, file in files.items():
        data = (tmp_path / name).read_bytes()
        assert file.size_bytes == len(data)
        assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert b"".join(file.chunks()) == data
    assert files["positions.csv"].size_bytes >= 10_000


def test_positions_follow_the_orbits(tmp_path: Path) -> None:
    path = prepare(tmp_path, computed_size_bytes=200_000)["positions.csv"].path
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["planet"] == "Mercury"]
    distances = [(float(row["x_au"]) ** 2 + float(row["y_au"]) ** 2) ** 0.5 for row in rows]
    # Axis 0.387 au and eccentricity 0.206 bound the distance to the sun.
    assert min(distances) == pytest.approx(0.387 * (1 - 0.206), abs=0.001)
    assert max(distances) == pytest.approx(0.387 * (1 + 0.206), abs=0.001)


def test_a_failed_expectation_names_both_sides() -> None:
    with pytest.raises(DemoFailedError, match=r"versions: expected \['v0'\], got \[\]"):
        expect("versions", [], ["v0"])
    with pytest.raises(DemoFailedError, match="expected that it is refused; got 200"):
        expect_true("it is refused", holds=False, seen=200)


def test_a_url_without_a_token_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_demo("http://127.0.0.1:1", None) == 1
    assert "a token is needed" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held:
        # Bound and never listening, so the connection is refused and nobody else takes the port.
        held.bind(("127.0.0.1", 0))
        assert run_demo(f"http://127.0.0.1:{held.getsockname()[1]}", "token") == 1
    out = capsys.readouterr().out
    assert "FAILED at step 1" in out
    assert "ConnectError" in out

"""Settings come from the environment, are checked, and say which variable is wrong."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.data_directory import DataDirectoryError, locked, token_secret
from adapters.environment import SettingsError, load_settings
from application.settings import LogLevel, Settings, configuration_table, variable_name


def test_nothing_set_gives_the_defaults() -> None:
    assert load_settings({"PATH": "/bin", "OTHER": "x"}) == Settings()


def test_values_are_read_by_their_types() -> None:
    settings = load_settings(
        {
            "ARTIFACT_MANAGER_PORT": "80",
            "ARTIFACT_MANAGER_DATA_DIR": "/srv/data",
            "ARTIFACT_MANAGER_S3_PROXY": "true",
            "ARTIFACT_MANAGER_LOG_LEVEL": "warning",
            "ARTIFACT_MANAGER_UPLOAD_BYTES": "1000",
            "ARTIFACT_MANAGER_PUBLIC_BASE_URL": "https://artifacts.example",
        }
    )
    assert settings == Settings(
        port=80,
        data_dir=Path("/srv/data"),
        s3_proxy=True,
        log_level=LogLevel.WARNING,
        upload_bytes=1000,
        public_base_url="https://artifacts.example",
    )


def test_options_go_before_variables() -> None:
    settings = load_settings({"ARTIFACT_MANAGER_PORT": "80"}, {"port": 0, "host": None, "data_dir": Path("x")})
    assert (settings.port, settings.host, settings.data_dir) == (0, "127.0.0.1", Path("x"))


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("PORT", "many", "expected `int`, got `str`"),
        ("PORT", "70000", "expected `int` <= 65535"),
        ("HOST", "", "expected `str` of length >= 1"),
        ("S3_PROXY", "perhaps", "expected `bool`, got `str`"),
        ("LOG_LEVEL", "loud", "invalid enum value 'loud'"),
        ("TOKEN_SECRET", "short", "must have at least 32 characters"),
        ("DATABASE_URL", "postgresql://db", "must be 'sqlite': this version has no other implementation"),
        ("SEARCH_URL", "http://search", "must be 'sqlite': this version has no other implementation"),
        ("BUS_URL", "nats://bus", "must be 'memory': this version has no other implementation"),
        ("OBJECT_STORE_URL", "s3://bucket", "must be 'directory': this version has no other implementation"),
        ("PUBLIC_BASE_URL", "artifacts.example", "must begin with http:// or https://"),
        ("LOCAL_BASE_URL", "http://inside/", "must not end with a slash"),
        ("SITES_URL", "sites.example", "without a path"),
        ("SITES_URL", "https://sites.example/", "without a path"),
        ("SITES_URL", "https://a.*.example", "without a path"),
        ("SITES_URL", "https://*example", "without a path"),
        ("ANONYMOUS_REQUESTS_PER_SECOND", "0", "expected `float` >= 0.001"),
        ("USER_BURST", "0", "expected `int` >= 1"),
        ("CLIENT_ADDRESS_HEADER", "X Forwarded For", "must be the name of a header"),
        ("TRUSTED_PROXIES", "0", "expected `int` >= 1"),
        ("ACCESS_LOG_BYTES", "1000", "expected `int` >= 1048576"),
        ("BUFFERED_BYTES", "2000000", "must be at least ARTIFACT_MANAGER_REQUEST_BYTES (33554432)"),
    ],
)
def test_a_wrong_value_names_its_variable(variable: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({f"ARTIFACT_MANAGER_{variable}": value})
    text = str(caught.value)
    assert text.startswith(f"ARTIFACT_MANAGER_{variable}")
    assert text.endswith(reason)


def test_an_unknown_variable_is_refused_with_a_suggestion() -> None:
    with pytest.raises(SettingsError, match=r"ARTIFACT_MANAGER_PROT is not a setting; did you mean ARTIFACT_MANAGER_P"):
        load_settings({"ARTIFACT_MANAGER_PROT": "1"})


def test_the_example_of_the_deployment_is_valid_and_sets_every_limit() -> None:
    lines = (Path(__file__).parents[2] / "deploy" / "production.env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings = load_settings(environment)
    limits = (
        settings.anonymous_requests_per_second,
        settings.user_requests_per_second,
        settings.access_log_bytes,
        settings.upload_bytes,
    )
    assert None not in limits


def test_the_table_has_a_row_with_a_meaning_for_every_setting() -> None:
    rows = [line.split(" | ") for line in configuration_table().splitlines()[2:]]
    assert [row[0].strip("| `") for row in rows] == [variable_name(name) for name in Settings.__struct_fields__]
    assert all(row[-1].strip(" |") for row in rows)


def test_a_secret_is_made_once_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    secret = token_secret(directory)
    assert len(secret) >= 48
    assert token_secret(directory) == secret
    assert stat.S_IMODE((directory / "token-secret").stat().st_mode) == 0o600
    assert [file.name for file in directory.iterdir()] == ["token-secret"]


def test_a_damaged_secret_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "token-secret").write_text("abc")
    with pytest.raises(DataDirectoryError, match="damaged"):
        token_secret(tmp_path)


def test_a_directory_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(DataDirectoryError, match="in use by another process"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_sigkill_releases_the_directory(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from adapters.data_directory import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataDirectoryError), locked(tmp_path):
            pass
        holder.kill()
    with locked(tmp_path):
        pass


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataDirectoryError, match="cannot be made"), locked(file):
        pass


def test_sites_are_not_at_the_address_of_the_service() -> None:
    urls = {
        "ARTIFACT_MANAGER_PUBLIC_BASE_URL": "https://a.example/x",
        "ARTIFACT_MANAGER_SITES_URL": "https://a.example",
    }
    with pytest.raises(SettingsError, match="ARTIFACT_MANAGER_SITES_URL must be another address"):
        load_settings(urls)
    urls["ARTIFACT_MANAGER_SITES_URL"] = "https://*.a.example"
    assert load_settings(urls).sites_url == "https://*.a.example"

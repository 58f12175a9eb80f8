"""Which server the main job runs on, and how it ends."""

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from api.cli.demo import access, durability, first_version, reading, versions
from api.cli.demo.client import Client
from api.cli.demo.data import prepare
from api.cli.demo.job import Job
from api.cli.demo.report import DemoFailedError, Report
from api.cli.demo.server import OwnServer

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def run_demo(url: str | None, token: str | None) -> int:
    """Run the main job; give the exit status: 0 when every step came out as promised, else 1.

    Without a URL a server is started on a free port and a temporary directory, and is killed and restarted on the way.
    With one, `token` says who the caller is; that server is left running, with what the job made.
    """
    report = Report()
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="artifact-manager-demo-") as name:
            folder = Path(name)
            if url is None:
                _run_on_own_server(report, folder)
            else:
                if token is None:
                    raise DemoFailedError("a token is needed with a URL: artifact-manager token create --user alice")
                _run_on(report, folder, url.rstrip("/"), token)
    except (DemoFailedError, httpx.HTTPError) as error:
        report.say(f"FAILED at step {report.step_count}: {type(error).__name__}: {error}")
        return 1
    report.say(f"All {report.step_count} steps passed in {time.monotonic() - started:.1f} s.")
    return 0


def _run_on_own_server(report: Report, folder: Path) -> None:
    server = OwnServer(folder)
    report.say("Starting a server on a free port and a temporary directory ...")
    try:
        url = server.start()
        report.say(f"It answers at {url}.")
        token = server.create_token("alice")
        with _job(report, folder, url, token) as job:
            first_version.run(job)
            reading.run(job)
            durability.run(job, server, url, token)
            versions.run(job, folder)
            access.run(job)
    finally:
        server.stop()
    report.say("The server was stopped and its directory removed.")


def _run_on(report: Report, folder: Path, url: str, token: str) -> None:
    report.say(f"Using the server at {url}.")
    with _job(report, folder, url, token) as job:
        first_version.run(job)
        reading.run(job)
        versions.run(job, folder)
        access.run(job)


@contextmanager
def _job(report: Report, folder: Path, url: str, token: str) -> Iterator[Job]:
    source = folder / "source"
    source.mkdir()
    is_local = urlsplit(url).hostname in _LOCAL_HOSTS
    client, anonymous = Client(url, token, is_local=is_local), Client(url, None, is_local=is_local)
    try:
        yield Job(
            client=client,
            anonymous=anonymous,
            report=report,
            files=prepare(source),
            suffix=secrets.token_hex(4),
        )
    finally:
        client.close()
        anonymous.close()

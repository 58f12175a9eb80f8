"""A real service as a child process, on a free port and a data directory of the test's own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import httpx

COMMAND = [sys.executable, "-m", "api.cli.main"]
READY_SECONDS = 30.0
STOP_SECONDS = 15.0


class Server:
    """Starts `artifact-manager serve`, waits until it says its URL, and ends it again.

    It listens on the same port after a restart, so that URLs stay good. The log is kept in `log_path`.
    """

    def __init__(self, data_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.log_path = data_dir.with_name(data_dir.name + ".log")
        self.url = ""
        self.port = 0
        self._environment = clean_environment(environment)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def start(self) -> "Server":
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        with self.log_path.open("a") as log:
            self._process = subprocess.Popen(
                [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment
            )
        assert self._process.stdout is not None
        # The line comes when the service is ready; a service that never says it is killed, and the line is empty.
        timer = threading.Timer(READY_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline().strip()
        finally:
            timer.cancel()
        if not line:
            status = self._process.wait(STOP_SECONDS)
            self._process.stdout.close()
            self._process = None
            raise RuntimeError(f"The service ended with {status}:\n{self.log[-4000:]}")
        self.url = line
        self.port = int(line.rsplit(":", 1)[1])
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        self._running.send_signal(signal.SIGKILL)
        self._ended()

    def terminate(self) -> int:
        """Ask it to stop, and give its exit status."""
        self._running.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended, and give its exit status."""
        return self._ended()

    def token(self, user: str, *options: str) -> str:
        """Make a token with the command line."""
        made = run("token", "create", "--user", user, "--data-dir", str(self.data_dir), *options)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def client(self, user: str | None = None, *options: str) -> httpx.Client:
        """Open a client; without a user it is anonymous. It does not follow redirects."""
        headers = {"authorization": f"Bearer {self.token(user, *options)}"} if user else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    @property
    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "The service does not run"
        return self._process

    def _ended(self) -> int:
        process, self._process = self._running, None
        try:
            status = process.wait(STOP_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(STOP_SECONDS)
            assert process.stdout is not None
            process.stdout.close()
        return status


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command line to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=clean_environment(environment)
    )


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give this environment without the settings of whoever runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARTIFACT_MANAGER_")}
    return {**inherited, **(extra or {})}

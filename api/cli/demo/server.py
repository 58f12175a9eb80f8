"""A server of the demo's own: started, killed and started again on the same data."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from api.cli.demo.report import DemoFailedError

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_COMMAND = (sys.executable, "-m", "api.cli.main")


class OwnServer:
    """`artifact-manager serve` as a child process on a directory."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self._folder = folder
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, on a free port the first time and on the same one after that; give its URL.

        Raises:
            DemoFailedError: It ended, or was not ready in time.
        """
        out_path, log_path = self._folder / "server.out", self._folder / "server.log"
        arguments = ("serve", "--host", "127.0.0.1", "--port", str(self._port), "--data-dir", str(self.data_dir))
        with out_path.open("wb") as out, log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - Our own program.
                [*_COMMAND, *arguments], stdout=out, stderr=log, env=_environment()
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if found := re.search(r"https?://[^\s/]+:(\d+)", out_path.read_text()):
                self._port = int(found[1])
                return found[0]
            if self._process.poll() is not None:
                raise DemoFailedError(f"the server ended with {self._process.returncode}: {_tail(log_path)}")
            time.sleep(_POLL_SECONDS)
        raise DemoFailedError(f"the server was not ready after {_START_SECONDS:.0f} s: {_tail(log_path)}")

    def kill(self) -> int:
        """End it with SIGKILL, as a power cut would; give its process id."""
        if self._process is None:
            raise DemoFailedError("there is no server to kill")
        process, self._process = self._process, None
        process.kill()
        process.wait(_STOP_SECONDS)
        return process.pid

    def stop(self) -> None:
        """End it in order; a server that does not end is killed."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)

    def create_token(self, user: str) -> str:
        """Make a token with the key in the data directory."""
        arguments = ("token", "create", "--user", user, "--data-dir", str(self.data_dir))
        made = subprocess.run(  # noqa: S603 - Our own program.
            [*_COMMAND, *arguments],
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
            env=_environment(),
        )
        if made.returncode != 0:
            raise DemoFailedError(f"token create ended with {made.returncode}: {made.stderr[-500:]}")
        return made.stdout.strip()


def _environment() -> dict[str, str]:
    """Give this environment without settings that are meant for another service on this machine."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ARTIFACT_MANAGER_")}


def _tail(log_path: Path) -> str:
    return log_path.read_text(errors="replace")[-2000:]

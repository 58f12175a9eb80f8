"""Programs outside the virtual environment that some tests drive.

Where one is missing, its tests are left out with a reason, and `make test` says so in one line. A machine that must
have it names it in REQUIRE_SERVICES (comma separated): leaving it out is a failure there.
"""

import os
import shutil
from pathlib import Path

import pytest

TOOLS = {
    "bash": "runs the shell examples of the documentation",
    "chromedriver": "drives the browser in which sites are tested",
    "chromium": "is the browser in which sites are tested",
    "curl": "is what the shell examples of the documentation call",
}
"""What each program is for, by its name on PATH."""


def required() -> frozenset[str]:
    """Name the programs that this machine must have."""
    named = os.environ.get("REQUIRE_SERVICES", "").split(",")
    return frozenset(name.strip() for name in named if name.strip())


def need(name: str) -> Path:
    """Give the program's path; skip the test without it, or fail where it is required."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    reason = f"needs {name}, which is not on PATH: it {TOOLS[name]}"
    if name in required():
        pytest.fail(f"{reason}; REQUIRE_SERVICES names it")
    pytest.skip(reason)


def main() -> None:
    """Say which programs are left out, one line each."""
    for name, purpose in TOOLS.items():
        if shutil.which(name) is None:
            print(f"left out: {name} (not on PATH, and installing it needs root): it {purpose}")


if __name__ == "__main__":
    main()

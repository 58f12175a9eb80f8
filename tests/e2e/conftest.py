"""A running service for the tests that see it from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A service of the test's own, which the test may kill."""
    with Server(tmp_path / "data") as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that the tests of one module share, and leave running."""
    with Server(tmp_path_factory.mktemp("service") / "data") as server:
        yield server

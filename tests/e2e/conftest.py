"""A running service for the tests that see it from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import People
from tests.support.refusals import Watch, furnish
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


@pytest.fixture(scope="module")
def furnished(shared_server: Server) -> Iterator[People]:
    """Callers of the shared service, in which Alice has put something."""
    with People(shared_server) as people:
        furnish(people)
        yield people


@pytest.fixture
def watch(furnished: People) -> Iterator[Watch]:
    """Watch the shared service during a test in which nothing may happen."""
    watch = Watch(furnished)
    before = watch.heads()
    yield watch
    assert watch.heads() == before
    assert watch.problems() == []

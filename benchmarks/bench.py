"""What the benchmarks of one run share: sizes, a directory, and servers that are started when first asked for."""

import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType

from benchmarks.floors import running
from benchmarks.model import Sizes
from benchmarks.seed import Seeded, seed
from benchmarks.service import Service, serving


class Bench:
    """What one run shares. Servers that are not asked for are never started."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._stack = ExitStack()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        self._names = 0

    def __enter__(self) -> "Bench":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def service(self) -> Service:
        """A service that began empty."""
        return self._stack.enter_context(serving(self.directory / "empty"))

    @cached_property
    def litestar(self) -> str:
        """The URL of a bare Litestar route."""
        return self._stack.enter_context(running("litestar", self.directory))

    @cached_property
    def files(self) -> str:
        """The URL of a bare file server."""
        return self._stack.enter_context(running("files", self.directory))

    @cached_property
    def seeded(self) -> tuple[Service, Seeded]:
        """A service that holds large collections and a large file tree."""
        data_dir = self.directory / "seeded"
        seeded = seed(data_dir, self.sizes)
        return self._stack.enter_context(serving(data_dir)), seeded

    def name(self) -> str:
        """Give an alias that was not used before."""
        self._names += 1
        return f"benchmark-{self._names}"

"""Answers lists from a catalog file, in a bounded pool of threads."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import structlog

from application.ports.catalog import CatalogPage, CatalogQuery, CatalogRow
from domain.errors import UnavailableError
from domain.filters.order import DEFAULT_ORDER
from domain.ids import Position
from projections.catalog.compiler import Compiler
from projections.catalog.cursor import After, decode_cursor, encode_cursor
from projections.catalog.document import decode_state
from projections.catalog.lineage import children_of, deleted_with_children, levels_below
from projections.catalog.planner import FEW, Found, Planner
from projections.catalog.schema import connect, uri_of
from projections.catalog.scope import resolve_scope
from projections.catalog.sql import TRUE, Binder, both
from projections.catalog.visibility import Visibility, set_viewer
from projections.position import Progress

READERS: Final = 2
"""Threads that answer searches; SQLite lets them read beside the writer."""

MAX_WAITING: Final = 512
"""Searches that wait for a thread; more are refused."""

SEARCH_SECONDS: Final = 10.0
"""How long one search may take, the time that it waits for a thread included."""

_CHECK_OPERATIONS: Final = 50_000
"""Steps of SQLite's machine between two looks at the clock: some milliseconds."""

_GET_ROW: Final = """
SELECT d.artifact_id, s.state FROM main.documents d JOIN main.states s ON s.doc = d.doc WHERE d.doc = ?
"""
_GET_COUNTS: Final = "SELECT views, downloads_milli FROM counters.counters WHERE artifact_id = ?"

_logger = structlog.get_logger(__name__)

_T = TypeVar("_T")


class SqliteCatalog:
    """The port `Catalog`, answered by SQLite from the file that `use` names.

    `counters` names the file of the counters of views and downloads, if there is one yet; they are read as they are.
    """

    def __init__(
        self,
        epoch: str,
        progress: Progress,
        counters: Callable[[], Path | None] = lambda: None,
        *,
        readers: int = READERS,
        timeout_seconds: float = SEARCH_SECONDS,
        few: int = FEW,
    ) -> None:
        self._path: Path | None = None
        self._epoch = epoch
        self._progress = progress
        self._counters = counters
        self._timeout_seconds = timeout_seconds
        self._few = few
        self._threads = ThreadPoolExecutor(readers, thread_name_prefix="catalog")
        self._waiting = 0
        self._local = threading.local()
        self._readers: list[_Reader] = []

    @property
    def progress(self) -> Progress:
        """How far searches can see; the runner announces it."""
        return self._progress

    def limit_time(self, seconds: float) -> None:
        """Let one search take this long from now on."""
        self._timeout_seconds = seconds

    def use(self, path: Path) -> None:
        """Answer from this file from now on; it holds at least what was announced."""
        self._path = path

    async def search(self, query: CatalogQuery) -> CatalogPage:
        """Answer one page.

        Raises:
            InvalidArgumentError: The cursor is none, or belongs to another order or another log.
            UnavailableError: The search took too long, or too many wait.
        """
        return await self._ask(lambda reader, deadline: reader.search(query, deadline))

    async def levels_below(self, artifact_id: UUID) -> int:
        """Count the levels of artifacts below an artifact; see the port."""
        return await self._ask(
            lambda reader, deadline: reader.look(lambda connection: levels_below(connection, artifact_id), deadline)
        )

    async def children_of(self, parent_id: UUID, limit: int) -> Sequence[UUID]:
        """Name living artifacts in a collection; see the port."""
        return await self._ask(
            lambda reader, deadline: reader.look(lambda connection: children_of(connection, parent_id, limit), deadline)
        )

    async def deleted_with_children(self, limit: int) -> Sequence[UUID]:
        """Name deleted artifacts that something living is in; see the port."""
        return await self._ask(
            lambda reader, deadline: reader.look(lambda connection: deleted_with_children(connection, limit), deadline)
        )

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until the read model holds all events up to a position; False when the time is over."""
        return await self._progress.wait_until(position, timeout_seconds)

    async def close(self) -> None:
        """Finish the searches under way and release the file."""
        await asyncio.to_thread(self.shut_down)

    def shut_down(self) -> None:
        """Do the same where there is no event loop."""
        self._threads.shutdown()
        while self._readers:
            self._readers.pop().close()

    def answer(self, query: CatalogQuery) -> CatalogPage:
        """Answer one page in the calling thread."""
        deadline = time.monotonic() + self._timeout_seconds
        return self._look(lambda reader, deadline: reader.search(query, deadline), deadline)

    async def _ask(self, look: "Callable[[_Reader, float], _T]") -> _T:
        if self._waiting >= MAX_WAITING:
            raise UnavailableError("Too many searches at once; try again later.")
        deadline = time.monotonic() + self._timeout_seconds
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._look, look, deadline)
        finally:
            self._waiting -= 1

    def _look(self, look: "Callable[[_Reader, float], _T]", deadline: float) -> _T:
        if time.monotonic() > deadline:
            raise UnavailableError("The search waited too long; try again later.")
        try:
            return look(self._reader(), deadline)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise UnavailableError("The search takes too long; narrow it down.") from error
            if type(error) not in (sqlite3.OperationalError, sqlite3.DatabaseError):
                raise
            _logger.exception("catalog_search_failed")
            raise UnavailableError("The catalog cannot answer now; try again later.") from error

    def _reader(self) -> "_Reader":
        """Give this thread's connection, a new one when the file has changed."""
        path, counters = self._path, self._counters()
        if path is None:
            raise UnavailableError("The catalog is starting; try again later.")
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None or (reader.path, reader.counters) != (path, counters):
            if reader is not None:
                self._readers.remove(reader)
                reader.close()
            try:
                reader = _Reader(path, counters, self._epoch, self._few)
            except sqlite3.OperationalError:
                self._local.reader = None
                if (self._path, self._counters()) == (path, counters):
                    raise
                # The file was replaced, and removed, since it was looked up.
                return self._reader()
            self._local.reader = reader
            self._readers.append(reader)
        return reader


class _Reader:
    """One connection, used by one thread."""

    def __init__(self, path: Path, counters: Path | None, epoch: str, few: int) -> None:
        self._few = few
        self.path = path
        self.counters = counters
        self._epoch = epoch
        self._connection = connect(path, "rw")
        if counters is not None:
            self._connection.execute("ATTACH ? AS counters", (uri_of(counters, "rw"),))

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def search(self, query: CatalogQuery, deadline: float) -> CatalogPage:
        """Answer one page, all of it from one state of the file."""
        with self._one_state(deadline):
            return self._answer(query, deadline)

    def look(self, ask: Callable[[sqlite3.Connection], _T], deadline: float) -> _T:
        """Answer another question from one state of the file."""
        with self._one_state(deadline):
            return ask(self._connection)

    @contextmanager
    def _one_state(self, deadline: float) -> Iterator[None]:
        connection = self._connection
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_OPERATIONS)
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.set_progress_handler(None, 0)
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _answer(self, query: CatalogQuery, deadline: float) -> CatalogPage:
        order = query.order or DEFAULT_ORDER
        after = decode_cursor(query.after, order, self._epoch) if query.after is not None else None
        binder = Binder()
        set_viewer(self._connection, query.viewer)
        scope = resolve_scope(self._connection, binder, query, deadline)
        if scope is None:
            return CatalogPage(rows=(), total=0 if query.needs_total else None)
        visibility = Visibility(query.viewer, scope.halves)
        compiler = Compiler(
            self._connection,
            binder,
            visibility,
            containers=scope.containers,
            has_counters=self.counters is not None,
        )
        wanted = compiler.condition(query.filter) if query.filter is not None else TRUE
        sources = [
            *(compiler.sources(query.filter) if query.filter is not None else ()),
            *scope.sources,
            *compiler.stage_sources(query.stage),
        ]
        # The cheap test of the filter first.
        condition = both(wanted, visibility.condition(query.stage))
        planner = Planner(self._connection, binder, scope, compiler, condition, sources, self._few)
        # One more than asked for tells whether there is a next page.
        found = planner.page(order, after, query.offset, query.limit + 1 if query.limit else 0)
        rows = tuple(self._row(one) for one in found[: query.limit])
        last = found[query.limit - 1] if len(found) > query.limit else None
        return CatalogPage(
            rows=rows,
            total=planner.total() if query.needs_total else None,
            next_cursor=encode_cursor(After(last.value, last.doc), order, self._epoch) if last else None,
        )

    def _row(self, found: Found) -> CatalogRow:
        artifact_id, state = self._connection.execute(_GET_ROW, (found.doc,)).fetchone()
        counts = None
        if self.counters is not None:
            counts = self._connection.execute(_GET_COUNTS, (artifact_id,)).fetchone()
        views, downloads_milli = counts or (0, 0)
        return CatalogRow(
            artifact=decode_state(state),
            created_position=Position(found.doc),
            view_count=views,
            download_milli=downloads_milli,
        )

"""Chooses how a page is found, so that it costs the same whether a collection has a thousand children or a million.

Two shapes: walk the index of the order and stop when the page is full, or look up the few documents that one of the
conditions can hold for and sort them. A bounded count of what each condition can hold for decides.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from domain.filters.order import DEFAULT_ORDER, Order
from domain.filters.tree import Builtin, BuiltinField, ContentField
from domain.filters.values import Stored
from projections.catalog.compiler import Compiler
from projections.catalog.cursor import After
from projections.catalog.scope import Scope
from projections.catalog.sql import FALSE, TRUE, Binder, Source, both

FEW: Final = 3_000
"""Documents that are looked up and sorted rather than met on a walk; both ways cost about 10 ms at this number in
100,000."""

CHUNK: Final = 250
"""Documents that are tested together."""

_INDEXES: Final = {
    BuiltinField.ID: ("documents_container", "documents_workspace", "d.doc"),
    BuiltinField.CREATED_AT: ("documents_container_created", "documents_workspace_created", "d.created_at"),
    BuiltinField.LAST_MODIFIED: ("documents_container_modified", "documents_workspace_modified", "d.last_modified"),
}


class Found(msgspec.Struct, frozen=True):
    """One document of a page, and what it is ordered by."""

    doc: int
    value: Stored | None


class Planner:
    """Finds the documents of one query."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        binder: Binder,
        scope: Scope,
        compiler: Compiler,
        condition: str,
        sources: Sequence[Source],
        few: int = FEW,
    ) -> None:
        self._connection = connection
        self._binder = binder
        self._scope = scope
        self._compiler = compiler
        self._condition = condition
        self._sources = tuple(sources)
        self._few = few

    def page(self, order: Order, after: After | None, offset: int, limit: int) -> list[Found]:
        """Find one page in order, behind a cursor or an offset."""
        if self._condition == FALSE or limit == 0:
            return []
        few = self._fewest(self._few) if self._sources and self._is_large() else None
        if few is not None and few[0] <= self._few:
            if order.field == DEFAULT_ORDER.field:
                return self._pick(few[1], order, after, offset, limit)
            return self._sort(few[1], order, after, offset, limit)
        walked = self._walk(order, after, offset, limit)
        return self._sort(None, order, after, offset, limit) if walked is None else walked

    def total(self) -> int:
        """Count all documents that the query holds for."""
        if self._condition == FALSE:
            return 0
        few = self._fewest(self._few) if self._sources else None
        tables, where = self._tables(few[1] if few else None)
        return self._count(f"SELECT count(*) FROM {tables} WHERE {where}")  # noqa: S608 - Bound.

    def _is_large(self) -> bool:
        """Tell whether walking through everything would take long."""
        place = f"d.container {self._scope.containers}"
        return (
            self._count(
                "SELECT count(*) FROM (SELECT 1 FROM main.documents d "  # noqa: S608 - Bound.
                f"WHERE d.is_deleted = 0 AND {place} LIMIT {self._few // 3 + 1})"
            )
            > self._few // 3
        )

    def _fewest(self, most: int) -> tuple[int, Source] | None:
        """Find the source with the fewest documents, none counted further than need be."""
        best: tuple[int, Source] | None = None
        for source in self._sources:
            bound = most + 1 if best is None else best[0]
            count = 0
            if source.selects:
                union = " UNION ALL ".join(f"SELECT doc FROM ({select})" for select in source.selects)  # noqa: S608 - Bound.
                count = self._count(f"SELECT count(*) FROM (SELECT 1 FROM ({union}) LIMIT {bound})")  # noqa: S608 - Numbers.
            if best is None or count < best[0]:
                best = (count, source)
            if count == 0:
                break
        return best

    def _count(self, statement: str) -> int:
        row = self._connection.execute(statement, self._binder.values).fetchone()
        return int(row[0])

    def _rows(self, statement: str) -> list[Found]:
        return [Found(doc, value) for doc, value in self._connection.execute(statement, self._binder.values)]

    def _tables(self, source: Source | None) -> tuple[str, str]:
        """Write the tables and the conditions of a statement that needs no order."""
        scope = self._scope
        tables = "main.documents d"
        if source is not None:
            tables = f"({_union(source)}) c CROSS JOIN main.documents d ON d.doc = c.doc"
        elif scope.container is not None:
            tables = "main.documents d INDEXED BY documents_container"
        elif scope.workspace is not None:
            tables = "main.documents d INDEXED BY documents_workspace"
        return self._conditions(tables)

    def _conditions(self, tables: str) -> tuple[str, str]:
        scope = self._scope
        place = TRUE if scope.container is None else f"d.container {scope.containers}"
        return self._join(tables), both("d.is_deleted = 0", place, self._in_workspace(), self._condition)

    def _join(self, tables: str) -> str:
        if self._scope.container is not None:
            return tables
        return f"{tables} CROSS JOIN temp.scope s ON s.container = d.container"

    def _in_workspace(self) -> str:
        scope = self._scope
        return TRUE if scope.workspace is None else f"d.workspace = {self._binder.bind(scope.workspace)}"

    def _sort(self, source: Source | None, order: Order, after: After | None, offset: int, limit: int) -> list[Found]:
        tables, where = self._tables(source)
        tail = _tail(order, offset, limit)
        return self._rows(
            f"SELECT doc, value FROM (SELECT d.doc AS doc, {self._value(order)} AS value FROM {tables} WHERE {where}) "  # noqa: S608 - Bound.
            f"WHERE {self._behind(order, after, 'value', 'doc')} "
            f"ORDER BY value IS NULL, value {tail.direction}, doc {tail.direction} {tail.limits}"
        )

    def _pick(self, source: Source, order: Order, after: After | None, offset: int, limit: int) -> list[Found]:
        """Go through a few documents in the order of creation, and test no more of them than the page needs."""
        docs = [doc for (doc,) in self._connection.execute(_union(source), self._binder.values)]
        docs.sort(reverse=order.is_descending)
        if after is not None:
            docs = [doc for doc in docs if (doc < after.doc if order.is_descending else doc > after.doc)]
        tables, where = self._conditions("json_each(:chunk) c CROSS JOIN main.documents d ON d.doc = c.value")
        found: list[int] = []
        for at in range(0, len(docs), CHUNK):
            values = {**self._binder.values, "chunk": str(docs[at : at + CHUNK])}
            rows = self._connection.execute(f"SELECT d.doc FROM {tables} WHERE {where}", values)  # noqa: S608 - Bound.
            found.extend(sorted((doc for (doc,) in rows), reverse=order.is_descending))
            if len(found) >= offset + limit:
                break
        return [Found(doc, doc) for doc in found[offset : offset + limit]]

    def _value(self, order: Order) -> str:
        if isinstance(order.field, Builtin):
            return self._compiler.number(order.field.name)
        path = self._compiler.path(order.field)
        if path is None:
            return "NULL"
        return (
            "(SELECT o.value FROM main.leaves o "  # noqa: S608 - Bound.
            f"WHERE o.doc = d.doc AND o.path = {self._binder.bind(path)} AND o.is_first = 1)"
        )

    def _behind(self, order: Order, after: After | None, value: str, doc: str) -> str:
        """Write what lies behind a cursor."""
        if after is None:
            return TRUE
        sign = "<" if order.is_descending else ">"
        at = self._binder.bind(after.doc)
        if after.value is None:
            return f"({value} IS NULL AND {doc} {sign} {at})"
        return f"({value} IS NULL OR ({value}, {doc}) {sign} ({self._binder.bind(after.value)}, {at}))"

    def _walk(self, order: Order, after: After | None, offset: int, limit: int) -> list[Found] | None:
        """Walk the index of the order; None when there is none for it."""
        if isinstance(order.field, ContentField):
            return None if self._scope.container is None else self._walk_content(order, after, offset, limit)
        if order.field.name not in _INDEXES:
            return None
        by_container, by_workspace, value = _INDEXES[order.field.name]
        scope, tail = self._scope, _tail(order, offset, limit)
        if scope.container is not None:
            tables, place = f"main.documents d INDEXED BY {by_container}", f"d.container {scope.containers}"
        elif scope.workspace is not None:
            tables, place = f"main.documents d INDEXED BY {by_workspace}", TRUE
        elif order.field.name is BuiltinField.ID:
            tables, place = "main.documents d NOT INDEXED", TRUE
        else:
            return None
        sign = "<" if order.is_descending else ">"
        behind = TRUE
        if after is not None:
            at = self._binder.bind(after.doc)
            is_by_doc = order.field.name is BuiltinField.ID
            behind = (
                f"d.doc {sign} {at}"
                if is_by_doc
                else f"({value}, d.doc) {sign} ({self._binder.bind(after.value)}, {at})"
            )
        where = both("d.is_deleted = 0", place, self._in_workspace(), behind, self._condition)
        by = f"{value} {tail.direction}, d.doc {tail.direction}" if value != "d.doc" else f"d.doc {tail.direction}"
        return self._rows(f"SELECT d.doc, {value} FROM {self._join(tables)} WHERE {where} ORDER BY {by} {tail.limits}")  # noqa: S608 - Bound.

    def _walk_content(self, order: Order, after: After | None, offset: int, limit: int) -> list[Found]:
        """Walk the documents that have the field, and then the others."""
        assert isinstance(order.field, ContentField)  # noqa: S101 - For the type checker.
        path = self._compiler.path(order.field)
        found: list[Found] = []
        if path is not None and (after is None or after.value is not None):
            found = self._walk_present(path, order, after, offset, limit)
            if len(found) == limit:
                return found
            if offset and not found:
                offset -= self._count_present(path)
            else:
                offset = 0
            after = None
        return [*found, *self._walk_missing(path, order, after, offset, limit - len(found))]

    def _present(self, path: int) -> tuple[str, str]:
        tables = "main.leaves o CROSS JOIN main.documents d ON d.doc = o.doc"
        place = f"o.container {self._scope.containers} AND o.path = {self._binder.bind(path)} AND o.is_first = 1"
        return tables, both(place, self._in_workspace(), self._condition)

    def _count_present(self, path: int) -> int:
        tables, where = self._present(path)
        return self._count(f"SELECT count(*) FROM {tables} WHERE {where}")  # noqa: S608 - Bound.

    def _walk_present(self, path: int, order: Order, after: After | None, offset: int, limit: int) -> list[Found]:
        tables, where = self._present(path)
        if after is not None:
            sign = "<" if order.is_descending else ">"
            where += f" AND (o.value, o.doc) {sign} ({self._binder.bind(after.value)}, {self._binder.bind(after.doc)})"
        tail = _tail(order, offset, limit)
        return self._rows(
            f"SELECT o.doc, o.value FROM {tables} WHERE {where} "  # noqa: S608 - Bound.
            f"ORDER BY o.value {tail.direction}, o.doc {tail.direction} {tail.limits}"
        )

    def _walk_missing(
        self, path: int | None, order: Order, after: After | None, offset: int, limit: int
    ) -> list[Found]:
        has_none = TRUE
        if path is not None:
            has_none = (
                "NOT EXISTS (SELECT 1 FROM main.leaves o "  # noqa: S608 - Bound.
                f"WHERE o.doc = d.doc AND o.path = {self._binder.bind(path)} AND o.is_first = 1)"
            )
        sign = "<" if order.is_descending else ">"
        behind = TRUE if after is None or after.value is not None else f"d.doc {sign} {self._binder.bind(after.doc)}"
        tables, where = self._tables(None)
        tail = _tail(order, offset, limit)
        return self._rows(
            f"SELECT d.doc, NULL FROM {tables} WHERE {both(where, behind, has_none)} "  # noqa: S608 - Bound.
            f"ORDER BY d.doc {tail.direction} {tail.limits}"
        )


def _union(source: Source) -> str:
    """Give each document once, however many of its values match."""
    if not source.selects:
        return "SELECT NULL AS doc WHERE 0"
    if len(source.selects) == 1:
        return f"SELECT DISTINCT doc FROM ({source.selects[0]})"  # noqa: S608 - Bound.
    return " UNION ".join(f"SELECT doc FROM ({select})" for select in source.selects)  # noqa: S608 - Bound.


class _Tail(msgspec.Struct, frozen=True):
    direction: str
    limits: str


def _tail(order: Order, offset: int, limit: int) -> _Tail:
    return _Tail("DESC" if order.is_descending else "ASC", f"LIMIT {int(limit)} OFFSET {int(max(offset, 0))}")

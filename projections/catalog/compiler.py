"""Compiles a filter to a condition on `documents d`, and to the statements that find what it can hold for."""

import sqlite3
from typing import Final, assert_never

from domain.filters.facets import CONFIG_WHOLE
from domain.filters.tree import (
    And,
    Builtin,
    BuiltinField,
    ConfigIs,
    ContentField,
    Field,
    Filter,
    GrantIs,
    Keyword,
    Like,
    OneOf,
    Or,
    StageScope,
    Within,
)
from domain.filters.values import Stored, fits
from projections.catalog.sql import FALSE, TRUE, Binder, Source, both, either
from projections.catalog.visibility import Visibility

MAX_TERMS: Final = 256
"""Trigrams that begin with one or two letters and are looked up together."""

MAX_DOCUMENTS: Final = 10_000
"""Documents that these trigrams may be in; beyond, the letters are everywhere, and walking finds them soon."""

MAX_SELECTS: Final = 100
"""Alternatives of one source; SQLite takes 500 in one statement."""

MAX_TRIGRAMS: Final = 16
"""Trigrams of one keyword that are looked up; the text itself is compared in any case."""

_NUMBERS: Final = {
    BuiltinField.CREATED_AT: "d.created_at",
    BuiltinField.LAST_MODIFIED: "d.last_modified",
}
_COUNTS: Final = {BuiltinField.VIEW_COUNT: "views", BuiltinField.DOWNLOAD_COUNT: "downloads_milli"}


class Compiler:
    """Compiles for one statement: what containers it is about, who asks, and whether there are counters."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        binder: Binder,
        visibility: Visibility,
        *,
        containers: str,
        has_counters: bool,
    ) -> None:
        self._connection = connection
        self._binder = binder
        self._visibility = visibility
        self._containers = containers
        self._has_counters = has_counters

    def condition(self, node: Filter) -> str:
        """Write a condition that is true for exactly the documents that the filter holds for."""
        bind = self._binder.bind
        match node:
            case And(parts):
                return both(*(self.condition(part) for part in parts))
            case Or(parts):
                return either(*(self.condition(part) for part in parts))
            case Keyword(text):
                return f"instr((SELECT t.text FROM main.texts t WHERE t.doc = d.doc), {bind(text)}) > 0"  # noqa: S608 - Bound.
            case OneOf(Builtin(BuiltinField.WORKSPACE), values):
                ids = [self._workspace(value) for value in values]
                known = tuple(one for one in ids if one is not None)
                return f"d.workspace IN ({self._binder.bind_all(known)})" if known else FALSE
            case OneOf(field, values):
                return self._one_of(_path_of(field), values)
            case Like(field, pieces):
                path = self._path(field.path)
                if path is None:
                    return FALSE
                return (
                    "EXISTS (SELECT 1 FROM main.leaves l "  # noqa: S608 - Bound.
                    f"WHERE l.doc = d.doc AND l.path = {bind(path)} AND typeof(l.value) = 'text' "
                    f"AND coalesce(l.folded, l.value) GLOB {bind(_glob(pieces))})"
                )
            case Within(name, low, high):
                number = self.number(name)
                return both(
                    TRUE if low is None else f"{number} >= {bind(low)}",
                    TRUE if high is None else f"{number} <= {bind(high)}",
                )
            case ConfigIs(key, canonical):
                return self._one_of(CONFIG_WHOLE + key, (canonical,))
            case GrantIs(subject, canonical):
                return both(
                    "EXISTS (SELECT 1 FROM main.grants g "  # noqa: S608 - Bound.
                    f"WHERE g.doc = d.doc AND g.subject = {bind(subject)} AND g.level = {bind(canonical)})",
                    self._visibility.sees_grant(subject),
                )
            case _:
                assert_never(node)

    def number(self, name: BuiltinField) -> str:
        """Write a built-in number of a document."""
        if name is BuiltinField.ID:
            return "d.doc"
        if name in _NUMBERS:
            return _NUMBERS[name]
        if not self._has_counters:
            return FALSE
        return (
            f"coalesce((SELECT c.{_COUNTS[name]} FROM counters.counters c "  # noqa: S608 - An allow-list.
            "WHERE c.artifact_id = d.artifact_id), 0)"
        )

    def sources(self, node: Filter) -> list[Source]:
        """Give ways to find what a filter can hold for; each alone is enough, and all need its condition as well."""
        if isinstance(node, And):
            return [source for part in node.parts for source in self.sources(part)]
        source = self._source(node)
        return [] if source is None else [source]

    def stage_sources(self, scope: StageScope) -> list[Source]:
        """Give ways to find the artifacts of a stage scope, which are few only where a stage is asked for."""
        if scope is not StageScope.STAGED:
            return []
        return [
            self._select(
                "SELECT d.doc FROM main.documents d "  # noqa: S608 - Bound.
                f"WHERE d.is_deleted = 0 AND d.is_staged = 1 AND d.container {self._containers}"
            )
        ]

    def _source(self, node: Filter) -> Source | None:
        match node:
            case And():
                found = self.sources(node)
                return found[0] if found else None
            case Or(parts):
                selects: list[str] = []
                for part in parts:
                    source = self._source(part)
                    if source is None:
                        return None
                    selects.extend(source.selects)
                return Source(tuple(selects)) if len(selects) <= MAX_SELECTS else None
            case Keyword(text):
                return self._containing(text)
            case Like(field, pieces):
                longest = max(pieces, key=len)
                is_searchable = field.path.startswith("manifest.") and len(longest) >= 3
                return self._containing(longest) if is_searchable else None
            case OneOf(Builtin(BuiltinField.WORKSPACE), _):
                return None
            case OneOf(field, values):
                return self._leaf_source(_path_of(field), values)
            case ConfigIs(key, canonical):
                return self._leaf_source(CONFIG_WHOLE + key, (canonical,))
            case GrantIs(subject, _):
                return self._select(
                    "SELECT g.doc FROM main.grants g "  # noqa: S608 - Bound.
                    f"WHERE g.container {self._containers} AND g.subject = {self._binder.bind(subject)}"
                )
            case Within(BuiltinField.CREATED_AT | BuiltinField.LAST_MODIFIED, _, _):
                return self._select(
                    "SELECT d.doc FROM main.documents d WHERE d.is_deleted = 0 "  # noqa: S608 - Bound.
                    f"AND d.container {self._containers} AND {self.condition(node)}"
                )
            case Within():
                return None
            case _:
                assert_never(node)

    def _one_of(self, path: str, values: tuple[Stored, ...]) -> str:
        found, fitting = self._path(path), _fitting(values)
        if found is None or not fitting:
            return FALSE
        return (
            "EXISTS (SELECT 1 FROM main.leaves l "  # noqa: S608 - Bound.
            f"WHERE l.container = d.container AND l.path = {self._binder.bind(found)} "
            f"AND l.value IN ({self._binder.bind_all(fitting)}) AND l.doc = d.doc)"
        )

    def _leaf_source(self, path: str, values: tuple[Stored, ...]) -> Source:
        found, fitting = self._path(path), _fitting(values)
        if found is None or not fitting:
            return Source(())
        return self._select(
            "SELECT l.doc FROM main.leaves l "  # noqa: S608 - Bound.
            f"WHERE l.container {self._containers} AND l.path = {self._binder.bind(found)} "
            f"AND l.value IN ({self._binder.bind_all(fitting)})"
        )

    def _containing(self, text: str) -> Source | None:
        """Find documents whose text has all the trigrams of a text; None when they are not worth looking up."""
        if not text:
            return None
        if len(text) >= 3:
            trigrams = list(dict.fromkeys(text[at : at + 3] for at in range(len(text) - 2)))
            # Evenly spread, so that the end of a long text counts as well.
            step = -(-len(trigrams) // MAX_TRIGRAMS)
            expression = " AND ".join(_quoted(trigram) for trigram in trigrams[::step])
        else:
            terms = self._terms(text)
            if terms is None:
                return None
            if not terms:
                return Source(())
            expression = " OR ".join(_quoted(term) for term in terms)
        return self._select(
            f"SELECT rowid AS doc FROM main.fts WHERE fts MATCH {self._binder.bind(expression)}"  # noqa: S608 - Bound.
        )

    def _terms(self, text: str) -> list[str] | None:
        """Give the trigrams that begin with one or two letters; None when they are in many documents."""
        terms: list[str] = []
        documents = 0
        for term, count in self._connection.execute(
            "SELECT term, doc FROM main.trigrams WHERE term >= ? AND term < ?", (text, _after(text))
        ):
            terms.append(term)
            documents += count
            # Counting costs what is counted, so it stops as soon as the answer is known.
            if documents > MAX_DOCUMENTS or len(terms) > MAX_TERMS:
                return None
        return terms

    @staticmethod
    def _select(statement: str) -> Source:
        return Source((statement,))

    def _path(self, path: str) -> int | None:
        if not fits(path):
            return None
        row = self._connection.execute("SELECT id FROM main.paths WHERE path = ?", (path,)).fetchone()
        return int(row[0]) if row else None

    def path(self, field: ContentField) -> int | None:
        """Give the number of a path; None when no document has it."""
        return self._path(field.path)

    def _workspace(self, name: Stored) -> int | None:
        if not isinstance(name, str) or not fits(name):
            return None
        row = self._connection.execute("SELECT id FROM main.workspaces WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else None


def _path_of(field: Field) -> str:
    return field.path if isinstance(field, ContentField) else field.name.value


def _fitting(values: tuple[Stored, ...]) -> tuple[Stored, ...]:
    return tuple(value for value in values if not isinstance(value, str) or fits(value))


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'


def _after(text: str) -> str:
    """Give the first text, in the order of code points, behind all that begin with this one."""
    last = ord(text[-1]) + 1
    # Half surrogates are no characters of a text.
    last = 0xE000 if last == 0xD800 else last
    return text[:-1] + chr(last) if last <= 0x10FFFF else text + chr(0x10FFFF) * 3


def _glob(pieces: tuple[str, ...]) -> str:
    return "*".join("".join(f"[{one}]" if one in "*?[" else one for one in piece) for piece in pieces)

"""What filters and orders mean, in plain Python. Indexes give the same answers; a contract suite holds them to it."""

from collections.abc import Callable
from typing import assert_never

import msgspec

from domain.artifact.state import Artifact
from domain.filters.facets import CONFIG_WHOLE, Facets, facets, sort_value
from domain.filters.order import Order
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
from domain.filters.values import Stored, fold
from domain.ids import Position


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact as lists know it. `position` is that of its creation; `downloads_milli` is in thousandths."""

    artifact: Artifact
    facets: Facets
    position: Position
    views: int = 0
    downloads_milli: int = 0


SortKey = tuple[bool, int, Stored, int]


def document_of(artifact: Artifact, position: Position, views: int = 0, downloads_milli: int = 0) -> Document:
    """Make a document, its facets extracted."""
    return Document(
        artifact=artifact, facets=facets(artifact), position=position, views=views, downloads_milli=downloads_milli
    )


def matches(node: Filter, document: Document, sees_grant: Callable[[str], bool] = lambda _: True) -> bool:
    """Tell whether a document fulfils a filter. `sees_grant` tells whose entries the viewer may see on it."""
    match node:
        case And(parts):
            return all(matches(part, document, sees_grant) for part in parts)
        case Or(parts):
            return any(matches(part, document, sees_grant) for part in parts)
        case Keyword(text):
            return text in document.facets.text
        case OneOf(field, values):
            return any(value in values for value in _values(document, field))
        case Like(field, pieces):
            found = document.facets.values.get(field.path, ())
            return any(isinstance(value, str) and is_like(fold(value), pieces) for value in found)
        case Within(name, low, high):
            number = _number(document, name)
            return (low is None or number >= low) and (high is None or number <= high)
        case ConfigIs(key, canonical):
            return document.facets.values.get(CONFIG_WHOLE + key) == (canonical,)
        case GrantIs(subject, canonical):
            return document.facets.grants.get(subject) == canonical and sees_grant(subject)
        case _:
            assert_never(node)


def is_in_scope(artifact: Artifact, scope: StageScope) -> bool:
    """Tell whether an artifact is among those that a stage scope holds."""
    match scope:
        case StageScope.COMMITTED:
            return artifact.is_committed
        case StageScope.STAGED:
            return artifact.stage is not None
        case StageScope.ALL:
            return True


def is_like(text: str, pieces: tuple[str, ...]) -> bool:
    """Tell whether a folded text is made of these pieces, with anything between them."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return text == first
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in pieces[1:-1]:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def sort_key(document: Document, order: Order) -> SortKey:
    """Give a key that puts documents into ascending order; see `Order` for the rules and `in_order` for both ways."""
    match order.field:
        case ContentField(path):
            value = sort_value(document.facets.values.get(path, ()))
        case Builtin(name):
            value = _number(document, name)
    if value is None:
        return (True, 0, 0, document.position)
    rank = 0 if isinstance(value, int | float) else 1 if isinstance(value, str) else 2
    return (False, rank, value, document.position)


def in_order(documents: list[Document], order: Order) -> list[Document]:
    """Order documents, those without the field last either way."""
    keyed = sorted(((sort_key(document, order), document) for document in documents), key=lambda pair: pair[0])
    present = [document for key, document in keyed if not key[0]]
    missing = [document for key, document in keyed if key[0]]
    if order.is_descending:
        return [*reversed(present), *reversed(missing)]
    return [*present, *missing]


def _values(document: Document, field: Field) -> tuple[Stored, ...]:
    if isinstance(field, ContentField):
        return document.facets.values.get(field.path, ())
    if field.name is BuiltinField.WORKSPACE:
        return (document.artifact.workspace,)
    return document.facets.values.get(field.name.value, ())


def _number(document: Document, name: BuiltinField) -> int:
    match name:
        case BuiltinField.CREATED_AT:
            return document.artifact.created_at
        case BuiltinField.LAST_MODIFIED:
            return document.artifact.last_modified
        case BuiltinField.VIEW_COUNT:
            return document.views
        case BuiltinField.DOWNLOAD_COUNT:
            return document.downloads_milli
        case BuiltinField.ID:
            return document.position
        case _:
            raise ValueError(f"{name} is not a number")

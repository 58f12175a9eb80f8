"""The tree of a filter. Every backend compiles it; the plain Python `matches` says what it means."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Union
from uuid import UUID

import msgspec

from domain.filters.values import Stored


class StageScope(StrEnum):
    """Which artifacts a list holds: with a version, with an open stage, or all."""

    COMMITTED = "committed"
    STAGED = "staged"
    ALL = "all"


class BuiltinField(StrEnum):
    """Fields of the record itself. `ID` is the order of creation."""

    ID = "id"
    TYPE = "type"
    ALIAS = "alias"
    WORKSPACE = "workspace"
    CREATED_BY = "created_by"
    CREATED_AT = "created_at"
    LAST_MODIFIED = "last_modified"
    VIEW_COUNT = "view_count"
    DOWNLOAD_COUNT = "download_count"


class Node(msgspec.Struct, frozen=True, tag=True):
    """Base of all nodes."""


class ContentField(Node, frozen=True):
    """A place in the manifest or the configuration: `manifest.` or `config.` and the keys, joined by dots.

    A key that holds a dot and nested keys are the same path. The elements of an array are at the array's path.
    """

    path: str


class Builtin(Node, frozen=True):
    """A field of the record itself."""

    name: BuiltinField


Field = ContentField | Builtin


class And(Node, frozen=True):
    """All of the parts; true without parts."""

    parts: "tuple[Filter, ...]"


class Or(Node, frozen=True):
    """At least one of the parts; false without parts."""

    parts: "tuple[Filter, ...]"


class Keyword(Node, frozen=True):
    """The folded text is part of a value of the manifest, at any depth."""

    text: str


class OneOf(Node, frozen=True):
    """A value at the field equals one of these; a single value is plain equality.

    Of an array, one element is enough. The built-in fields type, alias, workspace and created_by can be asked.
    """

    field: Field
    values: tuple[Stored, ...]


class Like(Node, frozen=True):
    """A text at the field matches a pattern, without regard to case.

    `pieces` are the folded texts between the wildcards, so `("ab", "")` is `ab*`.
    """

    field: ContentField
    pieces: tuple[str, ...]


class Within(Node, frozen=True):
    """A time (microseconds), the views, or the downloads (thousandths) lie between two bounds, both included."""

    name: BuiltinField
    low: int | None
    high: int | None


class ConfigIs(Node, frozen=True):
    """The value of a key of the configuration is, as a whole, the one with this canonical text."""

    key: str
    canonical: str


class GrantIs(Node, frozen=True):
    """The entry of a subject in `config.permissions` is the one with this canonical text.

    True only where the viewer may see that entry.
    """

    subject: str
    canonical: str


Filter = Union[And, Or, Keyword, OneOf, Like, Within, ConfigIs, GrantIs]  # noqa: UP007 - It refers to itself.


class ParentIs(msgspec.Struct, frozen=True):
    """A filter on `parent_id`: an id as the caller wrote it, or None for artifacts without a parent."""

    parent_id: str | UUID | None


class ParsedFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller's filters and keywords say.

    `stage` (from `version` or `stage`) and `parent` (from `parent_id`) are conditions of their own, whatever the mode.
    """

    filter: Filter | None = None
    stage: StageScope | None = None
    parent: ParentIs | None = None


def all_of(parts: Sequence[Filter]) -> Filter | None:
    """Join conditions by "and"; None when there are none."""
    return parts[0] if len(parts) == 1 else And(tuple(parts)) if parts else None


def any_of(parts: Sequence[Filter]) -> Filter | None:
    """Join conditions by "or"; None when there are none."""
    return parts[0] if len(parts) == 1 else Or(tuple(parts)) if parts else None

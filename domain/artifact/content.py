"""What a manifest and a configuration may hold: limits, non-finite numbers and cards."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from domain.artifact.schema import check_schema
from domain.errors import InvalidArgumentError, SchemaViolationError, TooLargeError
from domain.events import JsonObject

SCALARS = (str, int, bool, type(None))


class _Card(msgspec.Struct):
    """The optional fields of a card; further ones may be there."""

    name: str | None = None
    id: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    documentation: str | None = None
    covers: list[str] | None = None
    badges: list[dict[str, Any]] | None = None
    authors: list[dict[str, Any]] | None = None
    attachments: dict[str, list[Any]] | None = None
    files: list[dict[str, Any]] | None = None
    config: dict[str, Any] | None = None
    version: str | None = None
    links: list[dict[str, Any]] | None = None
    maintainers: list[dict[str, Any]] | None = None
    license: str | None = None
    git_repo: str | None = None
    source: str | None = None
    format_version: str | None = None


class _CollectionCard(_Card):
    collection: list[Any] | None = None
    collection_schema: dict[str, Any] | None = None


_CARDS: Mapping[str, type[_Card]] = {"generic": _Card, "collection": _CollectionCard}


def clean(value: JsonObject, *, argument: str, limit_bytes: int, limit_depth: int) -> JsonObject:
    """Check the limits of a manifest or config and replace non-finite numbers by their names.

    `argument` names the value in errors. The size is that of its JSON text in UTF-8.

    Raises:
        InvalidArgumentError: It is nested too deep, or holds text that is not Unicode.
        TooLargeError: Its JSON is larger than `limit_bytes`.
    """
    cleaned = _clean(value, argument, limit_depth, 0)
    try:
        size = len(msgspec.json.encode(cleaned))
    except (UnicodeEncodeError, TypeError, OverflowError, ValueError) as error:
        raise InvalidArgumentError(f"The {argument} cannot be written as JSON: {error}") from None
    if size > limit_bytes:
        raise TooLargeError(f"The {argument} has {size} bytes; the maximum is {limit_bytes} bytes.")
    result: JsonObject = cleaned
    return result


def _clean(value: Any, argument: str, limit_depth: int, depth: int) -> Any:  # noqa: ANN401 - Any JSON value.
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if depth >= limit_depth:
        raise InvalidArgumentError(f"The {argument} is nested too deep; the maximum is {limit_depth} levels.")
    if isinstance(value, dict):
        return {str(key): _clean(item, argument, limit_depth, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, argument, limit_depth, depth + 1) for item in value]
    raise InvalidArgumentError(f"The {argument} holds a value of type {type(value).__name__}, which is not JSON.")


def check_card(artifact_type: str | None, manifest: JsonObject) -> None:
    """Check the manifest of a `generic` or `collection` artifact as a card; other types are free.

    Raises:
        SchemaViolationError: A known field has the wrong type, or `collection_schema` is no JSON Schema.
    """
    card = _CARDS.get(artifact_type or "")
    if card is None:
        return
    try:
        msgspec.convert(manifest, card)
    except msgspec.ValidationError as error:
        raise SchemaViolationError(str(error).replace("`$.", "`manifest.")) from None
    schema = manifest.get("collection_schema")
    if artifact_type == "collection" and schema is not None:
        check_schema(schema)

"""The schema of a collection: JSON Schema in bounded time, without references to other documents."""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import jsonschema
import msgspec
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from domain.errors import InvalidArgumentError, SchemaViolationError
from domain.events import JsonObject
from domain.patterns import Budget, compile_pattern

DIALECTS: Mapping[str | None, type[Validator]] = {
    None: jsonschema.Draft7Validator,
    "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
    "http://json-schema.org/draft-07/schema#": jsonschema.Draft7Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
    "https://json-schema.org/draft/2020-12/schema#": jsonschema.Draft202012Validator,
}
"""What `$schema` may say."""
MAX_STEPS = 400_000
"""Steps of one check, each about a microsecond: what a pattern does with a character takes one for each alternative."""
MAX_NESTING = 120
"""Keywords that are applied within each other. Python would stop at about 250, and not in order: the library below the
validator aborts when it happens there."""
MAX_SHOWN_CHARACTERS = 500

_KEYWORD_STEPS = 5
_REFERENCE_STEPS = 40
_CHARACTERS_A_STEP = 16
_COMPARISONS_A_STEP = 4
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_UNAVAILABLE = ("unevaluatedProperties", "unevaluatedItems")
"""The library follows references for these without a bound."""

_budget: ContextVar[Budget] = ContextVar("budget")
_nesting: ContextVar[int] = ContextVar("nesting")

Errors = Iterator[jsonschema.ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Errors | None]


def check_schema(schema: Any) -> None:  # noqa: ANN401 - Whatever the caller gave as a schema.
    """Check that a collection's schema is JSON Schema (2020-12 or Draft 7) without references to other documents.

    Raises:
        InvalidArgumentError: It is not, or it has a pattern that cannot be searched in bounded time.
    """
    if not isinstance(schema, dict):
        raise InvalidArgumentError("collection_schema must be a JSON Schema object.")
    validator = _validator_of(schema)
    # The schemas of schemas refer to each other; the library has them all at hand.
    error = _first_error(_bounded(validator)(validator.META_SCHEMA), schema)
    if error is not None:
        raise InvalidArgumentError(f"collection_schema is not a valid JSON Schema: {_message(error)}")
    found = list(_objects(schema))
    if any(not ref.startswith("#") for item in found for key in _REFERENCES if isinstance(ref := item.get(key), str)):
        raise InvalidArgumentError("collection_schema must not refer to other documents by $ref.")
    unavailable = next((name for name in _UNAVAILABLE if any(name in item for item in found)), None)
    if unavailable is not None:
        raise InvalidArgumentError(f"{unavailable} is not available in collection_schema.")
    for item in found:
        named = item.get("patternProperties")
        patterns = [*(named if isinstance(named, dict) else ()), item.get("pattern")]
        for pattern in patterns:
            if isinstance(pattern, str):
                compile_pattern(pattern)


def check_against_schema(schema: JsonObject, manifest: JsonObject) -> None:
    """Check a manifest against the schema of its collection.

    Raises:
        SchemaViolationError: It does not conform; the text names the place and the rule.
        InvalidArgumentError: The check takes too many steps.
    """
    validator = _validator_of(schema)
    error = _first_error(_bounded(validator)(schema, registry=Registry()), manifest)
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or "manifest"
        raise SchemaViolationError(f"{_message(error)} (at {place})")


def _validator_of(schema: JsonObject) -> type[Validator]:
    dialect = schema.get("$schema")
    if dialect is not None and not (isinstance(dialect, str) and dialect in DIALECTS):
        raise InvalidArgumentError("collection_schema must be JSON Schema 2020-12 or Draft 7; $schema names another.")
    return DIALECTS[dialect]


def _first_error(validator: Validator, instance: Any) -> jsonschema.ValidationError | None:  # noqa: ANN401 - JSON.
    token, nesting = _budget.set(Budget(MAX_STEPS)), _nesting.set(0)
    try:
        error: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(validator.iter_errors(instance))
    except Unresolvable:
        raise InvalidArgumentError("collection_schema has a $ref that points nowhere.") from None
    finally:
        _budget.reset(token)
        _nesting.reset(nesting)
    return error


def _message(error: jsonschema.ValidationError) -> str:
    text: str = error.message
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "..."


def _objects(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - Any JSON value.
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


@lru_cache
def _bounded(validator: type[Validator]) -> type[Validator]:
    """Make a validator that counts its steps and searches patterns in bounded time."""
    keywords: Mapping[str, Keyword] = {**validator.VALIDATORS, **_OWN}
    counted = {name: _counted(name, keyword) for name, keyword in keywords.items() if name in validator.VALIDATORS}
    bounded: Any = jsonschema.validators.extend(validator, counted)  # type: ignore[no-untyped-call]  # No annotations.
    bounded.evolve = _evolve
    kind: type[Validator] = bounded
    return kind


def _evolve(validator: Any, **changes: Any) -> Any:  # noqa: ANN401 - The library has no types here.
    """Go on with a part of the schema. The library's own way lets a `$schema` in it choose another validator."""
    for field in type(validator).__attrs_attrs__:
        if field.init:
            changes.setdefault(field.alias, getattr(validator, field.name))
    return type(validator)(**changes)


def _counted(name: str, keyword: Keyword) -> Keyword:
    steps = _REFERENCE_STEPS if name in _REFERENCES else _KEYWORD_STEPS

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:  # noqa: ANN401 - JSON.
        budget, depth = _budget.get(), _nesting.get()
        if depth >= MAX_NESTING:
            raise InvalidArgumentError("collection_schema refers to itself without end, or is nested too deep.")
        budget.spend(steps)
        errors = keyword(validator, value, instance, schema)
        if errors is None:
            return
        _nesting.set(depth + 1)
        try:
            for error in errors:
                # An error repeats the value that it is about.
                budget.spend(_KEYWORD_STEPS + len(error.message) // _CHARACTERS_A_STEP)
                _nesting.set(depth)
                yield error
                _nesting.set(depth + 1)
        finally:
            _nesting.set(depth)

    return check


def _is_found(pattern: str, text: str) -> bool:
    return compile_pattern(pattern).is_found_in(text, _budget.get())


def _pattern(validator: Any, value: Any, instance: Any, _schema: Any) -> Errors:  # noqa: ANN401 - JSON.
    if validator.is_type(instance, "string") and not _is_found(value, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {value!r}")


def _pattern_properties(validator: Any, value: Any, instance: Any, _schema: Any) -> Errors:  # noqa: ANN401 - JSON.
    if validator.is_type(instance, "object"):
        for pattern, below in value.items():
            for name, item in instance.items():
                if _is_found(pattern, name):
                    yield from validator.descend(item, below, path=name, schema_path=pattern)


def _additional_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:  # noqa: ANN401 - JSON.
    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = [
        name for name in instance if name not in named and not any(_is_found(pattern, name) for pattern in patterns)
    ]
    if validator.is_type(value, "object"):
        for name in others:
            yield from validator.descend(instance[name], value, path=name)
    elif not value and others:
        verb = "was" if len(others) == 1 else "were"
        listed = ", ".join(map(repr, others))
        yield jsonschema.ValidationError(f"Additional properties are not allowed ({listed} {verb} unexpected)")


def _unique_items(validator: Any, value: Any, instance: Any, _schema: Any) -> Errors:  # noqa: ANN401 - JSON.
    if value and validator.is_type(instance, "array"):
        # The library compares each item with each other one.
        written = [msgspec.json.encode(_comparable(item), order="deterministic") for item in instance]
        _budget.get().spend(sum(map(len, written)) // _CHARACTERS_A_STEP)
        if len(set(written)) < len(written):
            yield jsonschema.ValidationError("the list has items that are equal")


def _comparable(value: Any) -> Any:  # noqa: ANN401 - Any JSON value.
    """Give a value whose JSON is the same for equal values: 1.0 is 1, and neither is true."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value


def _enum(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:  # noqa: ANN401 - JSON.
    _budget.get().spend(len(value) // _COMPARISONS_A_STEP)
    yield from _library_enum(validator, value, instance, schema) or ()


_library_enum: Keyword = jsonschema.Draft202012Validator.VALIDATORS["enum"]
_OWN: Mapping[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "enum": _enum,
}

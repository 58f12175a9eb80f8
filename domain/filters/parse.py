"""Parse the `filters`, `keywords`, `mode` and `stage` of a list into a tree."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from domain.errors import InvalidArgumentError
from domain.filters.manifest import Budget, parse_manifest
from domain.filters.tree import (
    And,
    Builtin,
    BuiltinField,
    ConfigIs,
    Filter,
    GrantIs,
    Keyword,
    OneOf,
    ParentIs,
    ParsedFilters,
    StageScope,
    Within,
    all_of,
    any_of,
)
from domain.filters.values import NotComparableError, canonical, fits, fold, is_encodable

MAX_KEYWORDS: Final = 32
"""Keywords in one query."""

_TEXT_FIELDS: Final = {
    "type": BuiltinField.TYPE,
    "alias": BuiltinField.ALIAS,
    "workspace": BuiltinField.WORKSPACE,
    "created_by": BuiltinField.CREATED_BY,
}
# How many stored units one unit on the wire is, and whether the wire shows whole units only, cut down.
_NUMBER_FIELDS: Final = {
    "created_at": (BuiltinField.CREATED_AT, 1_000_000, True),
    "last_modified": (BuiltinField.LAST_MODIFIED, 1_000_000, True),
    "view_count": (BuiltinField.VIEW_COUNT, 1, False),
    "download_count": (BuiltinField.DOWNLOAD_COUNT, 1_000, False),
}
_VERSIONS: Final = {
    "stage": StageScope.STAGED,
    "latest": StageScope.COMMITTED,
    "committed": StageScope.COMMITTED,
    "*": StageScope.ALL,
}
_GRANT_PREFIX: Final = "permissions/"
_NUMBER_LIMIT: Final = Decimal(2**63 - 1)


def parse_filters(
    filters: Mapping[str, Any] | None, keywords: Sequence[str] | None = None, mode: str | None = None
) -> ParsedFilters:
    """Parse what a caller asks for.

    Without a mode: any of the keywords, and every filter. "AND": every keyword and every filter. "OR": any of them
    all. The conditions on stage and parent stand beside, whatever the mode.

    Raises:
        InvalidArgumentError: A key, an operator, a type or a number is wrong, or a bound is exceeded; names it.
    """
    if mode not in (None, "AND", "OR"):
        raise InvalidArgumentError("Invalid mode, it should be 'AND' or 'OR'.")
    if filters is not None and not isinstance(filters, Mapping):
        raise InvalidArgumentError("filters must be an object")
    budget = Budget()
    words = _keywords(keywords)
    conditions: list[Filter] = []
    for key, value in (filters or {}).items():
        condition = _condition(key, value, budget)
        if condition is not None:
            conditions.append(condition)
    if mode == "OR":
        tree = any_of([*words, *conditions])
    elif mode == "AND":
        tree = all_of([*words, *conditions])
    else:
        either = any_of(words)
        tree = all_of([*([either] if either else []), *conditions])
    return ParsedFilters(filter=tree, stage=_stage(filters or {}), parent=_parent(filters or {}))


def resolve_stage(argument: bool | str | None, filtered: StageScope | None) -> StageScope:
    """Bring the `stage` argument of a list and the scope that its filters ask for together.

    Raises:
        InvalidArgumentError: The argument is none of true, false and "all", or the two do not agree.
    """
    if argument is None:
        return filtered or StageScope.COMMITTED
    asked = _stage_value("stage", argument)
    if filtered is not None and filtered is not asked:
        raise InvalidArgumentError("The stage argument and the version or stage filter do not agree.")
    return asked


def _keywords(keywords: Sequence[str] | None) -> list[Filter]:
    if keywords is None:
        return []
    if isinstance(keywords, str) or not isinstance(keywords, Sequence) or not all(isinstance(k, str) for k in keywords):
        raise InvalidArgumentError("keywords must be a list of texts")
    if len(keywords) > MAX_KEYWORDS:
        raise InvalidArgumentError(f"keywords: at most {MAX_KEYWORDS} keywords")
    if not all(fits(keyword) for keyword in keywords):
        raise InvalidArgumentError("keywords: a keyword is too long")
    return [Keyword(fold(keyword)) for keyword in keywords if keyword]


def _condition(key: Any, value: Any, budget: Budget) -> Filter | None:  # noqa: ANN401 - As the caller wrote them.
    if not isinstance(key, str) or not is_encodable(key):
        raise InvalidArgumentError(f"Invalid filter key: {key!r}")
    budget.take(key)
    if key in ("version", "stage", "parent_id"):
        return None
    if key in _TEXT_FIELDS:
        if not isinstance(value, str):
            raise InvalidArgumentError(f"Invalid filter key: {key} must be a text")
        return OneOf(Builtin(_TEXT_FIELDS[key]), (value,))
    if key in _NUMBER_FIELDS:
        return _within(key, value)
    if key.startswith(_GRANT_PREFIX):
        return _grant(key.removeprefix(_GRANT_PREFIX), value)
    if key == "config":
        return _config(value, budget)
    if key.startswith("config."):
        return _config({key.removeprefix("config."): value}, budget)
    if key == "manifest":
        return parse_manifest(value, budget)
    return parse_manifest({key.removeprefix("manifest."): value}, budget)


def _within(key: str, value: Any) -> Filter:  # noqa: ANN401 - As the caller wrote it.
    name, unit, is_whole = _NUMBER_FIELDS[key]
    low, high = value if isinstance(value, list | tuple) and len(value) == 2 else (value, None)
    if value is None or isinstance(low, list | tuple):
        raise InvalidArgumentError(f"Invalid filter key: {key} must be a number or [lowest, highest]")
    lowest, highest = _number(key, low), _number(key, high)
    if is_whole:
        # The wire shows whole seconds, so a bound holds for every moment within its second.
        return Within(
            name,
            None if lowest is None else int(lowest.to_integral_value(ROUND_CEILING)) * unit,
            None if highest is None else (int(highest.to_integral_value(ROUND_FLOOR)) + 1) * unit - 1,
        )
    return Within(
        name,
        None if lowest is None else int((lowest * unit).to_integral_value(ROUND_CEILING)),
        None if highest is None else int((highest * unit).to_integral_value(ROUND_FLOOR)),
    )


def _number(key: str, value: Any) -> Decimal | None:  # noqa: ANN401 - As the caller wrote it.
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgumentError(f"Invalid filter key: {key} must be a number or [lowest, highest]")
    number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    if not number.is_finite():
        raise InvalidArgumentError(f"Invalid filter key: {key} must be a finite number")
    # No stored number is beyond this, so the answer stays the same, and fits an index.
    bound = _NUMBER_LIMIT / 2_000_000
    return max(-bound, min(bound, number))


def _grant(subject: str, value: Any) -> Filter:  # noqa: ANN401 - As the caller wrote it.
    is_list = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if not subject or not (isinstance(value, str) or is_list):
        raise InvalidArgumentError(f"Invalid filter key: permissions/{subject} must be a level or a list of operations")
    try:
        return GrantIs(subject, canonical(value))
    except NotComparableError as error:
        raise InvalidArgumentError(f"Invalid filter key: permissions/{subject}: {error}") from error


def _config(value: Any, budget: Budget) -> Filter | None:  # noqa: ANN401 - As the caller wrote it.
    if not isinstance(value, Mapping):
        raise InvalidArgumentError("Invalid filter key: config must be an object")
    parts: list[Filter] = []
    for key, item in value.items():
        budget.take(f"config.{key}")
        if key == "permissions":
            if not isinstance(item, Mapping):
                raise InvalidArgumentError("Invalid filter key: config.permissions must be an object")
            parts.extend(_grant(str(subject), level) for subject, level in item.items())
            budget.take("config.permissions", len(item))
            continue
        if str(key).startswith("permissions."):
            raise InvalidArgumentError(f"Invalid filter key: config.{key}")
        try:
            parts.append(ConfigIs(str(key), canonical(item)))
        except NotComparableError as error:
            raise InvalidArgumentError(f"Invalid filter key: config.{key}: {error}") from error
    return None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))


def _stage(filters: Mapping[str, Any]) -> StageScope | None:
    scopes: set[StageScope] = set()
    if filters.get("version") is not None:
        version = filters["version"]
        if not isinstance(version, str) or version not in _VERSIONS:
            raise InvalidArgumentError(
                "Invalid version value, it should be 'stage', 'latest', 'committed' or '*'."  # The known text.
            )
        scopes.add(_VERSIONS[version])
    if filters.get("stage") is not None:
        scopes.add(_stage_value("Invalid filter key: stage", filters["stage"]))
    if len(scopes) > 1:
        raise InvalidArgumentError("The version filter and the stage filter do not agree.")
    return next(iter(scopes), None)


def _stage_value(name: str, value: Any) -> StageScope:  # noqa: ANN401 - As the caller wrote it.
    if value is True:
        return StageScope.STAGED
    if value is False:
        return StageScope.COMMITTED
    if value == "all":
        return StageScope.ALL
    raise InvalidArgumentError(f"{name} must be true, false or 'all'")


def _parent(filters: Mapping[str, Any]) -> ParentIs | None:
    if "parent_id" not in filters:
        return None
    parent = filters["parent_id"]
    if parent is not None and not isinstance(parent, str):
        raise InvalidArgumentError("Invalid filter key: parent_id must be an id or null")
    return ParentIs(parent)

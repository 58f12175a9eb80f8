"""Operations, and the levels that stand for sets of them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final


class Operation(StrEnum):
    """What can be asked of an artifact, or of a collection about its children."""

    LIST = "list"
    READ = "read"
    GET_FILE = "get_file"
    LIST_FILES = "list_files"
    LIST_VECTORS = "list_vectors"
    GET_VECTOR = "get_vector"
    SEARCH_VECTORS = "search_vectors"
    GET_STATUS = "get_status"
    DRAFT = "draft"
    ATTACH = "attach"
    DETACH = "detach"
    MUTATE = "mutate"
    PUT_FILE = "put_file"
    ADD_VECTORS = "add_vectors"
    EDIT = "edit"
    COMMIT = "commit"
    REMOVE_FILE = "remove_file"
    REMOVE_VECTORS = "remove_vectors"
    DISCARD_CHANGES = "discard_changes"
    CREATE = "create"
    RESET_STATS = "reset_stats"
    PUBLISH = "publish"
    DELETE = "delete"
    GET_SECRET = "get_secret"  # noqa: S105 - The name of an operation.
    SET_SECRET = "set_secret"  # noqa: S105 - The name of an operation.
    SET_DOWNLOAD_WEIGHT = "set_download_weight"
    MANAGE_PERMISSIONS = "manage_permissions"


Operations = frozenset[Operation]
NOTHING: Final[Operations] = frozenset()

DENY: Final = "n"
"""The level that refuses, instead of granting nothing: what would be inherited is refused as well."""

READING: Final[Operations] = frozenset(
    {
        Operation.LIST,
        Operation.READ,
        Operation.GET_FILE,
        Operation.LIST_FILES,
        Operation.LIST_VECTORS,
        Operation.GET_VECTOR,
        Operation.SEARCH_VECTORS,
    }
)
"""What reads committed data: inherited from collections, and all that a read-only token can do.

`get_status` is not among them, because it shows what is staged.
"""

PARENT_OPERATIONS: Final[Operations] = frozenset(
    {Operation.DRAFT, Operation.ATTACH, Operation.DETACH, Operation.MUTATE}
)
"""Questions to the parent and only to the parent; see `may_in_collection`."""

_L: Final = frozenset({Operation.LIST})
_LV: Final = _L | {Operation.LIST_VECTORS}
_LF: Final = _L | {Operation.LIST_FILES}
_R: Final = _L | {
    Operation.READ,
    Operation.GET_FILE,
    Operation.LIST_FILES,
    Operation.GET_VECTOR,
    Operation.SEARCH_VECTORS,
}
_R_PLUS: Final = _R | {Operation.DRAFT, Operation.ATTACH, Operation.PUT_FILE, Operation.ADD_VECTORS}
_RD_PLUS: Final = _R | {
    Operation.LIST_VECTORS,
    Operation.GET_STATUS,
    Operation.DRAFT,
    Operation.PUT_FILE,
    Operation.ADD_VECTORS,
    Operation.EDIT,
    Operation.REMOVE_FILE,
    Operation.REMOVE_VECTORS,
    Operation.DISCARD_CHANGES,
}
_RW: Final = (
    _RD_PLUS
    | _R_PLUS
    | {
        Operation.DETACH,
        Operation.MUTATE,
        Operation.COMMIT,
        Operation.SET_SECRET,
        Operation.SET_DOWNLOAD_WEIGHT,
    }
)

OPERATIONS_OF: Final[Mapping[str, Operations]] = {
    DENY: NOTHING,
    "l": _L,
    "l+": _L | {Operation.DRAFT},
    "lv": _LV,
    "lv+": _LV | {Operation.DRAFT, Operation.ATTACH, Operation.ADD_VECTORS},
    "lf": _LF,
    "lf+": _LF | {Operation.DRAFT, Operation.ATTACH, Operation.PUT_FILE},
    "r": _R,
    "r+": _R_PLUS,
    "rd+": _RD_PLUS,
    "rw": _RW,
    "rw+": _RW | {Operation.CREATE},
    "*": frozenset(Operation),
}
"""The operations of each level."""

MAX_LIST_ENTRY: Final = 64
"""Words of one explicit list that are looked at; there are fewer operations than that."""

_BY_NAME: Final[Mapping[str, Operations]] = {operation.value: frozenset({operation}) for operation in Operation} | {
    # The word of older configurations for both ways of adding a child.
    "create": frozenset({Operation.DRAFT, Operation.ATTACH}),
}


@lru_cache(maxsize=1_024)
def _expand_words(words: tuple[str, ...]) -> Operations:
    return NOTHING.union(*(_BY_NAME.get(word, NOTHING) for word in words))


def expand(entry: Any) -> Operations:  # noqa: ANN401 - Entries are stored as the caller wrote them.
    """Give the operations of one entry of `config.permissions`: a level, or a list of operations.

    In a list, `create` stands for `draft` and `attach`. Unknown levels, unknown words and values of any other type
    give nothing: a typing error never opens anything.
    """
    if isinstance(entry, str):
        return OPERATIONS_OF.get(entry, NOTHING)
    if isinstance(entry, Sequence) and not isinstance(entry, bytes):
        return _expand_words(tuple(word for word in entry[:MAX_LIST_ENTRY] if isinstance(word, str)))
    return NOTHING


def expanded_names(entry: Any) -> list[str]:  # noqa: ANN401 - As `expand`.
    """Name the operations of one entry, in the order of their declaration: a record's `_permissions`."""
    return list(_names_of(expand(entry)))


@lru_cache(maxsize=1_024)
def _names_of(granted: Operations) -> tuple[str, ...]:
    return tuple(operation.value for operation in Operation if operation in granted)

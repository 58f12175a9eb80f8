"""What the declared type of a parameter says about its values."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.inspect import (
    AnyType,
    BoolType,
    CollectionType,
    CustomType,
    DictType,
    FloatType,
    IntType,
    ListType,
    StrType,
    StructType,
    Type,
    UnionType,
)

from application.methods import Command


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter: which kinds of values it takes, and its range as text (empty: none is declared)."""

    name: str
    is_required: bool
    takes_booleans: bool
    takes_integers: bool
    takes_numbers: bool
    takes_lists: bool
    takes_objects: bool
    takes_text: bool
    takes_empty_text: bool
    range_text: str


def arguments_of(parameters: type[Command]) -> Mapping[str, Argument]:
    """Describe the parameters of a method by name, in their declared order."""
    described = msgspec.inspect.type_info(parameters)
    if not isinstance(described, StructType):
        raise TypeError(f"{parameters.__name__} is not a struct")
    found = {}
    for field in described.fields:
        kinds = list(_alternatives(field.type))
        takes_text = any(not isinstance(kind, _NOT_TEXT) for kind in kinds)
        found[field.encode_name] = Argument(
            name=field.encode_name,
            is_required=field.required,
            takes_booleans=any(isinstance(kind, BoolType) for kind in kinds),
            takes_integers=any(isinstance(kind, IntType) for kind in kinds),
            takes_numbers=any(isinstance(kind, IntType | FloatType) for kind in kinds),
            takes_lists=any(isinstance(kind, CollectionType | ListType) for kind in kinds),
            takes_objects=any(isinstance(kind, DictType | StructType | AnyType) for kind in kinds),
            takes_text=takes_text,
            # An empty text stands for "not given" unless the parameter's default is a text itself.
            takes_empty_text=takes_text and isinstance(field.default, str),
            range_text=_range_text(kinds),
        )
    return found


_NOT_TEXT = (BoolType, IntType, FloatType, CollectionType, DictType, StructType, msgspec.inspect.NoneType)


def _alternatives(kind: Type) -> Iterator[Type]:
    if isinstance(kind, UnionType):
        for member in kind.types:
            yield from _alternatives(member)
    elif isinstance(kind, msgspec.inspect.Metadata):
        yield from _alternatives(kind.type)
    else:
        yield kind


def _range_text(kinds: list[Type]) -> str:
    for kind in kinds:
        inner = kind.item_type if isinstance(kind, CollectionType) else kind
        if isinstance(inner, IntType | FloatType):
            low, high = inner.ge, inner.le
            if low is not None and high is not None:
                return f"{low} to {high}"
            if low is not None:
                return f"{low} or more"
            if inner.gt is not None:
                return f"more than {inner.gt}"
        if isinstance(inner, StrType) and inner.max_length is not None:
            return f"at most {inner.max_length} characters"
        if isinstance(inner, CustomType | msgspec.inspect.LiteralType):
            continue
        if isinstance(kind, CollectionType) and kind.max_length is not None:
            return f"at most {kind.max_length} items"
    return ""

"""Filters and order of lists: one tree of structs that every backend compiles."""

import msgspec


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the nodes of a filter."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """By which field a list is ordered, and which way."""

    field: str
    is_descending: bool = False

"""The declaration of methods: one source for validation, OpenAPI and, later, RPC."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from application.context import CallContext, Reply
from domain.permissions import Operation


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parameter structs. The order of the fields is the positional order of the RPC protocol.

    A null for an optional field means its default, except for fields named in `keep_null`.
    """


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One method of a service, as every transport sees it.

    `handler` takes the application's services, the context and the parameters. `operation` is what the permission
    check asks for (None: decided by the handler itself from its parameters, said in its docstring).
    `changes_state` tells commands from queries. `ignored` are argument names that clients send and nobody reads.
    """

    name: str
    parameters: type[Command]
    handler: Callable[[Any, CallContext, Any], Awaitable[Reply]]
    operation: Operation | None = None
    changes_state: bool
    ignored: tuple[str, ...] = ("context",)
    keep_null: tuple[str, ...] = ()

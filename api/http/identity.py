"""Works out who calls, in which workspace, and how fresh the answer must be."""

from collections.abc import Mapping, Sequence

from api.http.bodies import is_packed
from api.http.exchange import Exchange
from api.http.gateway import Gateway
from api.http.problems import is_service_call
from application.context import CallContext, Consistency
from domain.actor import Actor
from domain.errors import InvalidArgumentError
from domain.ids import Position

# The workspace that clients write into the address of a service when they mean no workspace in particular.
PUBLIC_WORKSPACE = "public"
CONTEXT_FIELDS = frozenset({"consistency", "min_position"})
_CONTEXT_HEADERS = frozenset({b"x-consistency", b"x-min-position"})
ACCESS_COOKIE = "access_token"


def access_cookie(exchange: Exchange) -> str | None:
    """Give the token of the caller's cookie; None where another page than one of this service makes the request.

    A browser sends the cookie along with what any page asks for. Such a page cannot read the answer, but it must not
    change anything in the caller's name either: a call of a method by GET may.
    """
    is_foreign = exchange.headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site")
    if is_foreign and (exchange.method not in ("GET", "HEAD") or is_service_call(exchange)):
        return None
    return exchange.cookie(ACCESS_COOKIE)


async def open_service_context(
    gateway: Gateway, exchange: Exchange, workspace: str, query: Mapping[str, Sequence[str]]
) -> CallContext:
    """Make the context of a call to `/{workspace}/services/...`.

    A generated token is bound to its workspace. Everybody else works in the workspace of the address, or in his own
    when the address says `public`.

    Raises:
        UnauthenticatedError: The token is not valid.
        InvalidArgumentError: The wish for freshness is malformed.
    """
    actor = await gateway.authenticate(exchange.authorization(), access_cookie(exchange), None)
    if actor.is_generated or workspace == PUBLIC_WORKSPACE:
        workspace = actor.current_workspace
    return context_of(exchange, actor, workspace, query)


async def open_context(
    gateway: Gateway, exchange: Exchange, workspace: str, query: Mapping[str, Sequence[str]]
) -> CallContext:
    """Make the context of a request to a resource; `?token=` replaces what the headers say.

    Raises:
        UnauthenticatedError: The token is not valid.
        InvalidArgumentError: The wish for freshness is malformed.
    """
    token = query.get("token")
    actor = await gateway.authenticate(exchange.authorization(), access_cookie(exchange), token[-1] if token else None)
    return context_of(exchange, actor, workspace, query)


def context_of(exchange: Exchange, actor: Actor, workspace: str, query: Mapping[str, Sequence[str]]) -> CallContext:
    """Make the context of a request by a known caller.

    Raises:
        InvalidArgumentError: The wish for freshness is malformed.
    """
    exchange.actor_id = actor.user_id
    exchange.workspace = workspace
    if CONTEXT_FIELDS.isdisjoint(query) and _CONTEXT_HEADERS.isdisjoint(exchange.headers):
        return CallContext(
            actor=actor,
            workspace=workspace,
            correlation_id=exchange.request_id,
            accepts_bytes=is_packed(exchange),
        )
    consistency = _wish(exchange, query, "consistency", b"x-consistency")
    min_position = _wish(exchange, query, "min_position", b"x-min-position")
    if consistency not in (None, *Consistency):
        raise InvalidArgumentError("consistency must be 'strong' or 'eventual'")
    if min_position is not None and not (min_position.isascii() and min_position.isdigit() and len(min_position) < 19):
        raise InvalidArgumentError("min_position must be a value of the header X-Event-Position")
    return CallContext(
        actor=actor,
        workspace=workspace,
        correlation_id=exchange.request_id,
        consistency=Consistency(consistency or Consistency.STRONG),
        min_position=None if min_position is None else Position(int(min_position)),
        accepts_bytes=is_packed(exchange),
    )


def _wish(exchange: Exchange, query: Mapping[str, Sequence[str]], field: str, header: bytes) -> str | None:
    values = query.get(field)
    return values[-1] if values else exchange.header(header)

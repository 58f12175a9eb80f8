"""`/{workspace}/services/{service}/{method}`: every method of every service, by POST or GET."""

from api.binding import bind, bind_text
from api.http.bodies import is_packed
from api.http.calls import answer_reply, call
from api.http.exchange import Exchange
from api.http.gateway import ARTIFACT_MANAGER, Gateway
from api.http.identity import CONTEXT_FIELDS, open_service_context
from api.http.problems import answer_problem
from application.methods import Method
from domain.errors import NotFoundError

# Keys that the address already holds, and that clients repeat among the arguments.
_ADDRESS_FIELDS = frozenset({"service_id", "function_key", "_mode"})

BY_METHOD = "by method"
"""What the route declares as its operation: each method declares its own."""


async def answer_service_call(gateway: Gateway, exchange: Exchange, parts: list[str]) -> None:
    """Answer one call. Success is exactly 200, because public clients take everything else for a failure."""
    _, workspace, _, service_id, function = parts
    method = find_method(gateway, service_id, function)
    if method is None:
        # The very text of the RPC protocol's HTTP side, which has no type name here.
        await answer_problem(exchange, 404, f"{function} not found.", "method_not_found")
        return
    exchange.operation = method.name
    query = exchange.query_fields()
    context = await open_service_context(gateway, exchange, workspace, query)
    if exchange.method == "POST":
        arguments = await gateway.bodies.arguments(exchange)
        parameters = bind(method, {name: arguments[name] for name in arguments if name not in _ADDRESS_FIELDS})
    else:
        declared = method.parameters.__struct_fields__
        dropped = _ADDRESS_FIELDS | CONTEXT_FIELDS
        parameters = bind_text(
            method, {name: texts for name, texts in query.items() if name in declared or name not in dropped}
        )
    reply = await call(gateway, exchange, context, method, parameters)
    await answer_reply(exchange, reply, packed=is_packed(exchange))


def find_method(gateway: Gateway, service_id: str, function: str) -> Method | None:
    """Find a method; None when the service has no such method.

    The artifact manager is `artifact-manager` or, as the RPC protocol writes it, `<client>:artifact-manager`.

    Raises:
        NotFoundError: There is no such service.
    """
    name = service_id.rsplit(":", 1)[-1]
    if name != service_id and name != ARTIFACT_MANAGER:
        name = service_id
    methods = gateway.services.get(name)
    if methods is None:
        raise NotFoundError(f"Service not found: {service_id}")
    return methods.get(function)

"""`/{workspace}/artifacts/{alias}`: the record of one artifact, the address that is asked for most."""

from api.binding import bind_text
from api.http.calls import answer_reply, call
from api.http.exchange import Exchange
from api.http.gateway import ARTIFACT_MANAGER, Gateway
from api.http.identity import CONTEXT_FIELDS, open_context
from api.http.resources import LIST_FIELDS, artifact_id_of
from application.methods import Command
from application.parameters import Version

_UNREAD = CONTEXT_FIELDS | LIST_FIELDS | {"token"}


class RecordQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query of a record says; the fields of lists are accepted and not read."""

    silent: bool = False
    version: Version = None
    stage: bool = False
    include_metadata: bool = False


async def answer_record_request(gateway: Gateway, exchange: Exchange, parts: list[str]) -> None:
    """Answer with a record; HEAD counts no view."""
    _, workspace, _, alias = parts
    method = gateway.services[ARTIFACT_MANAGER]["read"]
    exchange.operation = method.name
    query = exchange.query_fields()
    context = await open_context(gateway, exchange, workspace, query)
    given = {name: texts for name, texts in query.items() if name not in _UNREAD}
    given["artifact_id"] = [artifact_id_of(workspace, alias)]
    if exchange.method == "HEAD":
        given["silent"] = ["true"]
    await answer_reply(exchange, await call(gateway, exchange, context, method, bind_text(method, given)))

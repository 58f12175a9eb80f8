"""`/{workspace}/artifacts/{alias}`: the record of one artifact, the address that is asked for most."""

from functools import lru_cache

from api.binding import bind_query
from api.http.calls import answer_reply, call
from api.http.exchange import KNOWN_QUERIES, KNOWN_QUERY_BYTES, Exchange, read_query
from api.http.gateway import ARTIFACT_MANAGER, Gateway
from api.http.identity import CONTEXT_FIELDS, open_context
from api.http.resources import LIST_FIELDS, artifact_id_of
from application.methods import Command
from application.parameters import Read, Version

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
    query = exchange.query
    context = await open_context(gateway, exchange, workspace, read_query(query))
    options = _known_options(query) if len(query) <= KNOWN_QUERY_BYTES else _options(query)
    parameters = Read(
        artifact_id=artifact_id_of(workspace, alias),
        silent=options.silent or exchange.method == "HEAD",
        version=options.version,
        stage=options.stage,
        include_metadata=options.include_metadata,
    )
    await answer_reply(exchange, await call(gateway, exchange, context, method, parameters))


def _options(query: bytes) -> RecordQuery:
    given = {name: texts for name, texts in read_query(query).items() if name not in _UNREAD}
    return bind_query("read", RecordQuery, given)


_known_options = lru_cache(maxsize=KNOWN_QUERIES)(_options)

"""`/{workspace}/artifacts/{alias}/create-multipart-upload` and `.../complete-multipart-upload`."""

from api.binding import bind, read_texts
from api.http.calls import answer_reply, call
from api.http.exchange import Exchange
from api.http.gateway import ARTIFACT_MANAGER, Gateway
from api.http.identity import CONTEXT_FIELDS, open_context
from api.http.resources import artifact_id_of
from application.methods import Command
from application.parameters import CompletedPart, ExpiresIn, PartCount, UploadIdText, UseLocalUrl, UseProxy, Weight
from domain.errors import InvalidTypeError

_METHODS = {
    "create-multipart-upload": "put_file_start_multipart",
    "complete-multipart-upload": "put_file_complete_multipart",
}
_PATH, _FILE_PATH, _ID = "path", "file_path", "artifact_id"
_UNREAD = CONTEXT_FIELDS | {"token"}


class StartQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query of a beginning says. A JSON object in the body may say it instead."""

    path: str
    part_count: PartCount
    download_weight: Weight = 0
    expires_in: ExpiresIn = 3600
    use_proxy: UseProxy = None
    use_local_url: UseLocalUrl = False


class CompletionQuery(Command, frozen=True, forbid_unknown_fields=True):
    """What the query of a completion may say; nearly always it is a JSON object in the body."""

    upload_id: UploadIdText | None = None
    parts: list[CompletedPart] | None = None


async def answer_multipart_request(gateway: Gateway, exchange: Exchange, parts: list[str]) -> None:
    """Begin or complete an upload in parts, with arguments from the query, the body, or both."""
    _, workspace, _, alias, action = parts
    method = gateway.services[ARTIFACT_MANAGER][_METHODS[action]]
    query = exchange.query_fields()
    context = await open_context(gateway, exchange, workspace, query)
    texts = {_named(name): given for name, given in query.items() if name not in _UNREAD}
    arguments = read_texts(method.parameters, texts)
    if exchange.has_body:
        for name, value in (await gateway.bodies.arguments(exchange)).items():
            if _named(name) in arguments:
                raise InvalidTypeError(f"{method.name}() got multiple values for argument '{name}'")
            arguments[_named(name)] = value
    if _ID in arguments:
        raise InvalidTypeError(f"{method.name}() got an unexpected keyword argument '{_ID}'")
    parameters = bind(method, {**arguments, _ID: artifact_id_of(workspace, alias)})
    await answer_reply(exchange, await call(gateway, exchange, context, method, parameters))


def _named(name: str) -> str:
    return _FILE_PATH if name == _PATH else name

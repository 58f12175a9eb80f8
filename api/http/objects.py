"""`/s3/{key}`: the presigned URLs of the service. The signature is the permission; no token is looked at."""

from api.http.exchange import Exchange
from api.http.file_response import send_file
from api.http.files import declared_size, upload_headers
from api.http.gateway import Gateway
from application.signed_urls import PART_NUMBER

SIGNATURE = "signature"
"""What the route declares as its operation: the signed query says what may be done, and by whom it was allowed."""


async def answer_object_request(gateway: Gateway, exchange: Exchange, _parts: list[str]) -> None:
    """Answer a request with a presigned URL, as an S3 server would."""
    key = exchange.path.removeprefix("/s3/")
    query = {name: texts[-1] for name, texts in exchange.query_fields().items()}
    if exchange.method == "PUT":
        exchange.changes_state = True
        if PART_NUMBER in query:
            part = await gateway.files.receive_signed_part(
                key, query, exchange.chunks(gateway.settings.stalled_seconds), size_bytes=declared_size(exchange)
            )
            await exchange.respond(200, content_type=None, headers=((b"etag", f'"{part.etag}"'.encode()),))
            return
        stored = await gateway.files.receive_signed(
            key,
            query,
            exchange.chunks(gateway.settings.stalled_seconds),
            size_bytes=declared_size(exchange),
            correlation_id=exchange.request_id,
        )
        await exchange.respond(200, content_type=None, headers=upload_headers(stored))
    else:
        file = await gateway.files.open_signed(key, query)
        await send_file(exchange, file, gateway.settings.stalled_seconds)

"""An HTTP client that talks to the application in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from api.http.app import create_app
from api.http.edge import Edge
from tests.support.fake_application import FakeApplication

ALICE_TOKEN = "alice-token"


@asynccontextmanager
async def client_of(application: FakeApplication, token: str | None = ALICE_TOKEN) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client; without a token it is anonymous. Errors of the application itself reach the client as answers."""
    async with client_to(create_app(application.gateway()), token) as client:
        yield client


@asynccontextmanager
async def client_to(app: Edge, token: str | None = ALICE_TOKEN) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client to an application that the test holds."""
    # The types of ASGI differ between the two libraries.
    transport = httpx.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test", headers=headers) as client:
        yield client

"""An HTTP client that talks to the application in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from api.http.app import create_app
from tests.support.fake_application import FakeApplication


@asynccontextmanager
async def client_of(application: FakeApplication, token: str | None = "alice-token") -> AsyncIterator[httpx.AsyncClient]:
    """Open a client; without a token it is anonymous. Errors of the application itself reach the client as answers."""
    app = cast("Any", create_app(application.gateway()))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test", headers=headers) as client:
        yield client

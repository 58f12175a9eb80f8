"""One verdict on who calls, whichever way the token arrives."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from application.tokens import CACHED_TOKENS, Tokens
from domain.actor import ANONYMOUS, Actor
from domain.errors import UnauthenticatedError
from domain.ids import StreamKey
from domain.workspace import Workspace, home_key


class StateReader(Protocol):
    """Gives current states of aggregates, each with `.state` and `.version`."""

    def proven(self, key: StreamKey) -> Any:  # noqa: ANN401 - As in `get`.
        """Give a state as it is now where that takes no waiting; None when it does."""
        ...

    async def get(self, keys: Sequence[StreamKey]) -> Mapping[StreamKey, Any]:
        """Give the states of these streams as of now."""
        ...


class Authenticator:
    """Tells who calls. No token is the anonymous caller; a bad one is never mistaken for none."""

    def __init__(self, tokens: Tokens, states: StateReader) -> None:
        self._tokens = tokens
        self._states = states

    async def __call__(self, authorization: str | None, cookie_token: str | None, query_token: str | None) -> Actor:
        """Check the token of a request.

        `query_token` replaces what the headers say; `authorization` (Bearer, Basic with the token as password, or the
        bare token) goes before the cookie. An empty cookie or query parameter is none.

        Raises:
            UnauthenticatedError: The token is malformed, expired, revoked or signed by somebody else.
        """
        if query_token:
            token = query_token
        elif authorization is not None:
            token = token_of(authorization)
        elif cookie_token:
            token = cookie_token
        else:
            return ANONYMOUS
        return await self.verify(token)

    async def verify(self, token: str) -> Actor:
        """Check a token by itself, revocation included.

        Raises:
            UnauthenticatedError: The token is malformed, expired, revoked or signed by somebody else.
        """
        actor = self._tokens.decode(token)
        # Revocations are kept with the human behind a token, so that one look tells, whoever revoked it.
        key = home_key(actor.effective_id)
        known = self._states.proven(key) or (await self._states.get((key,)))[key]
        home: Workspace | None = known.state
        if home is not None and actor.token_id in home.revoked_tokens:
            raise UnauthenticatedError("The token has been revoked.")
        return actor


@lru_cache(maxsize=CACHED_TOKENS)
def token_of(authorization: str) -> str:
    """Take the token out of an `Authorization` header.

    Raises:
        UnauthenticatedError: There is none in it, or the scheme is another one.
    """
    scheme, space, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if not space and scheme.lower() not in ("", "bearer", "basic"):
        return scheme
    if scheme.lower() == "bearer" and rest:
        return rest
    if scheme.lower() == "basic" and rest:
        try:
            _, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise UnauthenticatedError("The Basic credentials are malformed.") from None
        if password:
            return password
    raise UnauthenticatedError("The Authorization header must be Bearer or Basic with a token.")

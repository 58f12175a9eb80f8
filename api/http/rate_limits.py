"""Bounds how often a caller may ask, before anything is recorded and before a body is read."""

import time
from collections.abc import Callable

from api.http.client_address import client_address
from api.http.exchange import Exchange
from api.http.gateway import Gateway
from api.http.identity import access_cookie
from api.http.problems import is_service_call
from application.rate_limits import Allowance, TokenBuckets
from domain.errors import InvalidArgumentError, UnauthenticatedError


class RateLimits:
    """The buckets of one process: by address for anonymous callers, by user for all others.

    A user is the human behind a token, so that more tokens give no more. A presigned URL names no caller: its requests
    have a bucket of their own for each address, of the size of a user's.
    """

    def __init__(self, gateway: Gateway, anonymous: TokenBuckets | None, users: TokenBuckets | None) -> None:
        self._gateway = gateway
        self._anonymous = anonymous
        self._users = users

    async def take(self, exchange: Exchange, *, is_presigned: bool) -> Allowance | None:
        """Take a token from the bucket of a request, and tell so in the headers of its answer.

        None: there is no bound for such a request.
        """
        buckets, caller = await self._bucket(exchange, is_presigned=is_presigned)
        if buckets is None:
            return None
        allowance = buckets.take(caller)
        exchange.limit_headers = (
            (b"ratelimit-limit", b"%d" % buckets.burst),
            (b"ratelimit-remaining", b"%d" % allowance.remaining),
            (b"ratelimit-reset", b"%d" % allowance.reset_seconds),
            (b"ratelimit-policy", b"%d;w=%d" % (buckets.burst, buckets.window_seconds)),
        )
        return allowance

    async def _bucket(self, exchange: Exchange, *, is_presigned: bool) -> tuple[TokenBuckets | None, str]:
        if is_presigned:
            return self._users, f"url {self._address(exchange)}"
        try:
            actor = await self._gateway.authenticate(
                exchange.authorization(), access_cookie(exchange), _query_token(exchange)
            )
        except UnauthenticatedError:
            # Whoever tries tokens is nobody yet; the answer to the bad one is the route's business.
            return self._anonymous, self._address(exchange)
        if actor.is_anonymous:
            return self._anonymous, self._address(exchange)
        return self._users, f"user {actor.effective_id}"

    def _address(self, exchange: Exchange) -> str:
        return client_address(exchange, self._gateway.settings)


def rate_limits(gateway: Gateway, clock: Callable[[], int] = time.monotonic_ns) -> RateLimits | None:
    """Make the limits that the settings ask for; None when they ask for none. `clock` tells nanoseconds."""
    settings = gateway.settings
    anonymous = _buckets(settings.anonymous_requests_per_second, settings.anonymous_burst, clock)
    users = _buckets(settings.user_requests_per_second, settings.user_burst, clock)
    return None if anonymous is None and users is None else RateLimits(gateway, anonymous, users)


def _buckets(per_second: float | None, burst: int, clock: Callable[[], int]) -> TokenBuckets | None:
    return None if per_second is None else TokenBuckets(per_second=per_second, burst=burst, clock=clock)


def _query_token(exchange: Exchange) -> str | None:
    if is_service_call(exchange):
        # Calls of methods take no token from their query.
        return None
    try:
        tokens = exchange.query_fields().get("token")
    except InvalidArgumentError:
        return None
    return tokens[-1] if tokens else None

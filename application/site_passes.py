"""Passes: what lets a browser into one private site, and opens nothing else.

A visit with a token is exchanged for a pass, so that the token leaves the address. A pass is the token encrypted
together with the site that it is for; only the addresses of that site read it, and whoever holds it cannot take the
token out. Each use asks for the rights that the token has then.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from application.ports.system import Clock, IdSource
from domain.errors import InvalidArgumentError, UnauthenticatedError

PASS_SECONDS: Final = 12 * 3_600
"""Life of a pass; a token that ends before ends it as well."""
MAX_TOKEN_BYTES: Final = 2_500
"""So long may a token be that becomes a pass: browsers keep no cookie above 4,096 bytes."""

_PURPOSE: Final = b"artifact-manager passes to sites, version 1"
_NONCE_BYTES: Final = 12
_MICROSECONDS: Final = 1_000_000

Kind = Literal["cookie", "address"]
"""Where a pass stands; one is not taken for the other."""


class _Content(msgspec.Struct, array_like=True):
    expires_at: int
    token: str


class SitePasses:
    """Makes and reads passes. Processes with the same secret accept each other's."""

    def __init__(self, secret: bytes, *, clock: Clock, ids: IdSource) -> None:
        # A key of its own, so that nothing else that the secret protects can pass for a pass.
        self._cipher = AESGCM(hmac.digest(secret, _PURPOSE, "sha256"))
        self._clock = clock
        self._ids = ids

    def seal(self, kind: Kind, site: str, token: str) -> str:
        """Make a pass to a site (`workspace/alias`) for the bearer of a token.

        Raises:
            InvalidArgumentError: The token is too long.
        """
        if len(token.encode()) > MAX_TOKEN_BYTES:
            raise InvalidArgumentError(f"A token of more than {MAX_TOKEN_BYTES} bytes cannot visit a site.")
        content = _Content(self._clock.now() + PASS_SECONDS * _MICROSECONDS, token)
        nonce = urlsafe_b64decode(self._ids.token(_NONCE_BYTES) + "====")[:_NONCE_BYTES]
        sealed = self._cipher.encrypt(nonce, msgspec.msgpack.encode(content), _bound_to(kind, site))
        return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, kind: Kind, site: str, text: str) -> str:
        """Give the token that a pass to a site stands for.

        Raises:
            UnauthenticatedError: It is no pass to this site, or has expired.
        """
        try:
            packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            plain = self._cipher.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], _bound_to(kind, site))
        except (ValueError, InvalidTag):
            raise UnauthenticatedError("This is no pass to the site.") from None
        content = msgspec.msgpack.decode(plain, type=_Content)
        if self._clock.now() >= content.expires_at:
            raise UnauthenticatedError("The pass to the site has expired.")
        return content.token


def _bound_to(kind: Kind, site: str) -> bytes:
    return msgspec.json.encode([kind, site])

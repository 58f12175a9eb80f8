"""URLs at which one object can be read, or one upload made, without a token.

`{base}/s3/{key}?expires=...&claims=...&signature=...`: the signature is an HMAC-SHA256 over method, key, expiry and
claims as they stand in the URL. The base is not signed, so that a proxy may rewrite it; it is the service's own however
`use_proxy` is set, because nobody else can serve a directory.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec

from application.ports.system import Clock
from domain.errors import InvalidArgumentError, PermissionDeniedError

MAX_EXPIRES_IN_SECONDS = 7 * 24 * 3600
"""Longest life of a URL, that of S3's own."""

_PURPOSE = b"artifact-manager signed object URLs, version 1"
_MICROSECONDS = 1_000_000
_BASE_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/[]!$()*+,;=%")

PART_NUMBER = "partNumber"
"""The field of a query that tells the PUT of a part from that of a file, as in S3."""

Method = Literal["GET", "PUT", "PUT part"]
"""What a signature allows; a URL for a part is none for a file."""


class ReadClaims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a GET URL says of the file that it gives. `path` tells the name to save it under.

    `store` and `version_id` tell where the object lies, as in the file's entry in its tree.
    """

    path: str
    size_bytes: int
    etag: str
    modified_at: int | None = None
    content_type: str | None = None
    store: str | None = None
    version_id: str | None = None


class UploadClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Which upload a PUT URL is for; the stage must still be open when it is used.

    `actor` and `on_behalf_of` got the URL: what is uploaded by it is uploaded in their name.
    """

    artifact_id: UUID
    stage_id: UUID
    path: str
    upload_id: UUID
    actor: str
    on_behalf_of: str | None = None


class PartClaims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which part of which upload a PUT URL is for; the upload must still be open when it is used."""

    stage_id: UUID
    upload_id: UUID
    part_number: int


Claims = TypeVar("Claims", ReadClaims, UploadClaims, PartClaims)


class SignedUrls:
    """Makes and checks URLs. Processes with the same secret accept each other's."""

    def __init__(self, secret: bytes, *, public_base_url: str, local_base_url: str, clock: Clock) -> None:
        # A key of its own, so that nothing else that the secret signs can pass for a URL.
        self._key = hmac.digest(secret, _PURPOSE, "sha256")
        self._public_base_url = public_base_url
        self._local_base_url = local_base_url
        self._clock = clock

    @property
    def public_base_url(self) -> str:
        """The address under which clients reach the service, without a slash at its end."""
        return self._base(use_local_url=False)

    @property
    def local_base_url(self) -> str:
        """The address inside the cluster, without a slash at its end."""
        return self._base(use_local_url=True)

    def get_url(
        self,
        key: str,
        claims: ReadClaims,
        *,
        expires_in_seconds: int,
        use_local_url: bool | str = False,
    ) -> str:
        """Make a URL that gives an object to GET and HEAD.

        Raises:
            InvalidArgumentError: The expiry is out of range, or `use_local_url` is no base of a URL.
        """
        return self._url("GET", key, claims, expires_in_seconds, use_local_url)

    def put_url(
        self,
        key: str,
        claims: UploadClaims,
        *,
        expires_in_seconds: int,
        use_local_url: bool | str = False,
    ) -> str:
        """Make a URL that takes the body of an upload by PUT.

        Raises:
            InvalidArgumentError: The expiry is out of range, or `use_local_url` is no base of a URL.
        """
        return self._url("PUT", key, claims, expires_in_seconds, use_local_url)

    def part_url(
        self,
        key: str,
        claims: PartClaims,
        *,
        expires_in_seconds: int,
        use_local_url: bool | str = False,
    ) -> str:
        """Make a URL that takes the body of one part by PUT.

        Raises:
            InvalidArgumentError: The expiry is out of range, or `use_local_url` is no base of a URL.
        """
        return self._url(
            "PUT part", key, claims, expires_in_seconds, use_local_url, f"{PART_NUMBER}={claims.part_number}&"
        )

    def verify_get(self, key: str, query: Mapping[str, str]) -> ReadClaims:
        """Check the decoded key and query of a GET or HEAD, and give the claims.

        Raises:
            PermissionDeniedError: The signature is wrong, or the URL has expired.
        """
        return self._verify("GET", key, query, ReadClaims)

    def verify_put(self, key: str, query: Mapping[str, str]) -> UploadClaims:
        """Check the decoded key and query of a PUT, and give the claims.

        Raises:
            PermissionDeniedError: The signature is wrong, or the URL has expired.
        """
        return self._verify("PUT", key, query, UploadClaims)

    def verify_part(self, key: str, query: Mapping[str, str]) -> PartClaims:
        """Check the decoded key and query of a PUT of a part, and give the claims.

        Raises:
            PermissionDeniedError: The signature is wrong, the URL has expired, or it is for another part.
        """
        claims = self._verify("PUT part", key, query, PartClaims)
        if query.get(PART_NUMBER) != str(claims.part_number):
            raise PermissionDeniedError("The signature of this URL does not match.")
        return claims

    def _url(
        self,
        method: Method,
        key: str,
        claims: ReadClaims | UploadClaims | PartClaims,
        expires_in_seconds: int,
        use_local_url: bool | str,
        marker: str = "",
    ) -> str:
        if not 1 <= expires_in_seconds <= MAX_EXPIRES_IN_SECONDS:
            raise InvalidArgumentError(f"expires_in must be from 1 to {MAX_EXPIRES_IN_SECONDS} seconds.")
        expires = str(self._clock.now() // _MICROSECONDS + expires_in_seconds)
        packed = urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
        signature = self._sign(method, key, expires, packed)
        base = self._base(use_local_url)
        return f"{base}/s3/{quote(key)}?{marker}expires={expires}&claims={packed}&signature={signature}"

    def _base(self, use_local_url: bool | str) -> str:
        if isinstance(use_local_url, str):
            return parse_base_url(use_local_url)
        return (self._local_base_url if use_local_url else self._public_base_url).rstrip("/")

    def _verify(self, method: Method, key: str, query: Mapping[str, str], kind: type[Claims]) -> Claims:
        expires, packed, signature = (query.get(name, "") for name in ("expires", "claims", "signature"))
        try:
            is_ours = hmac.compare_digest(self._sign(method, key, expires, packed).encode(), signature.encode())
        except UnicodeEncodeError:
            is_ours = False
        if not is_ours:
            raise PermissionDeniedError("The signature of this URL does not match.")
        if self._clock.now() >= int(expires) * _MICROSECONDS:
            raise PermissionDeniedError("This URL has expired.")
        padding = "=" * (-len(packed) % 4)
        return msgspec.json.decode(urlsafe_b64decode(packed + padding), type=kind)

    def _sign(self, method: Method, key: str, expires: str, packed: str) -> str:
        # A JSON list of texts can be read in one way only, whatever characters are in them.
        text = msgspec.json.encode([method, key, expires, packed])
        return hmac.digest(self._key, text, "sha256").hex()


def parse_base_url(text: str) -> str:
    """Check the base of a URL that a caller gives, and remove its trailing slashes.

    Raises:
        InvalidArgumentError: It is no absolute http or https address, or holds characters that a URL must not have.
    """
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and _BASE_CHARACTERS.issuperset(text)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise InvalidArgumentError("use_local_url must be true, false, or an address like http://localhost:9520.")
    return text.rstrip("/")

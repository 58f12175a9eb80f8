"""Tokens: JSON Web Tokens that carry who somebody is and what he may do, signed with the service's secret."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt
import msgspec

from application.ports.system import Clock, IdSource
from application.token_scopes import Scope, read_scope, write_scope
from domain.actor import SERVICE_PREFIX, Actor, FileScope, WorkspaceRight
from domain.errors import InvalidArgumentError, UnauthenticatedError
from domain.permissions import is_anonymous_id
from domain.workspace import user_workspace

ALGORITHM: Final = "HS256"
ISSUER: Final = "https://amun.ai/"
AUDIENCE: Final = "https://amun-ai.eu.auth0.com/api/v2/"
"""Issuer and audience that existing tools put into the tokens they mint, and look for in those they get."""
OWN_CLAIMS: Final = "https://artifact-manager.dev/"
ACCEPTED_CLAIMS: Final = (OWN_CLAIMS, "https://amun.ai/")
"""Name spaces of the claims `roles`, `email` and `parent`; tokens are written with the first."""

MAX_TOKEN_TEXT: Final = 48 * 1024
MAX_USER_ID: Final = 256
MAX_LIFETIME_SECONDS: Final = 10 * 366 * 24 * 3_600
CACHED_TOKENS: Final = 10_000
CACHED_TOKEN_TEXT: Final = 4 * 1024
"""Longer tokens are verified each time, so that the cache stays below 40 MiB."""

ADMIN_ROLE: Final = "admin"
ANONYMOUS_ROLE: Final = "anonymous"
_MICROSECONDS: Final = 1_000_000


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a new token says. `on_behalf_of` marks a generated one: it names the human behind it.

    `is_read_only` limits it to reading operations.
    """

    user_id: str
    email: str | None = None
    roles: Sequence[str] = ()
    on_behalf_of: str | None = None
    rights: Mapping[str, WorkspaceRight] = msgspec.field(default_factory=dict)
    current_workspace: str | None = None
    client_id: str | None = None
    file_scopes: tuple[FileScope, ...] = ()
    is_read_only: bool = False


class Tokens:
    """Mints and verifies tokens. Verified ones are remembered until they expire, at most `CACHED_TOKENS`."""

    def __init__(
        self, secret: str, *, clock: Clock, ids: IdSource, issuer: str = ISSUER, audience: str = AUDIENCE
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._ids = ids
        self._issuer = issuer
        self._audience = audience
        self._verified: OrderedDict[str, Actor] = OrderedDict()

    def mint(self, claims: Claims, *, expires_in_seconds: float) -> str:
        """Make a token.

        Raises:
            InvalidArgumentError: A name cannot stand in a token, or the lifetime is not between 1 second and 10 years.
        """
        if not 1 <= expires_in_seconds <= MAX_LIFETIME_SECONDS:
            raise InvalidArgumentError(f"expires_in must be between 1 and {MAX_LIFETIME_SECONDS} seconds.")
        scope = Scope(
            rights=claims.rights,
            client_id=claims.client_id,
            current_workspace=claims.current_workspace,
            file_scopes=claims.file_scopes,
        )
        issued_at = self._clock.now() // _MICROSECONDS
        payload: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": check_user_id(claims.user_id),
            "iat": issued_at,
            "exp": issued_at + int(expires_in_seconds),
            "jti": self._ids.token(16),
            "scope": write_scope(scope),
            f"{OWN_CLAIMS}roles": list(claims.roles),
        }
        if claims.email is not None:
            payload[f"{OWN_CLAIMS}email"] = claims.email
        if claims.on_behalf_of is not None:
            payload[f"{OWN_CLAIMS}parent"] = check_user_id(claims.on_behalf_of)
        if claims.is_read_only:
            payload[f"{OWN_CLAIMS}read_only"] = True
        return jwt.encode(payload, self._secret, algorithm=ALGORITHM)

    def decode(self, token: str) -> Actor:
        """Verify a token and give its bearer. Whether it was revoked is not known here.

        Raises:
            UnauthenticatedError: It is malformed, expired, signed by somebody else or otherwise, or made for another
                service.
        """
        actor = self._verified.get(token)
        if actor is None:
            actor = _actor_of(self._verify(token), token)
            if len(token) <= CACHED_TOKEN_TEXT:
                self._verified[token] = actor
                if len(self._verified) > CACHED_TOKENS:
                    self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(token)
        if actor.expires_at is None or actor.expires_at <= self._clock.now():
            self._verified.pop(token, None)
            raise UnauthenticatedError("The token has expired. Please fetch a new one.")
        return actor

    def _verify(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_TEXT:
            raise UnauthenticatedError("Error decoding token headers.")
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                # Times are compared with the service's own clock, below and in `decode`.
                options={
                    "require": ["exp", "sub", "iss", "aud"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidSignatureError:
            raise UnauthenticatedError("The token has an invalid signature.") from None
        except jwt.InvalidAlgorithmError:
            raise UnauthenticatedError("The token is signed with an algorithm that is not accepted.") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError, jwt.MissingRequiredClaimError):
            raise UnauthenticatedError("Incorrect claims. Please check the audience and issuer.") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            # Deeply nested or otherwise broken JSON and Base64 is a malformed token, whatever part of it is.
            raise UnauthenticatedError("Error decoding token headers.") from None
        begins = payload.get("nbf")
        if begins is not None and not _is_number(begins):
            raise UnauthenticatedError("Error decoding token headers.")
        if begins is not None and begins * _MICROSECONDS > self._clock.now():
            raise UnauthenticatedError("The token is not valid yet.")
        return payload


def check_user_id(user_id: str) -> str:
    """Check what is to become the id of a user.

    Raises:
        InvalidArgumentError: It is empty, longer than 256 bytes, not printable, what entries call everybody, or the
            name of a worker of the service.
    """
    is_clean = user_id.isprintable() and user_id == user_id.strip() and user_id not in ("", "*", "@")
    if not is_clean or len(user_id.encode(errors="replace")) > MAX_USER_ID:
        raise InvalidArgumentError("A user id must be 1 to 256 printable characters.")
    if user_id.startswith(SERVICE_PREFIX):
        raise InvalidArgumentError(f"Ids that begin with '{SERVICE_PREFIX}' are those of the service's own workers.")
    return user_id


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11


def _claim(payload: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - Checked by the caller.
    return next((payload[space + name] for space in ACCEPTED_CLAIMS if payload.get(space + name) is not None), None)


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidArgumentError("A claim is not a text.")
    return value or None


def _actor_of(payload: Mapping[str, Any], token: str) -> Actor:
    try:
        return _read_claims(payload, token)
    except InvalidArgumentError as error:
        raise UnauthenticatedError(f"The token is malformed: {error.detail}") from None


def _read_claims(payload: Mapping[str, Any], token: str) -> Actor:
    scope = read_scope(_text(payload.get("scope")) or "")
    roles = _claim(payload, "roles") or []
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise InvalidArgumentError("roles are not a list of texts.")
    expires = payload["exp"]
    if not _is_number(expires):
        raise InvalidArgumentError("exp is not a time.")
    user_id = check_user_id(_text(payload["sub"]) or "")
    parent = _text(_claim(payload, "parent"))
    is_anonymous = ANONYMOUS_ROLE in roles
    if is_anonymous_id(user_id) and not is_anonymous:
        raise InvalidArgumentError("an anonymous id without the anonymous role.")
    is_generated = parent is not None
    is_read_only = _claim(payload, "read_only") is True or (is_generated and _reads_only(scope))
    own = user_workspace(user_id)
    rights = dict(scope.rights)
    if not is_generated:
        # Whoever logged in rules his own workspace; a generated token has what it was made with and nothing else.
        ruling = WorkspaceRight.READ if is_read_only else WorkspaceRight.ADMIN
        rights[own] = ruling
        if ADMIN_ROLE in roles:
            rights["*"] = ruling
    named = [name for name in scope.rights if name != "*"]
    token_id = _text(payload.get("jti")) or f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"
    return Actor(
        user_id=user_id,
        email=_text(_claim(payload, "email")),
        roles=tuple(roles),
        is_anonymous=is_anonymous,
        is_generated=is_generated,
        is_read_only=is_read_only,
        on_behalf_of=check_user_id(parent) if parent is not None else None,
        rights=rights,
        current_workspace=scope.current_workspace or (named[0] if is_generated and len(named) == 1 else own),
        file_scopes=scope.file_scopes,
        client_id=scope.client_id,
        token_id=token_id,
        expires_at=int(expires * _MICROSECONDS),
    )


def _reads_only(scope: Scope) -> bool:
    """Tell a generated token made with `read`. One that claims nothing at all is none that may write, either."""
    if scope.file_scopes and not scope.rights:
        return False
    return all(right is WorkspaceRight.READ for right in scope.rights.values())

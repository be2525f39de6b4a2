"""Authorization: each route requires a scope, and a request has it by its token.

Without tokens (``auth="none"``), every request is authorized.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn

from fastapi import Request
from starlette.types import Scope as RequestScope

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.access_tokens import AccessTokens
from heksherlite.service.api.identity import Identity
from heksherlite.service.api.proxy_headers import ProxyHeaders, client_network
from heksherlite.service.api.repetition import Repetition
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.rates import RateLimiter
from heksherlite.service.domain.tokens import FULL_ACCESS, NO_ACCESS, SHAPE, Scope, Token, Tokens, find_token
from heksherlite.service.errors import NotCaughtUpError
from heksherlite.service.options import AccessOptions

_logger = logging.getLogger(__name__)

_READING: Final = frozenset({Scope.EVALUATE, Scope.READ})
_FAILURE_BURST: Final = 10
_SECONDS_PER_FAILURE: Final = 6.0
_WRITE_BURST_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class RequiredScope:
    """What a route requires of a request.

    Attributes:
        scope: The scope that the token must have, or the person; None for a public route, or for any person.
        all_settings: Whether the token or person must not be limited to a setting prefix.
        person: Whether the request must come from a person who is logged in, instead of having a token.
        alternatives: Scopes that are as good as ``scope``.
        reads: Whether the scope ``read`` is required as well.
    """

    scope: Scope | None
    all_settings: bool = False
    person: bool = False
    alternatives: frozenset[Scope] = frozenset()
    reads: bool = False

    @property
    def sufficient(self) -> frozenset[Scope]:
        """The scopes of which one is required; none for a public route, or for any person."""
        return self.alternatives if self.scope is None else self.alternatives | {self.scope}

    @property
    def is_public(self) -> bool:
        """Whether every request is authorized."""
        return self.scope is None and not self.person

    def permits(self, scopes: frozenset[Scope]) -> bool:
        """Return whether somebody with these scopes has what is required."""
        if self.reads and Scope.READ not in scopes:
            return False
        return self.scope is None or self.scope in scopes or not self.alternatives.isdisjoint(scopes)


class UnknownTokenError(Exception):
    """A well-formed token is not among those that have been read from the database so far."""


class Authorizer:
    """Authorizes requests by their tokens.

    Args:
        tokens: Returns the tokens that are valid now.
        access_tokens: Verifies the access tokens of OAuth2 clients.
        catch_up: Reads the tokens that other services have written to the database.
        options: Whether tokens are required, and which proxies are trusted.
        limits: The limit on the rate of writes.
        clock: Returns the time on the clock that all services on the database agree on, in seconds since the epoch.
        repetition: What was logged already.
        used: Receives the public prefixes of the tokens that are used.

    Attributes:
        proxy_headers: Reads the address and the person from the headers of trusted proxies.
        refused_tokens: The number of refused tokens, by reason.
        refused_writes: The number of writes that were refused because there were too many.
    """

    def __init__(
        self,
        tokens: Callable[[], Tokens],
        access_tokens: AccessTokens,
        catch_up: Callable[[], Awaitable[None]],
        options: AccessOptions,
        limits: Limits,
        *,
        clock: Callable[[], float],
        repetition: Repetition,
        used: set[str],
    ) -> None:
        self._used = used
        self.refused_tokens: Counter[str] = Counter()
        self.refused_writes = 0
        self.proxy_headers = ProxyHeaders(options)
        self._tokens = tokens
        self._clock = clock
        self._repetition = repetition
        self._access_tokens = access_tokens
        self._catch_up = catch_up
        self._requires_tokens = options.auth == "tokens"
        self._failures = RateLimiter(per_second=1 / _SECONDS_PER_FAILURE, burst=_FAILURE_BURST)
        per_second = limits.writes_per_second
        self._writes = RateLimiter(per_second=per_second, burst=max(1, per_second * _WRITE_BURST_SECONDS))

    @property
    def requires_tokens(self) -> bool:
        """Whether requests require a token."""
        return self._requires_tokens

    async def authorize(self, request: Request, required: RequiredScope) -> None:
        """Authorize a request, and store its identity in ``request.state.identity``.

        Args:
            request: The request. Its token may have been created through another replica a moment ago.
            required: What the route requires.

        Raises:
            AccessDeniedError: The request is not authorized.
        """
        try:
            self._authorize(request, required, final=False)
        except UnknownTokenError:
            await self._read_latest_tokens()
            self._authorize(request, required, final=True)

    def reauthorize(self, request: Request, required: RequiredScope) -> None:
        """Authorize a request once more, to end a long response when its token is revoked or expires.

        Args:
            request: The request, which was authorized before.
            required: What the route requires.

        Raises:
            AccessDeniedError: The request is not authorized any more.
        """
        self._authorize(request, required, final=True)

    async def token_of_person(self, request: Request, sent: bytes) -> Token:
        """Return the token with which a person logs in.

        Args:
            request: The request that contains the token.
            sent: The text that the person entered.

        Raises:
            AccessDeniedError: The token is invalid, or there were too many failed attempts.
        """
        try:
            return self._verify(request.scope, sent, Scope.READ, final=False)
        except UnknownTokenError:
            await self._read_latest_tokens()
            return self._verify(request.scope, sent, Scope.READ, final=True)

    def find_token(self, sent: bytes) -> Token | None:
        """Return the token for a text, also for that of an access token, or None. It may have expired."""
        return find_token(self._tokens(), sent) or self._access_tokens.find(sent)

    async def _read_latest_tokens(self) -> None:
        with suppress(NotCaughtUpError):
            await self._catch_up()

    def _authorize(self, request: Request, required: RequiredScope, *, final: bool) -> None:
        address = self.proxy_headers.address(request.scope)
        if required.scope is None or required.person:
            request.state.identity = Identity(address=address)
            return
        token = None
        try:
            if self._requires_tokens:
                token = self._authenticate(request.scope, required.scope, final=final)
                self._require_scope(token, required, required.scope)
            if required.scope not in _READING:
                self._count_write(token.public_prefix if token else client_network(address))
        except AccessDeniedError:
            request.state.identity = Identity(token, address=address)  # for the audit record
            raise
        granted = NO_ACCESS if self._requires_tokens else FULL_ACCESS
        person = self.proxy_headers.person(request.scope)
        request.state.identity = Identity(token, person, address, granted, is_anybody=not self._requires_tokens)

    def _require_scope(self, token: Token, required: RequiredScope, scope: Scope) -> None:
        if not required.permits(token.scopes):
            granted = ", ".join(sorted(token.scopes))
            self._forbid(f"this request requires scope {scope}; the token {token.name!r} has {granted}", scope)
        if required.all_settings and token.setting_prefix:
            self._forbid(
                f"this request concerns all settings; the token {token.name!r} is limited to settings whose names"
                f" start with {token.setting_prefix!r}",
                scope,
            )

    def _authenticate(self, request: RequestScope, scope: Scope, *, final: bool) -> Token:
        sent = _credentials(request)
        if sent is None:
            raise AccessDeniedError(
                401,
                f"this request requires a token with scope {scope}; send it as 'Authorization: Bearer TOKEN'",
                needed_scope=scope,
                headers={"www-authenticate": f'Bearer realm="heksherlite", scope="{scope}"'},
            )
        return self._verify(request, sent, scope, final=final)

    def _verify(self, request: RequestScope, sent: bytes, scope: Scope, *, final: bool) -> Token:
        token = self.find_token(sent)
        if token is None:
            well_formed = SHAPE.fullmatch(sent.decode("latin-1")) is not None or self._access_tokens.has_shape(sent)
            if well_formed and not final:
                raise UnknownTokenError
            if well_formed:
                self._refuse_token(request, "unknown", "the token is unknown or was revoked", scope)
            self._refuse_token(request, "malformed", "malformed token; expected hkl_...", scope)
        if token.expired(self._clock()):
            self._refuse_token(request, "expired", f"the token {token.name!r} has expired", scope)
        self._used.add(token.public_prefix)
        return token

    def _refuse_token(self, request: RequestScope, kind: str, reason: str, scope: Scope) -> NoReturn:
        # Only failures are counted, so a client with an outdated token does not lock out others behind the same
        # address. A token has 256 random bits and cannot be guessed at any rate.
        self.refused_tokens[kind] += 1
        address = self.proxy_headers.address(request)
        wait = self._failures.take(client_network(address), time.monotonic())
        if wait:
            raise _too_many(f"too many attempts with invalid tokens; {reason}", wait, scope)
        level = self._repetition.level(logging.WARNING, address, reason)
        extra = {"client": address, "reason": reason}
        _logger.log(level, "a token was refused: %s; the client is %s", reason, address, extra=extra)
        challenge = f'Bearer realm="heksherlite", scope="{scope}", error="invalid_token"'
        raise AccessDeniedError(401, reason, needed_scope=scope, headers={"www-authenticate": challenge})

    def _forbid(self, reason: str, scope: Scope) -> NoReturn:
        self.refused_tokens["insufficient"] += 1
        challenge = f'Bearer realm="heksherlite", scope="{scope}", error="insufficient_scope"'
        raise AccessDeniedError(403, reason, needed_scope=scope, headers={"www-authenticate": challenge})

    def _count_write(self, client: str) -> None:
        wait = self._writes.take(client, time.monotonic())
        if wait:
            self.refused_writes += 1
            raise _too_many("too many writes; reduce the rate", wait, None)


def _too_many(detail: str, wait: float, scope: Scope | None) -> AccessDeniedError:
    return AccessDeniedError(429, detail, needed_scope=scope, headers={"retry-after": str(math.ceil(wait))})


def _credentials(request: RequestScope) -> bytes | None:
    """Return the token of a request, which may be malformed, or None if there is none."""
    bearer = legacy = None
    for name, value in request["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            # Two tokens or another scheme are a failed attempt, unless there is also an api_token: a proxy may use
            # the Authorization header for itself.
            bearer = token.strip() if bearer is None and scheme.lower() == b"bearer" else b""
        elif name == b"api_token":
            legacy = value.strip() if legacy is None else b""
    return legacy if legacy is not None and not bearer else bearer

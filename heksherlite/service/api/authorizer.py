"""Whether a request may do what it asks for, decided before anything else of it is looked at."""

import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, TypeVar

from fastapi import Request
from starlette.types import Scope as RequestScope

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.identity import Identity
from heksherlite.service.api.proxy_headers import ProxyHeaders
from heksherlite.service.domain.access_tokens import AccessTokens
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.rates import RateLimiter
from heksherlite.service.domain.tokens import SHAPE, Scope, Token, Tokens, find_token
from heksherlite.service.errors import NotCaughtUpError
from heksherlite.service.options import AccessOptions

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_FAILED_ATTEMPTS = 10  # with wrong tokens, from one address; then one every so many seconds:
_FAILED_ATTEMPT_SECONDS = 6.0
_BURST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RequiredScope:
    """What a route needs.

    Attributes:
        scope: The scope that a token must have; None lets everybody in.
        all_settings: Whether it takes a token that is not limited to some settings.
        operator: Whether it takes a person who is logged in as an operator.
    """

    scope: Scope | None
    all_settings: bool = False
    operator: bool = False


class UnknownTokenError(Exception):
    """A token looks like one, and is not among those that were read from the database so far."""


class Authorizer:
    """Lets requests in or refuses them.

    Args:
        tokens: Returns the tokens that are valid now.
        access_tokens: Those that were made from them, for OAuth2 clients.
        catch_up: Reads the tokens anew, from the database that other services write to as well.
        options: Whether tokens are needed, and which proxies are trusted.
        limits: How many writes a client may make.

    Attributes:
        proxy_headers: Where requests come from.
        refused_tokens: How many tokens were refused, by reason.
    """

    def __init__(
        self,
        tokens: Callable[[], Tokens],
        access_tokens: AccessTokens,
        catch_up: Callable[[], Awaitable[None]],
        options: AccessOptions,
        limits: Limits,
    ) -> None:
        self.refused_tokens: Counter[str] = Counter()
        self.proxy_headers = ProxyHeaders(options)
        self._tokens = tokens
        self._access_tokens = access_tokens
        self._catch_up = catch_up
        self._asks_for_tokens = options.auth == "tokens"
        self._failures = RateLimiter(per_second=1 / _FAILED_ATTEMPT_SECONDS, burst=_FAILED_ATTEMPTS)
        per_second = limits.writes_per_second
        self._writes = RateLimiter(per_second=per_second, burst=max(1, per_second * _BURST_SECONDS))

    @property
    def asks_for_tokens(self) -> bool:
        """Whether requests need a token."""
        return self._asks_for_tokens

    async def authorize(self, request: Request, required: RequiredScope) -> None:
        """Let a request in as `admit` does, also by a token that was made through another replica just now.

        Raises:
            AccessDeniedError: It is not let in.
        """
        await self._by_newest(partial(self.reauthorize, request, required))

    def reauthorize(self, request: Request, required: RequiredScope, *, final: bool = True) -> None:
        """Let a request in, and note who makes it in ``request.state.identity``.

        An answer that takes long may call this again, to end when the token is revoked or expires.

        Args:
            request: The request.
            required: What it needs.
            final: Whether to refuse a token that is unknown.

        Raises:
            AccessDeniedError: It is not let in.
            UnknownTokenError: Its token is unknown, and that is not final.
        """
        address = self.proxy_headers.address(request.scope)
        if required.scope is None:
            request.state.identity = Identity(address=address)
            return
        token = None
        if self._asks_for_tokens:
            token = self._authorized(request.scope, required, required.scope, final=final)
        if required.scope is not Scope.READ:
            self._count_write(token.public_prefix if token else address)
        request.state.identity = Identity(token, self.proxy_headers.person(request.scope), address)

    async def token_of_operator(self, request: Request, sent: bytes) -> Token:
        """Return the token that a person logs in with, also one that was made just now.

        Args:
            request: The request that brings it along.
            sent: What the person entered.

        Raises:
            AccessDeniedError: It is of no use, or not for this, or there were too many attempts.
        """
        token = await self._by_newest(partial(self._known, request.scope, sent, Scope.ADMIN))
        if not may_operate(token):
            self._forbid(
                f"operators log in with a token that has scope {Scope.ADMIN} and is not limited to some settings,"
                f" and {token.name!r} is not such a one",
                Scope.ADMIN,
            )
        return token

    async def _by_newest(self, look: Callable[..., T]) -> T:
        try:
            return look(final=False)
        except UnknownTokenError:
            with suppress(NotCaughtUpError):
                await self._catch_up()
            return look(final=True)

    def _authorized(self, request: RequestScope, required: RequiredScope, scope: Scope, *, final: bool) -> Token:
        token = self._authenticated(request, scope, final=final)
        if scope not in token.scopes:
            granted = ", ".join(sorted(token.scopes))
            self._forbid(f"this call needs scope {scope}, and the token {token.name!r} has: {granted}", scope)
        if required.all_settings and token.setting_prefix:
            self._forbid(
                f"this call is about all settings, and the token {token.name!r} is limited to settings whose names"
                f" begin with {token.setting_prefix!r}",
                scope,
            )
        return token

    def _authenticated(self, request: RequestScope, scope: Scope, *, final: bool) -> Token:
        sent = _credentials(request)
        if sent is None:
            raise AccessDeniedError(
                401,
                f"this call needs a token with scope {scope}: send it as 'Authorization: Bearer TOKEN'",
                needed_scope=scope,
                headers={"www-authenticate": f'Bearer realm="heksherlite", scope="{scope}"'},
            )
        return self._known(request, sent, scope, final=final)

    def _known(self, request: RequestScope, sent: bytes, scope: Scope, *, final: bool) -> Token:
        token = find_token(self._tokens(), sent) or self._access_tokens.find(sent)
        if token is None:
            shaped = SHAPE.fullmatch(sent.decode("latin-1")) is not None or self._access_tokens.has_shape(sent)
            if shaped and not final:
                raise UnknownTokenError
            reason = "the token is unknown, or was revoked" if shaped else "this is no token: one is hkl_..._..."
            self.refused_tokens["unknown" if shaped else "malformed"] += 1
            self._refuse_attempt(request, reason, scope)
        if token.expired(time.time()):
            self.refused_tokens["expired"] += 1
            self._refuse_attempt(request, f"the token {token.name!r} has expired", scope)
        return token

    def _refuse_attempt(self, request: RequestScope, reason: str, scope: Scope) -> NoReturn:
        # Only what is wrong is counted: whoever shares an address with a client that has an old token is not shut
        # out by it, and 256 random bits are not guessed at any rate.
        address = self.proxy_headers.address(request)
        wait = self._failures.take(address, time.monotonic())
        if wait:
            raise _too_many(f"too many attempts with wrong tokens; {reason}", wait, scope)
        _logger.warning("a token was refused", extra={"client": address, "reason": reason})
        challenge = f'Bearer realm="heksherlite", scope="{scope}", error="invalid_token"'
        raise AccessDeniedError(401, reason, needed_scope=scope, headers={"www-authenticate": challenge})

    def _forbid(self, reason: str, scope: Scope) -> NoReturn:
        self.refused_tokens["insufficient"] += 1
        challenge = f'Bearer realm="heksherlite", scope="{scope}", error="insufficient_scope"'
        raise AccessDeniedError(403, reason, needed_scope=scope, headers={"www-authenticate": challenge})

    def _count_write(self, client: str) -> None:
        wait = self._writes.take(client, time.monotonic())
        if wait:
            raise _too_many("too many writes at once", wait, None)


def may_operate(token: Token) -> bool:
    """Tell whether somebody with this token may decide on what concerns the whole service."""
    return Scope.ADMIN in token.scopes and not token.setting_prefix


def _too_many(detail: str, wait: float, scope: Scope | None) -> AccessDeniedError:
    return AccessDeniedError(429, detail, needed_scope=scope, headers={"retry-after": str(math.ceil(wait))})


def _credentials(request: RequestScope) -> bytes | None:
    """Return the token that a request brings along, which may be anything, or None."""
    bearer = legacy = None
    for name, value in request["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            # Two tokens, or a scheme that is not ours, are an attempt that fails, unless there is an api_token:
            # a proxy in between may have its own use for the header.
            bearer = token.strip() if bearer is None and scheme.lower() == b"bearer" else b""
        elif name == b"api_token":
            legacy = value.strip() if legacy is None else b""
    return legacy if legacy is not None and not bearer else bearer

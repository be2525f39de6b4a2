"""Operators: the people who decide, on the pages, which applications are granted access.

A browser receives a cookie with 256 random bits with its first page. Forms prove with it that this service displayed
them in this browser. A person who logs in with a token receives a new cookie, whose digest is stored with the token.
So all replicas know the session at once, it ends when the person logs out or the token is revoked, and nobody can
derive the cookie from the database.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.authorizer import Authorizer, may_operate
from heksherlite.service.api.identity import Identity
from heksherlite.service.api.origin_guard import OriginGuard
from heksherlite.service.domain.sessions import (
    LIFETIME,
    form_token,
    is_form_token,
    is_secret,
    new_secret,
    session_digest,
)
from heksherlite.service.options import AccessOptions
from heksherlite.service.storage.sessions import Sessions

_logger = logging.getLogger(__name__)

_EVERY_PERSON: Final = "*"


class LoginRequiredError(AccessDeniedError):
    """A page for operators was requested by a person who is not logged in."""

    def __init__(self) -> None:
        super().__init__(401, "this page is for operators; log in first")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser.

    Attributes:
        secret: The value of its cookie.
        is_new: Whether the browser does not have the cookie yet.
    """

    secret: str = field(repr=False)
    is_new: bool

    @property
    def form_token(self) -> str:
        """The token that each of its forms must contain."""
        return form_token(self.secret)


class Operators:
    """Authenticates operators.

    Args:
        authorizer: Verifies the tokens with which people log in.
        origin_guard: Determines whether a form comes from this site.
        options: The people who are operators without logging in.
        sessions: The sessions in the database.
        clock: Returns the time on the clock that all services on the database agree on, in seconds since the epoch.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        origin_guard: OriginGuard,
        options: AccessOptions,
        sessions: Sessions,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._authorizer = authorizer
        self._proxy_headers = authorizer.proxy_headers
        self._operators = options.operators
        self._sessions = sessions
        self._origin_guard = origin_guard

    async def authorize(self, request: Request) -> None:
        """Require that a request comes from an operator, and store the identity in ``request.state.identity``.

        Raises:
            LoginRequiredError: The request does not come from an operator.
            DatabaseUnavailableError: The session cannot be looked up.
        """
        if (operator := await self.find(request)) is None:
            raise LoginRequiredError
        request.state.identity = operator

    async def find(self, request: Request) -> Identity | None:
        """Return the operator from whom a request comes, or None.

        Without tokens, every person is an operator.

        Raises:
            AccessDeniedError: The header that names the person is invalid.
            DatabaseUnavailableError: The session cannot be looked up.
        """
        address, person = self._proxy_headers.address(request.scope), self._proxy_headers.person(request.scope)
        if not self._authorizer.requires_tokens or (person and not self._operators.isdisjoint({person, _EVERY_PERSON})):
            return Identity(person=person, address=address)
        secret = self._secret(request)
        token = None if secret is None else await self._sessions.token(session_digest(secret), now=self._clock())
        return Identity(token, person, address) if token is not None and may_operate(token) else None

    async def log_in(self, request: Request, text: str) -> Visitor:
        """Start a session for a person who has an operator's token.

        Args:
            request: The request that contains the token.
            text: The token, as the person entered it.

        Returns:
            The browser with a new cookie, which nobody else can know.

        Raises:
            AccessDeniedError: The token is invalid or is not an operator's, or there were too many failed attempts.
            DatabaseUnavailableError: The database is not available.
        """
        token = await self._authorizer.token_of_operator(request, text.encode())
        secret = new_secret()
        if not await self._sessions.begin(session_digest(secret), token, now=self._clock(), seconds=LIFETIME):
            raise AccessDeniedError(403, "the token belongs to an application; operators are people")
        client = self._proxy_headers.address(request.scope)
        extra = {"token": token.name, "client": client}
        _logger.info("an operator logged in: token %r, from %s", token.name, client, extra=extra)
        return Visitor(secret, is_new=True)

    async def log_out(self, request: Request) -> None:
        """End the session of a browser.

        Raises:
            DatabaseUnavailableError: The database is not available; the session continues.
        """
        if (secret := self._secret(request)) is not None:
            await self._sessions.end(session_digest(secret))

    def visitor(self, request: Request) -> Visitor:
        """Return the browser that sent a request."""
        secret = self._secret(request)
        return Visitor(new_secret(), is_new=True) if secret is None else Visitor(secret, is_new=False)

    def require_own_form(self, request: Request, token: str) -> None:
        """Require that this service displayed a form in the browser that sent it.

        Args:
            request: The request with the form.
            token: The token that the form contains.

        Raises:
            AccessDeniedError: The form comes from another site, another browser or another session.
        """
        if not self._origin_guard.is_same_origin(request.scope):
            raise AccessDeniedError(403, "this form was sent from another site")
        secret = self._secret(request)
        if secret is None:
            raise AccessDeniedError(403, "the browser sent no cookie with this form; allow cookies for this site")
        if not is_form_token(secret, token):
            raise AccessDeniedError(403, "this form belongs to an earlier session; reload its page")

    def set_cookie(self, request: Request, response: Response, visitor: Visitor) -> None:
        """Set the cookie of a browser."""
        secure = self._proxy_headers.is_secure(request.scope)
        response.set_cookie(
            _cookie_name(secure=secure),
            visitor.secret,
            secure=secure,
            httponly=True,
            samesite="lax",
        )

    def _secret(self, request: Request) -> str | None:
        secret = request.cookies.get(_cookie_name(secure=self._proxy_headers.is_secure(request.scope)), "")
        return secret if is_secret(secret) else None


def _cookie_name(*, secure: bool) -> str:
    # Browsers do not allow other hosts of the same domain to set a cookie with this prefix.
    return "__Host-heksherlite_session" if secure else "heksherlite_session"

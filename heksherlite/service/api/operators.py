"""Operators: the people who decide, on pages, which applications are let in.

A browser has a cookie with 256 random bits from its first page on: forms prove by it that this service showed them to
this browser. A person who logs in with a token gets another cookie, whose digest is stored with the token: so every
replica knows the session at once, it ends when the person logs out or the token is revoked, and who reads the database
cannot make one up.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from fastapi import Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.authorizer import Authorizer, may_operate
from heksherlite.service.api.identity import Identity
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

_EVERYBODY: Final = "*"


class LoginRequiredError(AccessDeniedError):
    """A page for operators, asked for by somebody who is not logged in."""

    def __init__(self) -> None:
        super().__init__(401, "this page is for operators: log in first")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser.

    Attributes:
        secret: What its cookie holds.
        is_new: Whether it does not have that cookie yet.
    """

    secret: str = field(repr=False)
    is_new: bool

    @property
    def form_token(self) -> str:
        """What its forms bring along."""
        return form_token(self.secret)


class Operators:
    """Knows who is an operator.

    Args:
        authorizer: Authorizes all other requests.
        options: Whether anybody needs to log in, and who need not.
        sessions: Who is logged in.
        public_url: Where the service is for its clients; None if it is where they say.
    """

    def __init__(
        self, authorizer: Authorizer, options: AccessOptions, sessions: Sessions, public_url: str | None
    ) -> None:
        self._authorizer = authorizer
        self._proxy_headers = authorizer.proxy_headers
        self._operators = options.operators
        self._sessions = sessions
        self._public_url = public_url

    async def authorize(self, request: Request) -> None:
        """Let an operator in, who is ``request.state.identity`` from then on.

        Raises:
            LoginRequiredError: It is none.
            DatabaseUnavailableError: This cannot be found out.
        """
        if (operator := await self.find(request)) is None:
            raise LoginRequiredError
        request.state.identity = operator

    async def find(self, request: Request) -> Identity | None:
        """Return the operator who makes a request, if it is one.

        Without tokens everybody is, as everybody may do everything then.

        Raises:
            AccessDeniedError: The header that names the person is invalid, or the page of a service without
                tokens was opened by a name that is not its own.
            DatabaseUnavailableError: This cannot be found out.
        """
        if not self._authorizer.asks_for_tokens:
            self._require_own_name(request)
        address, person = self._proxy_headers.address(request.scope), self._proxy_headers.person(request.scope)
        if not self._authorizer.asks_for_tokens or (person and not self._operators.isdisjoint({person, _EVERYBODY})):
            return Identity(person=person, address=address)
        secret = self._secret(request)
        token = None if secret is None else await self._sessions.token(session_digest(secret), now=time.time())
        return Identity(token, person, address) if token is not None and may_operate(token) else None

    async def log_in(self, request: Request, text: str) -> Visitor:
        """Begin a session for whoever has a token.

        Args:
            request: The request that brings it along.
            text: The token, as a person entered it.

        Returns:
            The browser with its new cookie: nobody else can know this one.

        Raises:
            AccessDeniedError: The token is of no use, or not for this, or there were too many attempts.
            DatabaseUnavailableError: The database cannot be reached.
        """
        token = await self._authorizer.token_of_operator(request, text.encode())
        secret = new_secret()
        if not await self._sessions.begin(session_digest(secret), token, now=time.time(), seconds=LIFETIME):
            raise AccessDeniedError(403, "operators are people, and this token is of an application")
        client = self._proxy_headers.address(request.scope)
        _logger.info("an operator logged in", extra={"token": token.name, "client": client})
        return Visitor(secret, is_new=True)

    async def log_out(self, request: Request) -> None:
        """End a session.

        Raises:
            DatabaseUnavailableError: The database cannot be reached; the session goes on.
        """
        if (secret := self._secret(request)) is not None:
            await self._sessions.end(session_digest(secret))

    def visitor(self, request: Request) -> Visitor:
        """Return the browser that makes a request."""
        secret = self._secret(request)
        return Visitor(new_secret(), is_new=True) if secret is None else Visitor(secret, is_new=False)

    def require_own_form(self, request: Request, token: str) -> None:
        """Check that a form was sent from a page of this service, shown to this browser.

        Args:
            request: The request that brings it along.
            token: What the form holds as proof.

        Raises:
            AccessDeniedError: It was not.
        """
        if not self._sent_from_here(request):
            raise AccessDeniedError(403, "this form was sent from another site")
        secret = self._secret(request)
        if secret is None:
            raise AccessDeniedError(
                403, "the browser sent no cookie with this form: it has to accept that of this site"
            )
        if not is_form_token(secret, token):
            raise AccessDeniedError(403, "this form is not of this session any more: open its page again")

    def set_cookie(self, request: Request, response: Response, visitor: Visitor) -> None:
        """Give a browser its cookie."""
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

    def _sent_from_here(self, request: Request) -> bool:
        # Browsers say one of these; programs that say neither have no cookies of people.
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None:
            return site in {"same-origin", "none"}
        return origin is None or origin.lower() in {
            f"{url.scheme}://{url.netloc}".lower() for url in self._urls(request)
        }

    def _urls(self, request: Request) -> Sequence[SplitResult]:
        """Return where the service is: as the browser says, and as it was told."""
        return [urlsplit(url) for url in (self._proxy_headers.base_url(request.scope), self._public_url) if url]

    def _require_own_name(self, request: Request) -> None:
        """Check that a page is not opened by a name that anybody could have given to this machine.

        Where nobody logs in, a foreign site whose name leads here could otherwise use the pages as if it were ours.
        """
        opened, *public = [url.hostname or "" for url in self._urls(request)]
        if not (opened in public or opened == "localhost" or opened.endswith(".localhost") or _is_address(opened)):
            raise AccessDeniedError(
                403,
                f"this service is not known as {opened}: open the page by its IP address, or start the service with"
                f" --public-url {self._proxy_headers.base_url(request.scope)}",
            )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def operators_of(request: Request) -> Operators:
    """Return who knows the operators of the service that a request was sent to."""
    operators: Operators = request.app.state.operators
    return operators


def _cookie_name(*, secure: bool) -> str:
    # With this prefix, browsers do not let other hosts of the same domain set it.
    return "__Host-heksherlite_session" if secure else "heksherlite_session"

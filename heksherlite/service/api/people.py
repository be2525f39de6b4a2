"""People who use the pages: who they are, and what they may do.

A browser receives a cookie with 256 random bits with its first page. Forms prove with it that this service displayed
them in this browser. A person who logs in receives a new cookie, whose digest is stored with the session. So all
replicas know the session at once, it ends when the person logs out or the token is revoked, and nobody can derive the
cookie from the database.

A trusted proxy may name a person who is not logged in. Then the options say what the person may do.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fastapi import Request, Response

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.authorizer import Authorizer, RequiredScope
from heksherlite.service.api.identity import Identity
from heksherlite.service.api.origin_guard import OriginGuard
from heksherlite.service.domain.access.sessions import ActiveSession
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.sessions import (
    Session,
    form_token,
    is_form_token,
    is_secret,
    new_secret,
    session_digest,
)
from heksherlite.service.domain.tokens import FULL_ACCESS, NO_ACCESS, PERMITS, Access, Scope, in_words
from heksherlite.service.options import AccessOptions
from heksherlite.service.storage.sessions import Sessions

_logger = logging.getLogger(__name__)


class LoginRequiredError(AccessDeniedError):
    """A page was requested by a person who is not logged in."""

    def __init__(self) -> None:
        super().__init__(401, "this page requires a login")


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


class People:
    """Authenticates the people who use the pages.

    Args:
        authorizer: Verifies the tokens with which people log in.
        origin_guard: Determines whether a form comes from this site.
        options: What people may do whom a proxy names, and how long sessions last.
        sessions: The sessions in the database.
        clock: Returns the time on the clock that all services on the database agree on, in seconds since the epoch.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        origin_guard: OriginGuard,
        options: AccessOptions,
        sessions: Sessions,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._authorizer = authorizer
        self._proxy_headers = authorizer.proxy_headers
        self._options = options
        self._sessions = sessions
        self._origin_guard = origin_guard

    async def authorize(self, request: Request, required: RequiredScope) -> None:
        """Authorize a request for a page, and store the identity of the person in ``request.state.identity``.

        Args:
            request: The request.
            required: What the route requires.

        Raises:
            LoginRequiredError: The person is not logged in.
            AccessDeniedError: The person may not use the page.
            DatabaseUnavailableError: The session cannot be looked up.
        """
        if (identity := await self.find(request)) is None:
            raise LoginRequiredError
        request.state.identity = identity
        who = identity.name or "an anonymous person"
        if not required.permits(identity.scopes):
            granted = in_words(identity.scopes, "and") or "do nothing here"
            needed = in_words(required.sufficient, "or")
            if required.reads:
                needed = f"{PERMITS[Scope.READ]}, and {needed}"
            raise AccessDeniedError(
                403, f"this is for people who may {needed}; {who} may {granted}", needed_scope=required.scope
            )
        if required.all_settings and identity.setting_prefix:
            raise AccessDeniedError(
                403,
                f"this concerns all settings; {who} is limited to settings whose names begin with"
                f" {identity.setting_prefix!r}",
                needed_scope=required.scope,
            )

    async def find(self, request: Request) -> Identity | None:
        """Return the person who sent a request and what the person may do, or None if that is unknown.

        A session takes precedence over the header of a trusted proxy, so a person can log in with a token that allows
        more. Without tokens, everybody may do everything.

        Raises:
            AccessDeniedError: The header that names the person is invalid.
            DatabaseUnavailableError: The session cannot be looked up.
        """
        address, person = self._proxy_headers.address(request.scope), self._proxy_headers.person(request.scope)
        if not self._authorizer.requires_tokens:
            return Identity(person=person, address=address, granted=FULL_ACCESS, is_anybody=True)
        secret = self._secret(request)
        if secret is not None:
            active = await self._sessions.use(
                session_digest(secret), now=self._clock(), idle_timeout=self._options.session_idle_timeout
            )
            if active is not None:
                session = active.session
                return Identity(active.token, person or session.person, address, session.granted, session.id)
        granted = self._options.granted_to(person)
        return None if granted is None else Identity(person=person, address=address, granted=granted)

    async def log_in(self, request: Request, text: str) -> Visitor:
        """Start a session for a person who has a token. The session has the access of the token.

        Args:
            request: The request that contains the token.
            text: The token, as the person entered it.

        Returns:
            The browser with a new cookie, which nobody else can know.

        Raises:
            AccessDeniedError: The token is invalid or belongs to an application, or there were too many failed
                attempts.
            DatabaseUnavailableError: The database is not available.
        """
        token = await self._authorizer.token_of_person(request, text.encode())
        return await self._begin(request, token.name, public_prefix=token.public_prefix)

    async def log_in_identified(self, request: Request, person: str, granted: Access) -> Visitor:
        """Start a session for a person whom an identity provider identified.

        Args:
            request: The request of the person's browser.
            person: The name of the person.
            granted: What the person may do.

        Returns:
            The browser with a new cookie, which nobody else can know.

        Raises:
            DatabaseUnavailableError: The database is not available.
        """
        return await self._begin(request, person, person=person, granted=granted)

    async def _begin(
        self,
        request: Request,
        name: str,
        *,
        public_prefix: str | None = None,
        person: str | None = None,
        granted: Access = NO_ACCESS,
    ) -> Visitor:
        secret, now, client = new_secret(), self._clock(), self._proxy_headers.address(request.scope)
        session = Session(
            digest=session_digest(secret),
            public_prefix=public_prefix,
            person=person,
            granted=granted,
            address=client,
            created_at=int(now),
            last_used_at=int(now),
            expires_at=int(now) + self._options.session_lifetime,
        )
        if not await self._sessions.begin(session, now=now):
            raise AccessDeniedError(403, "the token belongs to an application; only people log in")
        extra = {"person": name, "client": client, "session": session.id}
        _logger.info("a person logged in: %s, from %s", name, client, extra=extra)
        return Visitor(secret, is_new=True)

    async def log_out(self, request: Request) -> None:
        """End the session of a browser.

        Raises:
            DatabaseUnavailableError: The database is not available; the session continues.
        """
        if (secret := self._secret(request)) is not None:
            await self._sessions.end(session_digest(secret))

    async def end_session(self, identity: Identity, session_id: str) -> bool:
        """End a session: one of the person's own, or as an operator, anybody's.

        Args:
            identity: Who ends it.
            session_id: The public id of the session.

        Returns:
            Whether there was such a session.

        Raises:
            DatabaseUnavailableError: The database is not available; the session continues.
        """
        owner = None if identity.is_operator else identity.owner
        ended = await self._sessions.end_by_id(session_id, owner=owner, cause=Cause(identity.author))
        if ended:
            extra = {"session": session_id, "by": identity.name}
            _logger.info("a session was ended: session %s, by %s", session_id, identity.name, extra=extra)
        return ended

    async def list_sessions(self, identity: Identity) -> Sequence[ActiveSession]:
        """Return the sessions that a person may end, the oldest first.

        Raises:
            DatabaseUnavailableError: The database is not available.
        """
        active = await self._sessions.list_active(now=self._clock(), idle_timeout=self._options.session_idle_timeout)
        return [each for each in active if identity.is_operator or each.session.owner == identity.owner]

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

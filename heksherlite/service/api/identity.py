"""The identity of a client, in ``request.state.identity`` of each authorized request."""

from dataclasses import dataclass
from typing import Literal, cast

from starlette.types import Scope as RequestScope

from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.sessions import Owner
from heksherlite.service.domain.tokens import NO_ACCESS, Access, Scope, Token


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a client.

    Attributes:
        token: The token of the request, or the one that the person logged in with; None if there is none.
        person: The person named by a trusted proxy or an identity provider, if any.
        address: The address of the client, in front of all trusted proxies.
        granted: What the client may do without a token; with a token, the token decides.
        session_id: The public id of the session of a person who is logged in; None without a session.
        is_anybody: Whether the service requires no tokens, so that anybody may do everything.
    """

    token: Token | None = None
    person: str | None = None
    address: str | None = None
    granted: Access = NO_ACCESS
    session_id: str | None = None
    is_anybody: bool = False

    @property
    def kind(self) -> Literal["anonymous", "token", "application", "person"]:
        """The kind of the ``id`` and ``name``."""
        if self.person:
            return "person"
        if self.token is None:
            return "anonymous"
        return "token" if self.token.application_id is None else "application"

    @property
    def id(self) -> str | None:
        """The person, or else the id of the application, or else the public prefix of the token, or else None."""
        if self.person or self.token is None:
            return self.person
        return self.token.application_id or self.token.public_prefix

    @property
    def name(self) -> str | None:
        """The person, or else the name of the token, or else None."""
        return self.person or (self.token.name if self.token else None)

    @property
    def author(self) -> Author:
        """The client as the author of changes."""
        person = self.person or (self.token.owner if self.token else None)
        token = self.token.public_prefix if self.token else None
        return Author(self.kind, self.name, self.address, self.id, person, token)

    @property
    def owner(self) -> Owner:
        """Whose sessions are the client's own."""
        return (self.token.public_prefix, None) if self.token else (None, self.person)

    @property
    def scopes(self) -> frozenset[Scope]:
        """The scopes that the client has."""
        return self.token.scopes if self.token else self.granted.scopes

    @property
    def sees_people(self) -> bool:
        """Whether the history shows the client who made changes and from where, and what groups contain."""
        return not self.scopes.isdisjoint({Scope.AUDIT, Scope.ADMIN})

    @property
    def setting_prefix(self) -> str:
        """The prefix of the names of the settings that the client may access; empty for all settings."""
        return self.token.setting_prefix if self.token else self.granted.setting_prefix

    @property
    def is_operator(self) -> bool:
        """Whether the client may decide about the whole service: it has scope ``admin`` and no setting prefix."""
        return Scope.ADMIN in self.scopes and not self.setting_prefix

    @property
    def is_accountable(self) -> bool:
        """Whether the service knows who the client is, by a token, a trusted proxy or an identity provider."""
        return not self.is_anybody and (self.token is not None or self.person is not None)


def identity_of(request: RequestScope) -> Identity:
    """Return the identity of the client of an authorized request, faster than by ``request.state``."""
    return cast("Identity", request["state"]["identity"])

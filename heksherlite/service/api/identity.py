"""The identity of a client, in ``request.state.identity`` of each authorized request."""

from dataclasses import dataclass
from typing import Literal

from heksherlite.service.domain.tokens import Scope, Token


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a client.

    Attributes:
        token: The token of the request; None if tokens are not required.
        person: The person named by a trusted proxy, if any.
        address: The address of the client, in front of all trusted proxies.
    """

    token: Token | None = None
    person: str | None = None
    address: str | None = None

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
    def sees_people(self) -> bool:
        """Whether the history shows the client who made changes and from where, and what groups contain."""
        return self.token is None or not self.token.scopes.isdisjoint({Scope.AUDIT, Scope.ADMIN})

    @property
    def setting_prefix(self) -> str:
        """The prefix of the names of the settings that the request may access; empty for all settings."""
        return self.token.setting_prefix if self.token else ""

"""The identity of a client, in ``request.state.identity`` of each authorized request."""

from dataclasses import dataclass
from typing import Literal

from heksherlite.service.domain.tokens import Token


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
    def kind(self) -> Literal["anonymous", "token", "person"]:
        """The kind of the ``name``."""
        if self.person:
            return "person"
        return "token" if self.token else "anonymous"

    @property
    def name(self) -> str | None:
        """The person, or else the name of the token, or else None."""
        return self.person or (self.token.name if self.token else None)

    @property
    def setting_prefix(self) -> str:
        """The prefix of the names of the settings that the request may access; empty for all settings."""
        return self.token.setting_prefix if self.token else ""

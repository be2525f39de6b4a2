"""Who makes a request; handlers find it in ``request.state.identity``."""

from dataclasses import dataclass
from typing import Literal

from heksherlite.service.domain.tokens import Token


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a request.

    Attributes:
        token: The token that was sent, if tokens are asked for.
        person: The person that a trusted proxy names, if it does.
        address: Where the request comes from, the other side of trusted proxies.
    """

    token: Token | None = None
    person: str | None = None
    address: str | None = None

    @property
    def kind(self) -> Literal["anonymous", "token", "person"]:
        """Which of these has the ``name``."""
        if self.person:
            return "person"
        return "token" if self.token else "anonymous"

    @property
    def name(self) -> str | None:
        """The person or else the name of the token, or None for nobody in particular."""
        return self.person or (self.token.name if self.token else None)

    @property
    def setting_prefix(self) -> str:
        """How the names of the settings begin that the request may be about; empty for no limit."""
        return self.token.setting_prefix if self.token else ""

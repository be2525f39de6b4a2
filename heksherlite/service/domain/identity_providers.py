"""How an OpenID Connect identity provider identifies people, and what its groups allow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from heksherlite.secret import Secret
from heksherlite.service.domain.tokens import Access

EVERY_GROUP: Final = "*"
"""Stands for everybody whom the identity provider identifies."""

_MAX_NAME_LENGTH: Final = 320  # characters, as for an e-mail address


class UnidentifiedPersonError(ValueError):
    """The claims of an identity provider name nobody, or nobody who may use the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """An OpenID Connect identity provider, and what the people it identifies may do.

    Attributes:
        issuer: The URL that identifies the provider, below which it describes itself.
        client_id: The id with which the service is registered at the provider.
        client_secret: The secret of the service; None for a public client.
        groups: What the members of each group may do. The first group of which a person is a member decides; ``*``
            is everybody.
        name_claim: The claim that names the person in the history. The name in ``email`` must be verified.
        groups_claim: The claim with the groups of the person.
        scopes: The OAuth2 scopes to request in addition to ``openid``.
    """

    issuer: str
    client_id: str
    client_secret: Secret | None = None
    groups: Mapping[str, Access] = field(default_factory=dict)
    name_claim: str = "email"
    groups_claim: str = "groups"
    scopes: tuple[str, ...] = ("profile", "email")

    def identify(self, claims: Mapping[str, Any]) -> tuple[str, Access]:
        """Return the name of a person, and what the person may do.

        Args:
            claims: What the provider says about the person.

        Raises:
            UnidentifiedPersonError: The claims contain no name, or no group of which members may use the service.
        """
        name = claims.get(self.name_claim)
        if not isinstance(name, str) or not name.strip():
            raise UnidentifiedPersonError(f"the identity provider sent no name in the claim {self.name_claim!r}")
        if len(name) > _MAX_NAME_LENGTH or not name.isprintable():
            raise UnidentifiedPersonError(f"the claim {self.name_claim!r} of the identity provider is not a name")
        if self.name_claim == "email" and claims.get("email_verified", True) is not True:
            raise UnidentifiedPersonError(f"the identity provider has not verified the e-mail address {name!r}")
        for group, access in self.groups.items():
            if group == EVERY_GROUP or group in self._groups_of(claims):
                return name, access
        raise UnidentifiedPersonError(f"{name} is in none of the groups that may use this service")

    def is_complete(self, claims: Mapping[str, Any]) -> bool:
        """Return whether the claims contain a name, and the groups if these matter."""
        return self.name_claim in claims and (
            self.groups_claim in claims or all(group == EVERY_GROUP for group in self.groups)
        )

    def _groups_of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        groups = claims.get(self.groups_claim)
        if isinstance(groups, str):
            return frozenset({groups})
        named = groups if isinstance(groups, list) else []
        return frozenset(group for group in named if isinstance(group, str))

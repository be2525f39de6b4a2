"""Who may upgrade a setting by declaring it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from heksherlite.service.domain.tokens import Scope, Token

DeclarerKind: TypeAlias = Literal["application", "token"]


@dataclass(frozen=True, slots=True, order=True)
class Declarer:
    """An application, or a token that belongs to no application, by its id.

    Names and identifiers give no rights, because several programs may claim the same one.

    Attributes:
        kind: ``application`` or ``token``.
        id: The id of the application, or the public prefix of the token.
    """

    kind: DeclarerKind
    id: str

    def as_json(self) -> dict[str, Any]:
        """Return the declarer as the API and the history show it."""
        return {"kind": self.kind, "id": self.id}


def declarer_of(token: Token) -> Declarer:
    """Return the declarer that a token proves to be."""
    if token.application_id is not None:
        return Declarer("application", token.application_id)
    return Declarer("token", token.public_prefix)


def declarer_name(declarer: Declarer, tokens: Iterable[Token]) -> str | None:
    """Return the name of the token, or the identifier of the application; None if it was revoked."""
    return next((token.name for token in tokens if declarer_of(token) == declarer), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationRights:
    """The rights of whoever declares a setting.

    Attributes:
        declarer: Who declares it; None if requests require no tokens.
        upgrades_everything: Whether upgrades of every setting are permitted.
    """

    declarer: Declarer | None = None
    upgrades_everything: bool = True

    @classmethod
    def of_token(cls, token: Token | None, *, strict: bool) -> "DeclarationRights":
        """Return the rights of a token, or of a request without one if tokens are not required.

        Args:
            token: The token.
            strict: Whether ``declare`` alone does not permit to upgrade the settings of others.
        """
        if token is None:
            return cls(upgrades_everything=not strict)
        has_right = bool(token.setting_prefix) or not token.scopes.isdisjoint({Scope.WRITE, Scope.ADMIN})
        return cls(declarer=declarer_of(token), upgrades_everything=has_right or not strict)

    def missing_for(self, name: str, declarers: frozenset[Declarer]) -> str | None:
        """Return which right is missing to upgrade a setting, for people, or None if none is.

        Args:
            name: The name of the setting.
            declarers: Who may upgrade it.
        """
        if self.upgrades_everything or self.declarer in declarers:
            return None
        if self.declarer is None:
            return (
                f"nobody may upgrade {name!r} by declaring it: the service requires no tokens, which would tell who"
                " declares it, and has --strict-declarations"
            )
        kind, option = self.declarer.kind, "token-id" if self.declarer.kind == "token" else "application"
        return (
            f"the {kind} {self.declarer.id} is not a declarer of {name!r}; an operator can add it (heksherlite declarer"
            f" add {name} --{option} {self.declarer.id}), or give it a setting prefix or the scope {Scope.WRITE}"
        )


EVERY_RIGHT: Final = DeclarationRights()
"""The rights to upgrade every setting."""

"""The person behind a request, and what they may do."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from fastapi import Request

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import context_of
from heksherlite.service.api.routes import requires_operator
from heksherlite.service.domain.sessions import session_digest
from heksherlite.service.domain.tokens import Scope

requires_person: Final = requires_operator
"""Declares that the routes of an endpoint require a person who is logged in."""

_WHAT_FOR: Final = {
    Scope.READ: "read settings",
    Scope.PROPOSE: "propose changes",
    Scope.WRITE: "change settings",
    Scope.ADMIN: "administer the service",
}


@dataclass(frozen=True)
class Person:
    """A person.

    Attributes:
        name: The name by which the history knows the person, or None if the service cannot tell people apart.
        scopes: What the person may do.
        setting_prefix: The prefix of the names of the settings that the person may access; empty for all settings.
        draft_owner: Whose draft the person edits: the person's own, or that of the browser if there is no name.
        logged_in: Whether the person logged in, and can log out.
    """

    name: str | None
    scopes: frozenset[Scope]
    setting_prefix: str
    draft_owner: str
    logged_in: bool

    @cached_property
    def may_write(self) -> bool:
        """Whether the person may change values."""
        return Scope.WRITE in self.scopes

    @cached_property
    def may_propose(self) -> bool:
        """Whether the person may propose changes."""
        return Scope.PROPOSE in self.scopes or self.may_write

    @cached_property
    def may_edit(self) -> bool:
        """Whether the person may have a draft."""
        return self.may_propose or self.may_administer

    @cached_property
    def may_administer(self) -> bool:
        """Whether the person may change declarations, context features and protection."""
        return Scope.ADMIN in self.scopes

    @cached_property
    def sees_everything(self) -> bool:
        """Whether the person's access is not limited to some settings, which the history requires."""
        return not self.setting_prefix

    def require(self, *alternatives: Scope) -> None:
        """Require that the person has one of some scopes.

        Raises:
            AccessDeniedError: The person has none of them.
        """
        if self.scopes.isdisjoint(alternatives):
            scope = alternatives[0]
            raise AccessDeniedError(
                403, f"you may not {_WHAT_FOR.get(scope, scope)}: this takes the scope {scope}", needed_scope=scope
            )

    def require_everything(self) -> None:
        """Require that the person's access is not limited to some settings.

        Raises:
            AccessDeniedError: It is.
        """
        if self.setting_prefix:
            raise AccessDeniedError(
                403, f"this is about all settings; you may access those whose names start with {self.setting_prefix!r}"
            )


def person_of(request: Request) -> Person:
    """Return the person behind an authorized request."""
    identity = request.state.identity
    token = identity.token
    if identity.name is None:
        owner = f"browser {session_digest(context_of(request).operators.visitor(request).secret).hex()}"
    else:
        owner = f"{identity.kind} {identity.name}"
    return Person(
        name=identity.name,
        scopes=frozenset(Scope) if token is None else token.scopes,
        setting_prefix=identity.setting_prefix,
        draft_owner=owner,
        logged_in=token is not None,
    )

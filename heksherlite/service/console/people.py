"""The person behind a request, and what they may do."""

from dataclasses import dataclass

from fastapi import Request

from heksherlite.service.api.context import context_of
from heksherlite.service.domain.sessions import session_digest
from heksherlite.service.domain.tokens import Scope


@dataclass(frozen=True, slots=True)
class Person:
    """A person.

    Attributes:
        name: The name by which the history knows the person, or None if the service cannot tell people apart.
        scopes: What the person may do.
        setting_prefix: The prefix of the names of the settings that the person may access; empty for all settings.
        draft_owner: Whose draft the person edits: the person's own, or that of the browser if there is no name.
        logged_in: Whether the person has a session, and can log out.
        sees_people: Whether the person sees who made changes.
        is_accountable: Whether the service knows who the person is, as it must of those who manage access.
    """

    name: str | None
    scopes: frozenset[Scope]
    setting_prefix: str
    draft_owner: str
    logged_in: bool
    sees_people: bool
    is_accountable: bool

    @property
    def may_write(self) -> bool:
        """Whether the person may change values."""
        return Scope.WRITE in self.scopes

    @property
    def may_propose(self) -> bool:
        """Whether the person may propose changes."""
        return Scope.PROPOSE in self.scopes or self.may_write

    @property
    def may_edit(self) -> bool:
        """Whether the person may have a draft. Edits of values require `may_propose`."""
        return self.may_propose or self.may_administer

    @property
    def may_administer(self) -> bool:
        """Whether the person may change declarations, context features and protection."""
        return Scope.ADMIN in self.scopes

    @property
    def may_read(self) -> bool:
        """Whether the person may read settings."""
        return Scope.READ in self.scopes

    @property
    def may_approve(self) -> bool:
        """Whether the person may approve proposals; each operation also requires its own scope."""
        return self.may_write or self.may_administer

    @property
    def may_decide(self) -> bool:
        """Whether the person takes part in what becomes of a proposal."""
        return self.may_propose or self.may_approve

    @property
    def sees_everything(self) -> bool:
        """Whether the person's access is not limited to some settings."""
        return not self.setting_prefix

    @property
    def sees_history(self) -> bool:
        """Whether the person may read the history, which is that of all settings."""
        return self.may_read and self.sees_everything

    @property
    def is_operator(self) -> bool:
        """Whether the person decides who may use the service."""
        return self.may_administer and self.sees_everything

    @property
    def manages_access(self) -> bool:
        """Whether the person creates tokens and approves applications here."""
        return self.is_operator and self.is_accountable


def person_of(request: Request) -> Person:
    """Return the person behind an authorized request."""
    identity = request.state.identity
    if identity.id is None:
        owner = f"browser {session_digest(context_of(request).people.visitor(request).secret).hex()}"
    else:
        owner = f"{identity.kind} {identity.id}"
    return Person(
        name=identity.name,
        scopes=identity.scopes,
        setting_prefix=identity.setting_prefix,
        draft_owner=owner,
        logged_in=identity.session_id is not None,
        sees_people=identity.sees_people,
        is_accountable=identity.is_accountable,
    )

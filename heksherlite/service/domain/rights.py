"""What the one who makes a change may do."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from heksherlite.operations import AnyOperation, scope_of
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import InvalidError, NotPermittedError


@dataclass(frozen=True, slots=True)
class Rights:
    """What the one who makes changes may do.

    Attributes:
        scopes: The scopes. None: everything.
        setting_prefix: The prefix of the names of the settings that may be changed.
        ignores_protection: Whether protected settings may be changed.
        sees_people: Whether conflicts name who made the other change.
    """

    scopes: frozenset[Scope] | None = None
    setting_prefix: str = ""
    ignores_protection: bool = False
    sees_people: bool = True

    def breaking_glass(self, cause: Cause) -> tuple["Rights", Cause]:
        """Return the rights to change protected settings in an emergency, and the cause that the history keeps.

        Raises:
            NotPermittedError: The scope ``admin`` is missing.
            InvalidError: There is no reason.
        """
        if self.scopes is not None and Scope.ADMIN not in self.scopes:
            raise NotPermittedError(f"break_glass requires a token with scope {Scope.ADMIN}", needed_scope=Scope.ADMIN)
        if cause.reason is None:
            raise InvalidError("break_glass needs a reason", location=("body", "reason"))
        return replace(self, ignores_protection=True), replace(cause, break_glass=True)

    def to_look_ahead(self) -> "Rights":
        """Return the rights for a dry run: one who may only read sees what one who may make the change would do."""
        return self if self.may_change else replace(self, scopes=None, sees_people=False)

    @property
    def may_change(self) -> bool:
        """Whether any change is permitted."""
        return self.scopes is None or not self.scopes.isdisjoint({Scope.WRITE, Scope.ADMIN})

    def check(self, operations: Iterable[AnyOperation]) -> None:
        """Check that the operations are permitted.

        Raises:
            NotPermittedError: One is not.
        """
        if self.scopes is None:
            return
        for index, operation in enumerate(operations):
            if (scope := scope_of(operation)) not in self.scopes:
                text = f"operations[{index}]: {operation.op} requires a token with scope {scope}"
                raise NotPermittedError(text, needed_scope=scope)

"""Who makes a change, and why."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

AuthorKind: TypeAlias = Literal["anonymous", "token", "person", "application", "command_line", "schedule", "service"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change.

    Attributes:
        kind: ``anonymous``, ``token`` or ``person`` for a request; ``application`` for one that asks for its own
            token; ``command_line`` for a command; ``schedule`` for the switch of a scheduled rule; ``service`` for
            what a service does at its start.
        name: Which token, person or application, or which user of the machine.
        address: Where the request came from.
    """

    kind: AuthorKind
    name: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Who makes a change and why.

    Attributes:
        author: Who makes it.
        reason: Why.
        reverts: The revision that it undoes, if it does.
        break_glass: Whether it went past the protection of settings, in an emergency.
    """

    author: Author
    reason: str | None = None
    reverts: int | None = None
    break_glass: bool = False


BY_SERVICE: Final = Cause(Author("service"))
BY_SCHEDULE: Final = Cause(Author("schedule"))

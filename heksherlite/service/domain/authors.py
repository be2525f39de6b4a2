"""Who makes a change, and why."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

AuthorKind: TypeAlias = Literal["anonymous", "token", "person", "application", "command_line", "schedule", "service"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change.

    Attributes:
        kind: ``anonymous``, ``token``, ``person`` or ``application`` for a request; ``command_line`` for a command;
            ``schedule`` for the switch of a scheduled rule; ``service`` for what a service does at its start.
        name: The name of the token or person, the identifier of the application, or the user of the machine. Names may
            be chosen by those who have them, and several authors may have the same one.
        address: The address that the request came from.
        id: What identifies the author among those of its kind: the public prefix of a token, the id of an application,
            the name of a person, or the user of the machine. None in records from before there were ids.
        person: The person behind the author: the person, or the owner of the token. None if nobody said it.
        token: The public prefix of the token that the request came with. None without one.
    """

    kind: AuthorKind
    name: str | None = None
    address: str | None = None
    id: str | None = None
    person: str | None = None
    token: str | None = None

    def is_same_as(self, other: "Author") -> bool:
        """Return whether both are the same, or belong to the same person.

        A token that two known persons share does not make them the same. If one of them is not known, it does: the same
        person may have sent the token through a proxy that names people, and past it.

        Authors without ids count as different: a service that does not authenticate people cannot tell them apart.
        """
        if self.person is not None and other.person is not None:
            return self.person == other.person
        if self.token is not None and self.token == other.token:
            return True
        return self.id is not None and (self.kind, self.id) == (other.kind, other.id)


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

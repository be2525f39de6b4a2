"""The latest changes of a setting, for clients that have the earlier state."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

_MOST_RULES: Final = 1_000
"""The maximum number of rules in a log. Beyond that, a full response is better than a partial one."""


@dataclass(frozen=True, slots=True)
class ChangeLog:
    """The rules of a setting that were added, changed or removed after a revision.

    Attributes:
        complete_after: All changes after this revision are listed.
        changes: Pairs of a revision and the ids of the rules that changed at it, ascending.
        size: The number of rules in the log; one that changed twice counts twice.
    """

    complete_after: int
    changes: tuple[tuple[int, frozenset[int]], ...] = ()
    size: int = 0

    def with_change(self, revision: int, rule_ids: Iterable[int]) -> "ChangeLog":
        """Return the log with one more revision. If it becomes too long, the oldest revisions are removed."""
        added = frozenset(rule_ids)
        changes, complete_after, size = (*self.changes, (revision, added)), self.complete_after, self.size + len(added)
        too_old = 0
        while size > _MOST_RULES or len(changes) - too_old > _MOST_RULES:
            complete_after, removed = changes[too_old]
            too_old += 1
            size -= len(removed)
        return ChangeLog(complete_after, changes[too_old:], size)

    def since(self, revision: int) -> frozenset[int] | None:
        """Return the ids of the rules that changed after a revision, or None if the log does not go back that far."""
        if revision < self.complete_after:
            return None
        newer = takewhile(lambda change: change[0] > revision, reversed(self.changes))
        return frozenset().union(*[rule_ids for _, rule_ids in newer])

"""The latest changes of a setting, for clients that have the earlier state."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_MOST_RULES: Final = 1_000
"""The maximum number of rules in a log. Beyond that, a full response is better than a partial one."""


@dataclass(frozen=True, slots=True)
class ChangeLog:
    """The rules of a setting that were added, changed or removed after a revision.

    Attributes:
        complete_after: All changes after this revision are listed.
        changes: Pairs of a revision and the ids of the rules that changed at it, ascending.
    """

    complete_after: int
    changes: tuple[tuple[int, frozenset[int]], ...] = ()

    def with_change(self, revision: int, rule_ids: Iterable[int]) -> "ChangeLog":
        """Return the log with one more revision. If it becomes too long, the oldest revisions are removed."""
        changes = [*self.changes, (revision, frozenset(rule_ids))]
        complete_after = self.complete_after
        excess = sum([len(ids) for _, ids in changes]) - _MOST_RULES
        while excess > 0 or len(changes) > _MOST_RULES:
            complete_after, ids = changes.pop(0)
            excess -= len(ids)
        return ChangeLog(complete_after, tuple(changes))

    def since(self, revision: int) -> frozenset[int] | None:
        """Return the ids of the rules that changed after a revision, or None if the log does not go back that far."""
        if revision < self.complete_after:
            return None
        return frozenset().union(*[rule_ids for changed_at, rule_ids in self.changes if changed_at > revision])

"""What an update brings, and what it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from heksherlite.engine.history import Question
from heksherlite.engine.messages import Answer
from heksherlite.engine.versions import Version
from heksherlite.lookup import Lookup
from heksherlite.setting import Setting


@dataclass(frozen=True, slots=True)
class Update:
    """A query's answer that was checked and converted, and is not in force yet.

    Attributes:
        lookups: What each setting is to be read from.
        order: The service's order of the context features, that they were made with.
        versions: The versions of the answers, with the questions that they belong to.
        answers: The answers.
    """

    lookups: Sequence[tuple[Setting[Any], Lookup]]
    order: tuple[str, ...]
    versions: Mapping[Question, Version]
    answers: Mapping[Question, Answer]


class Change(NamedTuple):
    """What a setting was read from before an update, and after it."""

    setting: Setting[Any]
    before: Lookup
    after: Lookup

    @property
    def matters(self) -> bool:
        """Whether the rules or the default differ."""
        return (self.before.rules, self.before.default) != (self.after.rules, self.after.default)

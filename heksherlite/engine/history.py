"""The answers that a client's state is made of, for its snapshot."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from heksherlite.engine.messages import Answer
from heksherlite.engine.protocol import DELTA_STATUS, NOT_MODIFIED
from heksherlite.engine.snapshots import KeptAnswer, Snapshot

Question: TypeAlias = tuple[str, str]
"""What a query asks for: names of settings, and context filters, as they are sent."""

_MOST_CHANGES: Final = 100


class AnswerHistory:
    """For each question the last full answer, and the partial ones since."""

    def __init__(self) -> None:
        self._answers: dict[Question, list[KeptAnswer]] = {}

    def add(self, answers: Mapping[Question, Answer]) -> set[Question]:
        """Take in the answers of an update; return the questions that should be answered in full the next time.

        Args:
            answers: By question, all that are asked now.
        """
        self._answers = {question: self._answers.get(question, []) for question in answers}
        too_long = set()
        for question, answer in answers.items():
            if answer.status == NOT_MODIFIED:
                continue
            if answer.status != DELTA_STATUS:
                self._answers[question] = []
            history = self._answers[question]
            history.append(KeptAnswer.of(answer))
            full, *changes = [len(kept.content) for kept in history]
            if len(changes) > _MOST_CHANGES or sum(changes) > full:
                too_long.add(question)
        return too_long

    def snapshot(self, service: str, context_features: tuple[str, ...], taken_at: datetime) -> Snapshot:
        """Return what is known now.

        Args:
            service: The service's URL without credentials.
            context_features: The service's order of them.
            taken_at: The time, in UTC.
        """
        kept = [answer for history in self._answers.values() for answer in history]
        kept.sort(key=lambda answer: answer.status)  # full answers, 200, before partial ones, 226
        filters = next((filters for _, filters in self._answers), "")
        return Snapshot(service, context_features, filters, taken_at, tuple(kept))

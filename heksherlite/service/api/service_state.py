"""What the handlers of requests work with."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from heksherlite.service.domain.query import AnswerBuilder
from heksherlite.service.storage.store import Store


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _answers(request: Request) -> AnswerBuilder:
    answers: AnswerBuilder = request.app.state.answers
    return answers


StoreOfApp: TypeAlias = Annotated[Store, Depends(_store)]
AnswersOfApp: TypeAlias = Annotated[AnswerBuilder, Depends(_answers)]

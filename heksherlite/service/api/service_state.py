"""What the handlers of requests work with."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from heksherlite.service.api.streams import Streams
from heksherlite.service.domain.query import AnswerBuilder
from heksherlite.service.storage.store import Store


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _answers(request: Request) -> AnswerBuilder:
    answers: AnswerBuilder = request.app.state.answers
    return answers


def _streams(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams


StoreOfApp: TypeAlias = Annotated[Store, Depends(_store)]
AnswersOfApp: TypeAlias = Annotated[AnswerBuilder, Depends(_answers)]
StreamsOfApp: TypeAlias = Annotated[Streams, Depends(_streams)]

"""What the handlers of requests work with."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from heksherlite.service.api.request_store import RequestStore
from heksherlite.service.api.streams import Streams
from heksherlite.service.domain.query import AnswerBuilder


def _store(request: Request) -> RequestStore:
    return RequestStore(request.app.state.store, request)


def _answers(request: Request) -> AnswerBuilder:
    answers: AnswerBuilder = request.app.state.answers
    return answers


def _streams(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams


StoreOfApp: TypeAlias = Annotated[RequestStore, Depends(_store)]
AnswersOfApp: TypeAlias = Annotated[AnswerBuilder, Depends(_answers)]
StreamsOfApp: TypeAlias = Annotated[Streams, Depends(_streams)]

"""What the handlers of requests work with.

The dependencies are coroutines because FastAPI runs others on a thread, which takes longer than all they do.
"""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from heksherlite.service.api.metrics_collector import MetricsCollector
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.api.streams import Streams
from heksherlite.service.responses.bodies import ResponseBodies


async def _store(request: Request) -> StoreView:
    view: StoreView = request.app.state.view(request)
    return view


async def _answers(request: Request) -> ResponseBodies:
    answers: ResponseBodies = request.app.state.answers
    return answers


async def _streams(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams


async def _metrics(request: Request) -> MetricsCollector:
    metrics: MetricsCollector = request.app.state.metrics
    return metrics


StoreOfApp: TypeAlias = Annotated[StoreView, Depends(_store)]
AnswersOfApp: TypeAlias = Annotated[ResponseBodies, Depends(_answers)]
StreamsOfApp: TypeAlias = Annotated[Streams, Depends(_streams)]
MetricsCollectorOfApp: TypeAlias = Annotated[MetricsCollector, Depends(_metrics)]

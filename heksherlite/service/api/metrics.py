"""``/metrics``: what Prometheus scrapes, see ``docs/operators/observing.md``."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.api.service_state import MetricsCollectorOfApp
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.metrics.exposition import render

router = APIRouter(tags=["health"], route_class=ServiceRoute)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
)
@requires(Scope.READ, all_settings=True)
async def get_metrics(
    metrics: MetricsCollectorOfApp,
    *,
    accept: Annotated[str, Header(description="`application/openmetrics-text` for that format.")] = "text/plain",
) -> Response:
    """Return the metrics of the service, of all its workers together."""
    body, media_type = render(metrics.read(), accept)
    return Response(body, headers={"content-type": media_type, "vary": "accept"})

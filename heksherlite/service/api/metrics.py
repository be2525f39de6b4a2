"""``/metrics``: metrics for Prometheus; see ``docs/operators/observing.md``."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from heksherlite.service.api.context import Context
from heksherlite.service.api.routes import ServiceRoute, requires
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
    context: Context,
    *,
    accept: Annotated[str, Header(description="`application/openmetrics-text` selects OpenMetrics.")] = "text/plain",
) -> Response:
    """Return the metrics of the service, merged over all of its workers."""
    body, media_type = render(context.metrics.collect(), accept)
    return Response(body, headers={"content-type": media_type, "vary": "accept"})

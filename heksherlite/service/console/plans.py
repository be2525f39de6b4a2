"""Saved plans, which ``heksherlite apply`` makes and drafts import, as files to download."""

from collections.abc import Iterable

import orjson
from fastapi import Response

from heksherlite.names import PLAN_FORMAT
from heksherlite.operations import AnyOperation
from heksherlite.service.domain.catalog import Catalog


def plan_file(operations: Iterable[AnyOperation], catalog: Catalog, base_revision: int | None) -> Response:
    """Return a plan file.

    Args:
        operations: What the plan does.
        catalog: The current catalog.
        base_revision: The revision that the author of the plan looked at; None for the newest.
    """
    known = catalog.counters.revision if base_revision is None else base_revision
    plan = {
        "format": PLAN_FORMAT,
        "version": 1,
        "base_revision": str(catalog.lineage.revision(known) or known),
        "operations": [operation.as_json() for operation in operations],
    }
    headers = {"content-disposition": 'attachment; filename="plan.json"', "cache-control": "no-store"}
    return Response(orjson.dumps(plan, option=orjson.OPT_INDENT_2), 200, headers, "application/json")

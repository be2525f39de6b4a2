"""``/api/v1/query``: the rules of settings, which clients ask for again and again."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from heksherlite.service.api.responses import INVALID, text_responses
from heksherlite.service.api.service_state import AnswersOfApp, StoreOfApp
from heksherlite.service.domain import query as queries
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.filters import ContextFilter, parse_context_filter, parse_setting_names

_logger = logging.getLogger(__name__)

router = APIRouter(tags=["query"])


class QueriedRule(BaseModel):
    """A rule, its conditions in the global order of the context features."""

    rule_id: int
    value: Any
    context_features: list[tuple[str, str]]
    metadata: dict[str, Any] | None = None


class QueriedSetting(BaseModel):
    """What a program needs of a setting, its rules ordered by id."""

    default_value: Any
    rules: list[QueriedRule]


class QueryAnswer(BaseModel):
    """The queried settings, by canonical name."""

    settings: dict[str, QueriedSetting]


@router.get(
    "/api/v1/query",
    response_model=QueryAnswer,
    responses={
        304: {"description": "The answer is the one whose tag the client has."},
        **text_responses(400, 404),
        **INVALID,
    },
)
async def query_rules(
    request: Request,
    store: StoreOfApp,
    answers: AnswersOfApp,
    *,
    settings: Annotated[
        str | None, Query(description="Names, separated by commas. All settings if absent, none if empty.")
    ] = None,
    context_filters: Annotated[
        str,
        Query(
            description="`*` for every rule, or `feature:*` and `feature:(v1,v2)`, separated by commas: a rule"
            " passes if each of its conditions is on a listed feature and its value is allowed."
        ),
    ] = "*",
    include_metadata: Annotated[bool, Query(description="Whether to add each rule's metadata.")] = False,
    if_none_match: Annotated[list[str] | None, Header()] = None,
) -> Response:
    """Return the rules of settings that pass a filter."""
    catalog = store.catalog
    query = queries.Query(
        setting_names=None if settings is None else parse_setting_names(settings),
        context_filter=parse_context_filter(context_filters),
        include_metadata=include_metadata,
    )
    _log_unknown_features(catalog, query.context_filter)
    entries = queries.entries_of(catalog, query.setting_names)
    tag = queries.tag_of(
        catalog, entries, query_string=request.scope["query_string"], whole=query.setting_names is None
    )
    headers = {"etag": tag}
    if if_none_match is not None and _lists_tag(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    body = answers.body(catalog, query, entries, tag)
    return Response(body, headers=headers, media_type="application/json")


def _lists_tag(if_none_match: list[str], tag: str) -> bool:
    # Compared weakly, as RFC 9110 asks for this header. Our own tags have no comma inside.
    listed = (item.strip() for line in if_none_match for item in line.split(","))
    return any(item == "*" or item.removeprefix("W/") == tag for item in listed)


def _log_unknown_features(catalog: Catalog, context_filter: ContextFilter | None) -> None:
    if context_filter is not None:
        unknown = context_filter.allowed.keys() - set(catalog.context_features)
        if unknown:
            _logger.info("unknown context features in context_filters", extra={"features": sorted(unknown)})

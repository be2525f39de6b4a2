"""``/api/v1/query``: the rules of settings, which clients poll."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from heksherlite.service.api.cache_policy import NO_STORE, CachePolicy
from heksherlite.service.api.compression import CODECS, MIN_SIZE, accepted_coding
from heksherlite.service.api.context import Context, ReadableStore, ServiceContext, context_of
from heksherlite.service.api.repeated_queries import key_of
from heksherlite.service.api.responses import INVALID, text_responses
from heksherlite.service.api.routes import ServiceRoute, requires
from heksherlite.service.api.slices import RepeatedResponse, SlicedResponse
from heksherlite.service.api.stream import LINK
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.filters import ContextFilter, parse_context_filter, parse_moment, parse_setting_names
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.query import entries_of
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.errors import NotCaughtUpError
from heksherlite.service.fields import ResponseBody
from heksherlite.service.responses.bodies import ResponseBodies
from heksherlite.service.responses.entity_tags import known_revisions, tag_of
from heksherlite.service.responses.query import QueryRequest

_logger = logging.getLogger(__name__)

LINES = "application/x-ndjson"
DELTA = "heksherlite"


class QueryRoute(ServiceRoute):
    """A route for queries, most of which repeat an earlier one."""

    def repeated(self, request: Request) -> Response | None:
        """Return the response from the caches if it is there."""
        context, key = context_of(request), key_of(request)
        headers = context.not_modified.find(key)
        if headers is not None:
            return RepeatedResponse(304, headers)
        found = context.in_full.find(key)
        if found is None:
            return None
        headers, body_key = found
        body = context.response_bodies.remembered(body_key)
        return None if body is None else RepeatedResponse(200, headers, body)


router = APIRouter(tags=["query"], route_class=QueryRoute)


class QueriedRule(ResponseBody):
    """A rule, with its conditions in the order of the context features."""

    rule_id: int
    value: Any
    context_features: list[tuple[str, str]]
    metadata: dict[str, Any] | None = None


class QueriedSetting(ResponseBody):
    """The default value and the rules of a setting, with the rules ordered by id."""

    default_value: Any
    rules: list[QueriedRule]


class QueryResponse(ResponseBody):
    """The queried settings, by canonical name."""

    settings: dict[str, QueriedSetting]


@router.get(
    "/api/v1/query",
    response_model=QueryResponse,
    responses={
        200: {
            "content": {LINES: {"schema": {"type": "string"}}},
            "description": "The settings, as JSON or as JSON lines.",
        },
        226: {
            "content": {LINES: {"schema": {"type": "string"}}},
            "description": "The changes since the response whose tag the client sent.",
        },
        304: {"description": "The response has the tag that the client sent."},
        **text_responses(400, 404, 503),
        **INVALID,
    },
)
@requires(Scope.READ)
async def query_rules(
    request: Request,
    store: ReadableStore,
    context: Context,
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
    include_metadata: Annotated[bool, Query(description="Whether to include the metadata of each rule.")] = False,
    at: Annotated[
        str | None, Query(description="A revision, or a time such as 2030-01-31T12:00:00Z, as of which to respond.")
    ] = None,
    if_none_match: Annotated[list[str] | None, Header()] = None,
    accept: Annotated[str, Header(description="`application/x-ndjson` without metadata selects JSON lines.")] = "*/*",
    accept_encoding: Annotated[str, Header(description="Large responses are compressed with an accepted coding.")] = "",
    a_im: Annotated[
        str,
        Header(description="`heksherlite` permits JSON lines with only the changes since the tag in If-None-Match."),
    ] = "",
    last_event_id: Annotated[
        str, Header(description="The id of an event of the stream. The response is not older than the event.")
    ] = "",
) -> Response:
    """Return the rules of settings that pass a filter."""
    moment = None if at is None else parse_moment(at, now=store.now())
    heard = RevisionId.parse(last_event_id)
    query = QueryRequest(
        setting_names=None if settings is None else parse_setting_names(settings),
        context_filter=parse_context_filter(context_filters),
        include_metadata=include_metadata,
        lines=LINES in accept and not include_metadata,
        coding=accepted_coding(accept_encoding),
        past=moment is not None,
    )
    responses = context.response_bodies
    known = known_tags(if_none_match or [])
    if moment is None:
        catalog = await _catalog(store, query, known, heard)
    else:
        catalog = await store.at(moment)
    _log_unknown_features(context, catalog, query.context_filter)
    entries = entries_of(catalog, query.setting_names)
    tag = tag_of(catalog, query, entries)
    headers = _headers(context.cache_policy, tag, moment)
    if "*" in known or tag in known:
        response = Response(status_code=304, headers=headers)
        if moment is None and len(known) == 1 and (heard is None or not catalog.lineage.excludes(heard)):
            context.not_modified.remember(request, catalog.counters, response.raw_headers)
        return response
    if a_im == DELTA and len(known) == 1:
        (known_tag,) = known
        changes = await responses.changes(catalog, query, entries, tag, known_tag)
        if changes is not None:
            headers |= {"im": DELTA, "delta-base": known_tag, "cache-control": NO_STORE}
            response, _ = await _response(226, changes, headers, LINES, query.coding, responses)
            return response
    body = await responses.body(catalog, query, entries, tag)
    media_type = LINES if query.lines else "application/json"
    response, body_key = await _response(200, body, headers, media_type, query.coding, responses)
    if moment is None and heard is None and not known:
        context.in_full.remember(request, catalog.counters, (response.raw_headers, body_key))
    return response


async def _catalog(store: ReadableStore, query: QueryRequest, tags: set[str], heard: RevisionId | None) -> Catalog:
    """Return a catalog that is not older than the one this client has seen at another replica."""
    catalog = store.catalog
    known = known_revisions(catalog, query, tags)
    if any(map(catalog.lineage.excludes, known if heard is None else [*known, heard])):
        await store.catch_up()
    elif any(catalog.find(name) is None for name in query.setting_names or ()):
        # The setting may have been declared through another replica a moment ago.
        with suppress(NotCaughtUpError):
            await store.catch_up()
    return store.catalog


def _headers(policy: CachePolicy, tag: str, moment: int | RevisionId | datetime | None) -> dict[str, str]:
    headers = {"etag": tag, "vary": policy.vary, "cache-control": policy.now}
    if moment is None:
        headers["link"] = LINK
    elif isinstance(moment, RevisionId):
        headers["cache-control"] = policy.past
    return headers


async def _response(
    status: int, body: bytes, headers: dict[str, str], media_type: str, coding: str | None, responses: ResponseBodies
) -> tuple[Response, str]:
    """Return a response, and the key under which its body is cached."""
    key = headers["etag"]
    if coding is not None and len(body) >= MIN_SIZE:
        key = f"{key} since {headers.get('delta-base')} in {coding}"
        compressed = responses.remembered(key)
        if compressed is None:
            compressed = await asyncio.to_thread(CODECS[coding], body)
            responses.remember(key, compressed)
        body, headers = compressed, headers | {"content-encoding": coding}
    return SlicedResponse(body, status, headers, media_type), key


def known_tags(if_none_match: list[str]) -> set[str]:
    """Return the entity tags in headers ``If-None-Match``."""
    # RFC 9110 requires weak comparison for this header. Tags of this service contain no comma.
    return {item.strip().removeprefix("W/") for line in if_none_match for item in line.split(",")}


def _log_unknown_features(context: ServiceContext, catalog: Catalog, context_filter: ContextFilter | None) -> None:
    if context_filter is not None:
        unknown = frozenset(context_filter.allowed.keys() - set(catalog.context_features))
        if unknown:
            names, level = sorted(unknown), context.repetition.level(logging.INFO, unknown)
            _logger.log(level, "unknown context features in context_filters: %s", names, extra={"features": names})

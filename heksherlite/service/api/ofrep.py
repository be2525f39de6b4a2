"""``/ofrep/v1``: the OpenFeature Remote Evaluation Protocol (OFREP) 0.3.0; see ``docs/guides/openfeature.md``."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from heksherlite.flags import TARGETING_KEY, FlagContextError, given_context, missing_context
from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.bodies import BodyError
from heksherlite.service.api.context import Context, ServiceContext, context_of
from heksherlite.service.api.identity import identity_of
from heksherlite.service.api.problems import error_response
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.api.query import known_tags
from heksherlite.service.api.responses import json_response, text_responses
from heksherlite.service.api.routes import Handler, ServiceRoute, StreamRoute, public, requires
from heksherlite.service.api.slices import SlicedResponse
from heksherlite.service.api.stream import EVENTS, EventStream
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.change_feed import ChangedSettings, Interest
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.tokens import Access, Scope
from heksherlite.service.errors import NotCaughtUpError, OutsidePrefixError
from heksherlite.service.fields import ResponseBody
from heksherlite.service.responses.flags import ReadyFlag, missing_in

_INACTIVITY_SECONDS: Final = 120
_FORMAT: Final = 1  # to be raised whenever the same revision gets another body

ErrorCode = Literal["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL", "FLAG_NOT_FOUND"]


class OfrepRoute(ServiceRoute):
    """A route whose handler reads the body itself, and whose errors are those of the protocol."""

    is_read = True
    is_immediate = True
    serves_other_sites = True

    def handler(self, handle: Handler) -> Handler:
        """Return the endpoint. FastAPI would take longer to read the request than the answer takes."""
        del handle
        endpoint = self.endpoint

        async def evaluate(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return evaluate

    def get_route_handler(self) -> Handler:
        """Return a handler that explains why a request was refused as the protocol does."""
        handle = super().get_route_handler()

        async def handle_request(request: Request) -> Response:
            needed: dict[str, str]
            try:
                return await handle(request)
            except AccessDeniedError as error:
                needed = {} if error.needed_scope is None else {"needed_scope": str(error.needed_scope)}
                status, detail, headers = error.status, error.detail, error.headers
            except OutsidePrefixError as error:
                status, detail, headers, needed = 403, error.message, {}, {"setting_prefix": error.setting_prefix}
            except BodyError as error:
                status, detail, headers, needed = error.status, error.detail, error.headers, {}
            body = {"errorCode": "GENERAL", "errorDetails": detail, "detail": detail, **needed}
            return error_response(request, status, detail, body=body, headers=headers)

        return handle_request


router = APIRouter(tags=["ofrep"], route_class=OfrepRoute)
streams = APIRouter(tags=["ofrep"], route_class=StreamRoute)


class FlagMetadata(ResponseBody):
    """The revision of the setting, the version of its declaration, and the id of the rule if one matched."""

    version: int
    settingVersion: str  # noqa: N815 - as the protocol spells it
    ruleId: int | None = None  # noqa: N815


class FlagValue(ResponseBody):
    """The value of a flag in a context, and why it has it."""

    key: str
    value: Any
    reason: Literal["TARGETING_MATCH", "DEFAULT", "STATIC"]
    variant: str = Field(description="`rule:` and the id of the rule, `operator_default`, or `default`.")
    metadata: FlagMetadata


class FlagError(ResponseBody):
    """Why a flag cannot be evaluated."""

    key: str
    errorCode: ErrorCode  # noqa: N815
    errorDetails: str  # noqa: N815


class BulkError(ResponseBody):
    """Why nothing can be evaluated."""

    errorCode: ErrorCode  # noqa: N815
    errorDetails: str  # noqa: N815


class FlagChanges(ResponseBody):
    """Where to hear of changes: a stream of server-sent events."""

    type: Literal["sse"]
    url: str
    inactivityDelaySec: int  # noqa: N815


class BulkMetadata(ResponseBody):
    """The revision of the service."""

    version: int


class FlagValues(ResponseBody):
    """The values of all flags in a context."""

    flags: list[FlagValue | FlagError]
    eventStreams: list[FlagChanges]  # noqa: N815
    metadata: BulkMetadata


_BODY: Final[Mapping[str, Any]] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "context": {
                            "type": "object",
                            "description": "The values of context features by name. Other attributes are ignored.",
                            "properties": {TARGETING_KEY: {"type": "string"}},
                        }
                    },
                }
            }
        }
    }
}


@router.post(
    "/ofrep/v1/evaluate/flags",
    response_model=FlagValues,
    responses={
        304: {"description": "The answer has the tag in If-None-Match."},
        400: {"model": BulkError, "description": "The body is malformed."},
        **text_responses(408, 413),
    },
    openapi_extra=dict(_BODY),
)
@requires(Scope.EVALUATE, Scope.READ)
async def evaluate_flags(request: Request) -> Response:
    """Evaluate all flags that the client sees. An error of one flag is in its item."""
    context = context_of(request)
    await _catch_up(context, request)
    catalog, access = _catalog(context, request)
    body = await request.body()
    sent = request.headers.getlist("if-none-match")
    if sent and context.flag_tags.is_known(sent, catalog, access, body):
        return Response(status_code=304, headers={"etag": sent[0]})
    try:
        attributes = _attributes(body)
    except FlagContextError as error:
        return _refusal(error)
    tag = _tag(catalog, access, attributes, context.options.targeting_key_feature)
    if sent and not known_tags(sent).isdisjoint({tag, "*"}):
        context.flag_tags.remember(tag, catalog, access, body)
        return Response(status_code=304, headers={"etag": tag})
    items = []
    for entry in sorted(catalog.entries.values(), key=lambda entry: entry.setting.name):
        if _is_visible(entry, access):
            flag = context.ready_flags.find(catalog, entry) or await context.ready_flags.get(catalog, entry)
            items.append(_item(flag, attributes, context.options.targeting_key_feature))
    body = b'{"flags":[%b],"eventStreams":%b,"metadata":{"version":%d}}' % (
        b",".join(items),
        orjson.dumps(_event_streams(context, request, catalog)),
        catalog.counters.revision,
    )
    return SlicedResponse(body, 200, {"etag": tag}, "application/json")


@router.post(
    "/ofrep/v1/evaluate/flags/{key}",
    response_model=FlagValue,
    responses={
        400: {"model": FlagError, "description": "The body is malformed, or the context does not suffice."},
        404: {"model": FlagError, "description": "There is no such flag, or it is not visible to the client."},
        **text_responses(408, 413),
    },
    openapi_extra=dict(_BODY),
)
@requires(Scope.EVALUATE, Scope.READ)
async def evaluate_flag(request: Request, key: str) -> Response:
    """Evaluate one flag: a setting by its name or an alias."""
    context = context_of(request)
    catalog, access = _catalog(context, request)
    try:
        attributes = _attributes(await request.body())
        entry = catalog.find(key)
        if entry is None or not _is_visible(entry, access):
            return json_response(_error("FLAG_NOT_FOUND", f"there is no flag {key!r}", key), 404)
        flag = context.ready_flags.find(catalog, entry) or await context.ready_flags.get(catalog, entry)
        answer = flag.answer_to(key, _complete(flag, attributes, context.options.targeting_key_feature))
    except FlagContextError as error:
        return _refusal(error, key)
    return SlicedResponse(answer, 200, None, "application/json")


@streams.get(
    "/ofrep/v1/stream",
    response_class=Response,
    responses={
        200: {"content": {EVENTS: {}}, "description": "An endless stream of server-sent events."},
        401: {"content": {"application/json": {}}, "description": "The ticket is not valid, or not any more."},
        503: {"content": {"application/json": {}}, "description": "Too many streams are open."},
    },
)
@public
async def stream_flag_changes(
    request: Request,
    context: Context,
    *,
    ticket: Annotated[str, Query(description="From the URL in `eventStreams`.", max_length=200)] = "",
    since: Annotated[str, Query(description="The revision after which changes are of interest.", max_length=100)] = "",
) -> Response:
    """Tell each time that flags change, with a message of the type `refetchEvaluation`."""
    access = context.stream_tickets.access(ticket)
    if access is None:
        raise HTTPException(401, "the ticket of the stream is not valid; evaluate the flags again for another one")
    if not context.streams.has_room():
        raise HTTPException(503, "too many streams are open", {"retry-after": "5"})
    client = client_network(context.authorizer.proxy_headers.address(request.scope) or "")
    context.quotas.hold_stream(request.scope, client)
    heard = RevisionId.parse(request.headers.get("last-event-id", "")) or RevisionId.parse(since)
    is_authorized = partial(context.stream_tickets.is_valid, ticket)
    return _FlagStream(context, access, heard, is_authorized)


class _FlagStream(EventStream):
    """Sends a message that asks to evaluate again after each change that the client may see."""

    def __init__(self, context: ServiceContext, access: Access, since: RevisionId | None, is_authorized: Any) -> None:
        super().__init__(context.streams, Interest(None, None, access.setting_prefix), since)
        self._access = access
        self._is_authorized = is_authorized

    def opening(self, revision: RevisionId) -> bytes:
        """Return the id of the first revision, without a message."""
        return b"id: %b\n\n" % str(revision).encode()

    def change(self, revision: RevisionId, changed: ChangedSettings | None) -> bytes:
        """Return the message, or only the id if nothing changed but rules that the client does not see."""
        if changed is not None and not any(rules is None or self._sees(name) for name, rules in changed.items()):
            return self.opening(revision)
        data = orjson.dumps({"type": "refetchEvaluation", "etag": str(revision)})
        return b"event: message\nid: %b\ndata: %b\n\n" % (str(revision).encode(), data)

    def _sees(self, name: str) -> bool:
        entry = self.streams.feed.catalog.find(name)
        return entry is not None and _is_visible(entry, self._access)

    def is_authorized(self, request: Request) -> bool:
        """Return whether the ticket is still valid."""
        del request
        valid: bool = self._is_authorized()
        return valid


def _error(code: ErrorCode, details: str, key: str | None = None) -> dict[str, str]:
    """Return the error of a flag, or of all."""
    error = {"errorCode": code, "errorDetails": details}
    return error if key is None else {"key": key, **error}


def _refusal(error: FlagContextError, key: str | None = None) -> Response:
    return json_response(_error(error.code, str(error), key), 400)


def _attributes(body: bytes) -> Mapping[str, Any]:
    """Return the evaluation context in a body, which may be empty.

    Raises:
        FlagContextError: It is malformed.
    """
    try:
        parsed = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise FlagContextError("PARSE_ERROR", f"the body is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise FlagContextError("PARSE_ERROR", 'the body is not an object; expected {"context": {...}}')
    attributes = {} if parsed.get("context") is None else parsed["context"]
    if not isinstance(attributes, dict):
        raise FlagContextError("INVALID_CONTEXT", "the context is not an object")
    if not isinstance(attributes.get(TARGETING_KEY, ""), str):
        raise FlagContextError("INVALID_CONTEXT", f"{TARGETING_KEY} is not a string")
    return attributes


def _catalog(context: ServiceContext, request: Request) -> tuple[Catalog, Access]:
    identity = identity_of(request.scope)
    access = Access(identity.scopes, identity.setting_prefix)
    return context.limited_catalogs.of(context.store.catalog, access.setting_prefix), access


async def _catch_up(context: ServiceContext, request: Request) -> None:
    """Catch up with the change that the client heard of, perhaps from another replica."""
    heard = RevisionId.parse(request.query_params.get("flagConfigEtag", "")) if request.scope["query_string"] else None
    if heard is not None and context.store.catalog.lineage.excludes(heard):
        with suppress(NotCaughtUpError):
            await context.store.catch_up()


def _is_visible(entry: Entry, access: Access) -> bool:
    return entry.setting.is_client_visible or Scope.READ in access.scopes


def _complete(flag: ReadyFlag, attributes: Mapping[str, Any], targeting_key_feature: str | None) -> Sequence[Any]:
    """Return the whole context for a flag.

    Raises:
        FlagContextError: Something is missing in it.
    """
    rules = flag.flag.rules
    if not rules.shapes:
        return ()
    given = given_context(flag.flag, attributes, attributes.get(TARGETING_KEY), targeting_key_feature)
    if NO_VALUE in given:
        raise missing_context(flag.flag, missing_in(given, rules.features), targeting_key_feature)
    return given


def _item(flag: ReadyFlag, attributes: Mapping[str, Any], targeting_key_feature: str | None) -> bytes:
    try:
        return flag.answer(_complete(flag, attributes, targeting_key_feature))
    except FlagContextError as error:
        return orjson.dumps(_error(error.code, str(error), flag.flag.key))


def _tag(catalog: Catalog, access: Access, attributes: Mapping[str, Any], targeting_key_feature: str | None) -> str:
    """Return the entity tag of the values of all flags: the revision, and a digest of what else they depend on."""
    state = catalog.counters
    names = [*catalog.context_features, TARGETING_KEY]
    depends_on = [
        _FORMAT,
        state.database_id,
        access.setting_prefix,
        Scope.READ in access.scopes,
        targeting_key_feature,
        [(name, attributes[name]) for name in names if name in attributes],
    ]
    return f'"{state.revision_id}-{blake2b(orjson.dumps(depends_on), digest_size=12).hexdigest()}"'


def _event_streams(context: ServiceContext, request: Request, catalog: Catalog) -> list[dict[str, Any]]:
    ticket = context.stream_tickets.ticket(request.state.identity.token)
    if ticket is None:
        return []
    since = quote(str(catalog.counters.revision_id))
    url = f"{context.base_url(request)}/ofrep/v1/stream?since={since}&ticket={quote(ticket)}"
    return [{"type": "sse", "url": url, "inactivityDelaySec": _INACTIVITY_SECONDS}]


router.routes.extend(streams.routes)  # include_router would build them again

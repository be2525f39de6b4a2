"""The clients, and how they send requests."""

import random
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import httpx
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportServerError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import ExecutionResult, OperationDefinitionNode, OperationType

from heksherlite.errors import FactsShapeError, FaktsError
from heksherlite.grants.facts import describe_type
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.http.urls import http_url, shown_url
from heksherlite.integrations.graphql.http import HTTP, auth_for_gql

_TEMPORARY: Final = (429, 502, 503, 504)
_LONGEST_DELAY: Final = 10.0
"""In seconds."""


async def agraphql_client(
    fakts: Fakts | None = None,
    *,
    group: str = "graphql",
    auth: httpx.Auth | None = None,
    retries: int = 2,
    http_client_args: Mapping[str, Any] | None = None,
    websocket_args: Mapping[str, Any] | None = None,
    **client_args: Any,
) -> Client:
    """Return a GraphQL client for asynchronous code, configured by a group of the facts.

    Each request goes to the address in the current facts, so that a change needs no restart.

    Args:
        fakts: The loader. The default is the current one, see :func:`~heksherlite.grants.get_current_fakts`.
        group: The path of the group, which must have ``endpoint_url``. Subscriptions need ``ws_endpoint_url`` too, and
            use the protocol graphql-ws.
        auth: The authentication of requests and subscriptions, such as an
            :class:`~heksherlite.integrations.oauth2.OAuth2Auth`.
        retries: How often a request is repeated if the server cannot be reached, or answers 429, 502, 503 or 504. A
            mutation is only repeated if there was no connection.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``timeout``, or for that of httpx2, which
            gql 4.4 and later use if it is installed.
        websocket_args: Arguments for the WebSocket transport of gql, such as ``ping_interval``.
        client_args: Arguments for the client of gql, such as ``execute_timeout`` and ``schema``.

    Raises:
        FactsShapeError: If the group has no valid ``endpoint_url``, or an invalid ``ws_endpoint_url``.
        FaktsError: If the facts cannot be loaded, or the group does not exist.
    """
    fakts = fakts or get_current_fakts()
    _read_urls(await fakts.aget(group), group)
    source = _Source(fakts, group)
    transport = _AsyncTransport(source, auth, retries, dict(http_client_args or {}), dict(websocket_args or {}))
    return Client(transport=transport, **client_args)


def graphql_client(
    fakts: Fakts | None = None,
    *,
    group: str = "graphql",
    auth: httpx.Auth | None = None,
    retries: int = 2,
    http_client_args: Mapping[str, Any] | None = None,
    **client_args: Any,
) -> Client:
    """Return a GraphQL client for synchronous code, otherwise as :func:`agraphql_client` does.

    It has no subscriptions, which gql only has in asynchronous code.
    """
    fakts = fakts or get_current_fakts()
    _read_urls(fakts.get(group), group)
    transport = _SyncTransport(_Source(fakts, group), auth, retries, dict(http_client_args or {}))
    return Client(transport=transport, **client_args)


@dataclass(frozen=True, slots=True)
class _Source:
    """The addresses in the current facts."""

    fakts: Fakts
    group: str

    def read(self) -> tuple[str, str | None]:
        """Return the address of requests, and the one of subscriptions if there is one."""
        return _read_urls(self.fakts.get(self.group, auto_load=False), self.group)


class _AsyncTransport(HTTPXAsyncTransport):
    """Sends requests by HTTP, and subscriptions by WebSocket."""

    def __init__(
        self,
        source: _Source,
        auth: httpx.Auth | None,
        retries: int,
        http_client_args: dict[str, Any],
        websocket_args: dict[str, Any],
    ) -> None:
        super().__init__(source.read()[0], auth=auth_for_gql(auth), **http_client_args)
        self._source = source
        self._auth = auth
        self._retries = retries
        self._websocket_args = websocket_args

    async def execute(self, request: GraphQLRequest, **options: Any) -> ExecutionResult:
        for attempt in range(self._retries + 1):
            self.url = self._source.read()[0]
            try:
                return await super().execute(request, **options)
            except (TransportConnectionFailed, TransportServerError) as error:
                if attempt == self._retries or not _may_repeat(request, error):
                    raise
            await anyio.sleep(_delay(attempt))
        raise AssertionError("the last attempt returns or raises")

    async def subscribe(self, request: GraphQLRequest, **options: Any) -> AsyncGenerator[ExecutionResult, None]:
        url = self._source.read()[1]
        if url is None:
            raise FaktsError(f"subscriptions need the key ws_endpoint_url in the group {self._source.group!r}")
        headers = await self._authorization(url)
        subscription = WebsocketsTransport(
            url,
            **{
                "headers": headers,
                "init_payload": headers,
                "subprotocols": [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
                **self._websocket_args,
            },
        )
        await subscription.connect()
        try:
            async for result in subscription.subscribe(request, **options):
                yield result
        finally:
            with anyio.CancelScope(shield=True):
                await subscription.close()

    async def _authorization(self, url: str) -> dict[str, str]:
        """Return the header with which the authentication signs requests."""
        if self._auth is None:
            return {}
        flow = self._auth.async_auth_flow(httpx.Request("GET", url))
        try:
            request = await anext(flow)
        finally:
            await flow.aclose()
        value = request.headers.get("Authorization")
        return {} if value is None else {"Authorization": value}


class _SyncTransport(HTTPXTransport):
    """Sends requests by HTTP."""

    def __init__(
        self, source: _Source, auth: httpx.Auth | None, retries: int, http_client_args: dict[str, Any]
    ) -> None:
        super().__init__(source.read()[0], auth=auth_for_gql(auth), **http_client_args)
        self._source = source
        self._retries = retries

    def execute(self, request: GraphQLRequest, **options: Any) -> ExecutionResult:
        for attempt in range(self._retries + 1):
            self.url = self._source.read()[0]
            try:
                return super().execute(request, **options)
            except (TransportConnectionFailed, TransportServerError) as error:
                if attempt == self._retries or not _may_repeat(request, error):
                    raise
            time.sleep(_delay(attempt))
        raise AssertionError("the last attempt returns or raises")


def _may_repeat(request: GraphQLRequest, error: TransportConnectionFailed | TransportServerError) -> bool:
    if isinstance(error.__cause__, HTTP.ConnectError | HTTP.ConnectTimeout):
        return True
    operations = [node for node in request.document.definitions if isinstance(node, OperationDefinitionNode)]
    if any(node.operation is OperationType.MUTATION for node in operations):
        return False
    if isinstance(error, TransportServerError):
        return error.code in _TEMPORARY
    return isinstance(error.__cause__, HTTP.TransportError)


def _delay(attempt: int) -> float:
    return random.uniform(0, min(2.0**attempt, _LONGEST_DELAY))  # noqa: S311 - spreads requests


def _read_urls(facts: object, group: str) -> tuple[str, str | None]:
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"expected a mapping, not {describe_type(facts)}"})
    problems: dict[str, str] = {}
    url, ws_url = facts.get("endpoint_url"), facts.get("ws_endpoint_url")
    try:
        http_url(url if isinstance(url, str) else "")
    except ValueError as error:
        problems["endpoint_url"] = (
            str(error) if isinstance(url, str) else f"expected a string, not {describe_type(url)}"
        )
    if ws_url is not None and not (isinstance(ws_url, str) and _is_websocket_url(ws_url)):
        shown = repr(shown_url(ws_url)) if isinstance(ws_url, str) else describe_type(ws_url)
        problems["ws_endpoint_url"] = f"expected a URL like 'wss://host/path', not {shown}"
    if problems:
        raise FactsShapeError(group, problems)
    return str(url), ws_url


def _is_websocket_url(url: str) -> bool:
    try:
        http_url(url.replace("ws", "http", 1))
    except ValueError:
        return False
    return urlsplit(url).scheme in ("ws", "wss")

"""GraphQL clients by gql, configured from facts. Requires ``heksherlite[graphql]``."""

from collections.abc import Mapping
from typing import Any

import httpx
from gql import Client
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport

from heksherlite.errors import FactsShapeError
from heksherlite.grants.facts import describe_type
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.http.urls import http_url


async def agraphql_client(
    fakts: Fakts | None = None, *, group: str = "graphql", auth: httpx.Auth | None = None, **http_client_args: Any
) -> Client:
    """Return a GraphQL client for asynchronous code, configured by a group of the facts.

    Args:
        fakts: The loader. The default is the current one, see :func:`~heksherlite.grants.get_current_fakts`.
        group: The path of the group, which must have ``endpoint_url``.
        auth: The authentication of requests, such as an :class:`~heksherlite.integrations.oauth2.OAuth2Auth`.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``timeout``.

    Raises:
        FactsShapeError: If the group has no valid ``endpoint_url``.
        FaktsError: If the facts cannot be loaded, or the group does not exist.
    """
    url = _endpoint_url(await (fakts or get_current_fakts()).aget(group), group)
    return Client(transport=HTTPXAsyncTransport(url, auth=auth, **http_client_args))


def graphql_client(
    fakts: Fakts | None = None, *, group: str = "graphql", auth: httpx.Auth | None = None, **http_client_args: Any
) -> Client:
    """Return a GraphQL client for synchronous code, otherwise as :func:`agraphql_client` does."""
    url = _endpoint_url((fakts or get_current_fakts()).get(group), group)
    return Client(transport=HTTPXTransport(url, auth=auth, **http_client_args))


def _endpoint_url(facts: object, group: str) -> str:
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"expected a mapping, not {describe_type(facts)}"})
    url = facts.get("endpoint_url")
    if not isinstance(url, str):
        raise FactsShapeError(group, {"endpoint_url": f"expected a string, not {describe_type(url)}"})
    try:
        return http_url(url)
    except ValueError as error:
        raise FactsShapeError(group, {"endpoint_url": str(error)}) from None

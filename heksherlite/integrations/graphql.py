"""GraphQL by gql, configured from facts. Needs ``heksherlite[graphql]``."""

from collections.abc import Mapping
from typing import Any

import httpx
from gql import Client
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport

from heksherlite.errors import FactsShapeError
from heksherlite.grants.facts import kind
from heksherlite.grants.loader import Fakts, get_current_fakts
from heksherlite.http.urls import http_url


async def agraphql_client(
    fakts: Fakts | None = None, *, group: str = "graphql", auth: httpx.Auth | None = None, **http_client_args: Any
) -> Client:
    """Return a client for asynchronous code, as a group of the facts says.

    Args:
        fakts: The loader; by default the one whose ``with`` block the code is in.
        group: The group with ``endpoint_url``.
        auth: What signs the requests, such as an :class:`~heksherlite.integrations.oauth2.OAuth2Auth`.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``timeout``.

    Raises:
        FactsShapeError: If the group has no such URL.
        FaktsError: If the facts cannot be loaded, or do not have the group.
    """
    url = _endpoint_url(await (fakts or get_current_fakts()).aget(group), group)
    return Client(transport=HTTPXAsyncTransport(url, auth=auth, **http_client_args))


def graphql_client(
    fakts: Fakts | None = None, *, group: str = "graphql", auth: httpx.Auth | None = None, **http_client_args: Any
) -> Client:
    """Return a client for synchronous code, otherwise as :func:`agraphql_client` does."""
    url = _endpoint_url((fakts or get_current_fakts()).get(group), group)
    return Client(transport=HTTPXTransport(url, auth=auth, **http_client_args))


def _endpoint_url(facts: object, group: str) -> str:
    if not isinstance(facts, Mapping):
        raise FactsShapeError(group, {group: f"a mapping was expected, not {kind(facts)}"})
    url = facts.get("endpoint_url")
    if not isinstance(url, str):
        raise FactsShapeError(group, {"endpoint_url": f"a string was expected, not {kind(url)}"})
    try:
        return http_url(url)
    except ValueError as error:
        raise FactsShapeError(group, {"endpoint_url": str(error)}) from None

"""GraphQL clients from facts, against a real server."""

from typing import Any

import pytest
from gql import gql

from heksherlite.errors import FactsShapeError
from heksherlite.grants import Fakts, HardGrant
from heksherlite.integrations.graphql import agraphql_client, graphql_client
from heksherlite.integrations.oauth2 import OAuth2Auth
from tests.grants.endpoint import Scripted, ScriptedEndpoint

QUERY = "query { viewer }"


@pytest.fixture
def fakts(endpoint: ScriptedEndpoint) -> Fakts:
    """Return facts about a GraphQL endpoint that wants a token."""
    endpoint.script["/graphql"] = lambda request: (
        Scripted({"data": {"viewer": "me"}})
        if request.headers.get("authorization") == "Bearer access"
        else Scripted({"errors": [{"message": "who are you?"}]}, 401)
    )
    endpoint.script["/token/"] = Scripted({"access_token": "access"})
    credentials = {"base_url": endpoint.url, "client_id": "me", "client_secret": "hunter2"}
    return Fakts(HardGrant({"graphql": {"endpoint_url": f"{endpoint.url}/graphql"}, "oauth2": credentials}))


def test_synchronous_client(fakts: Fakts) -> None:
    """A query is sent to the endpoint of the facts, with authentication."""
    with fakts, graphql_client(auth=OAuth2Auth.from_fakts()) as session:
        assert session.execute(gql(QUERY)) == {"viewer": "me"}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # gql knows no other
@pytest.mark.anyio
async def test_asynchronous_client(fakts: Fakts) -> None:
    """The same works in asynchronous code."""
    async with fakts, await agraphql_client(auth=await OAuth2Auth.afrom_fakts()) as session:
        assert await session.execute(gql(QUERY)) == {"viewer": "me"}


@pytest.mark.parametrize("group", [{}, {"endpoint_url": 5}, {"endpoint_url": "hunter2"}, "hunter2"])
def test_groups_without_a_url(group: Any) -> None:
    """The error names the key, and no values."""
    with pytest.raises(FactsShapeError, match="graphql") as caught:
        graphql_client(Fakts(HardGrant({"graphql": group})))
    assert len(caught.value.problems) == 1
